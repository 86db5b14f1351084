/** How far a project is on its way to the farm. */
import { bytes, estimate, percent, plural } from "../format.js";
import { PHASE } from "../upload/draft.js";
import { el, setText } from "./element.js";
import { progressBar } from "./progress_bar.js";

export function uploadProgress(onCancel) {
  const title = el("h2", {});
  const bar = progressBar("Progress of the upload", "large");
  const line = el("p", { class: "upload-line" });
  const hint = el("p", { class: "upload-hint" });
  const cancel = el("button", { class: "button", type: "button", on: { click: onCancel } }, "Cancel");
  const said = el("p", { class: "visually-hidden", role: "status" });
  return {
    element: el("div", { class: "upload-progress" }, title, bar.element, line, hint, el("div", { class: "buttons" }, cancel), said),
    update(draft) {
      setText(title, titleOf(draft));
      bar.update(draft.progress, draft.offline ? "paused" : "running");
      setText(line, lineOf(draft));
      setText(hint, draft.offline ? "The coordinator does not answer. It goes on by itself when it does." : hintOf(draft));
      // A screen reader hears of each tenth.
      setText(said, `${titleOf(draft)}, ${Math.floor(draft.progress * 10) * 10} %`);
    },
  };
}

function titleOf(draft) {
  if (draft.phase === PHASE.GATHERING) return "Looking through the files";
  return draft.phase === PHASE.READING ? "Reading the project" : "Uploading";
}

function lineOf(draft) {
  if (draft.phase === PHASE.GATHERING) return "";
  const parts = [percent(draft.progress), `${bytes(draft.done)} of ${bytes(draft.total)}`, plural(draft.fileCount, "file", "files")];
  if (draft.phase === PHASE.UPLOADING && draft.speed) {
    parts.push(`${bytes(draft.speed)}/s`);
    if (draft.progress < 1) parts.push(`${estimate((draft.total - draft.done) / draft.speed)} left`);
  }
  return parts.join(" · ");
}

function hintOf(draft) {
  if (draft.phase !== PHASE.UPLOADING) return "";
  return "You can look at other jobs meanwhile. If this page closes, drop the project again: only what is missing is uploaded.";
}
