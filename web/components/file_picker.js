/** Buttons that let a person pick files, or a folder, and an area around them that says that both may be dropped. */
import { el, icon } from "./element.js";

/**
 * @param {{title: string, words: string, primary: boolean, onPick: (files: File[]) => void}} options `primary`: it is what
 *   one comes here for
 */
export function filePicker({ title, words, primary, onPick }) {
  const choose = picker({ label: "Choose files", multiple: true, onPick, primary });
  const folder = picker({ label: "Choose a folder", webkitdirectory: true, onPick });
  return el(
    "div",
    { class: "file-picker" },
    icon("upload"),
    el("h2", {}, title),
    el("p", {}, words),
    el("div", { class: "buttons" }, choose, folder),
  );
}

function picker({ label, onPick, primary = false, ...attributes }) {
  const input = el("input", { class: "visually-hidden", type: "file", tabindex: -1, "aria-hidden": "true", ...attributes });
  const button = el("button", { class: primary ? "button primary" : "button", type: "button", on: { click: () => input.click() } }, label);
  input.addEventListener("change", () => {
    const picked = [...input.files];
    // The same file may be picked again.
    input.value = "";
    if (picked.length > 0) onPick(picked);
  });
  return el("span", {}, button, input);
}
