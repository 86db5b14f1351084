/** The files that a scene needs and the project has not got, with a place to drop them. */
import { number, plural } from "../format.js";
import { el, icon } from "./element.js";
import { filePicker } from "./file_picker.js";

const SHOWN = 8;

/**
 * @param {object} findings what the agent found
 * @param {(files: File[]) => void} onPick
 */
export function missingInputs(findings, onPick) {
  const { missing, missing_count: count } = findings;
  const rest = missing.slice(SHOWN);
  const list = el("ul", {}, ...missing.slice(0, SHOWN).map(line));
  const more = el("details", { hidden: rest.length === 0 }, el("summary", {}, `${number(count - SHOWN)} more`), el("ul", {}, ...rest.map(line)));
  return el(
    "section",
    { class: "missing-inputs", "aria-label": "Missing files" },
    el(
      "div",
      { class: "notice warning" },
      icon("warning"),
      el(
        "div",
        {},
        el("h2", {}, `${plural(count, "file", "files")} of the scene ${count === 1 ? "is" : "are"} missing`),
        el("p", {}, "Blender would render without them, a wrong picture. Drop them here, or the folder that they are in."),
        list,
        more,
      ),
    ),
    filePicker({
      title: "Drop the missing files here",
      words: "They are found by their names. What is none of them is not uploaded.",
      primary: false,
      onPick,
    }),
  );
}

function line(file) {
  return el("li", {}, el("code", {}, file.path), el("span", {}, ` ${file.kind}`));
}
