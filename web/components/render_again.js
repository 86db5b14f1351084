/** Asks how a frame is to be rendered again: in its job, in whose place it comes, or as a job of its own beside it. */
import { api } from "../api.js";
import { el, icon } from "./element.js";

/** Resolves to the job that renders it, or to null when the person thinks better of it. */
export function askRenderAgain(job, frame) {
  const choice = (value, title, text) =>
    el(
      "button",
      { class: "choice", value },
      icon(value === "here" ? "again" : "compare"),
      el("span", {}, el("strong", {}, title), el("span", {}, text)),
    );
  const film = job.video ? " The video is made again with it." : "";
  const dialog = el(
    "dialog",
    { class: "confirm render-again", "aria-labelledby": "again-title" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "again-title" }, `Render frame ${frame} again`),
      el("p", {}, "A frame that is in is never changed behind your back. There are two ways to get another one:"),
      choice("here", "In its place", `The picture is dropped now, and this job renders the frame anew.${film}`),
      choice("beside", "Beside it, to compare", "A new job of this one frame, from the same files. This job stays as it is."),
      el("div", { class: "buttons" }, el("button", { class: "button", value: "", autofocus: true }, "Keep it")),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      carryOut(job, frame, dialog.returnValue).then(resolve, reject);
    });
  });
}

async function carryOut(job, frame, choice) {
  if (choice === "here") return api.requeueFrame(job.id, frame);
  if (choice === "beside") {
    const name = `${job.name}, frame ${frame} again`;
    return api.rerenderJob(job.id, { frames: String(frame), name: name.slice(0, 200), video: false, sound: false });
  }
  return null;
}
