/** Files may be dropped anywhere on the page. */
import { dropped } from "../upload/sources.js";
import { el, icon } from "./element.js";

/**
 * @param {() => boolean} isOpen whether files are wanted just now
 * @param {(entries: object[]) => void} onDrop
 */
export function dropAnywhere(isOpen, onDrop) {
  const veil = el("div", { class: "drop-veil", hidden: true, "aria-hidden": "true" }, el("div", {}, icon("upload"), el("p", {}, "Drop it to render it")));
  document.body.append(veil);
  /** Events come for every element that is entered and left. */
  let depth = 0;

  function hasFiles(event) {
    return isOpen() && event.dataTransfer?.types.includes("Files");
  }

  function show(next) {
    depth = Math.max(0, next);
    veil.hidden = depth === 0;
  }

  window.addEventListener("dragenter", (event) => {
    if (hasFiles(event)) show(depth + 1);
  });
  window.addEventListener("dragleave", (event) => {
    if (hasFiles(event)) show(depth - 1);
  });
  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(0);
    onDrop(dropped(event.dataTransfer));
  });
}
