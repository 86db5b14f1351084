/** One frame, large, over its job's page: arrow keys go to its neighbours, Escape goes back. */
import { addresses } from "../api.js";
import { bytes, dateTime, renderTime } from "../format.js";
import { el, icon, setAttribute, setText } from "./element.js";

/** Formats that browsers show; of the others the preview is all there is to see. */
const BROWSER_FORMATS = new Set(["PNG", "JPEG"]);

/**
 * @param {(frame: number) => object | null} record what is known of a frame.
 * @param {(frame: number) => void} want has a frame's record fetched; `update` is called when it has come.
 * @param {(frame: number, direction: number) => number | null} neighbour
 * @param {(frame: number | null) => void} go to another frame, or back to the job (null).
 */
export function frameViewer({ job, record, want, neighbour, go }) {
  const image = el("img", { class: "viewer-image" });
  const title = el("h2", { id: "viewer-title", tabindex: -1 });
  const facts = el("p", { class: "viewer-facts" });
  const download = el("a", { class: "button", download: true }, icon("download"), "Download");
  const button = (name, label, action) => {
    const made = el("button", { class: "icon-button", type: "button", "aria-label": label, title: label }, icon(name));
    made.addEventListener("click", action);
    return made;
  };
  const back = button("back", "Frame before", () => step(-1));
  const forward = button("forward", "Frame after", () => step(1));
  const close = button("close", "Close", () => dialog.close());
  const dialog = el(
    "dialog",
    { class: "viewer", "aria-labelledby": "viewer-title" },
    el("header", {}, title, facts, el("span", { class: "viewer-buttons" }, back, forward, download, close)),
    el("div", { class: "viewer-stage" }, image),
  );
  let frame = null;

  function step(direction) {
    const other = neighbour(frame, direction);
    if (other !== null) go(other);
  }

  /** Shows the preview at once, and the frame's own file over it as soon as it is there. */
  function showPicture() {
    const current = frame;
    image.src = addresses.preview(job, frame, record(frame));
    image.alt = `Frame ${frame} of ${job.name}`;
    if (!BROWSER_FORMATS.has(job.output.format)) return;
    const whole = new Image();
    whole.src = addresses.output(job, frame, record(frame));
    whole.decode().then(
      () => {
        if (frame === current) image.src = whole.src;
      },
      () => {}, // The preview stays: a 16-bit or damaged file is no reason to show nothing.
    );
  }

  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    if (frame !== null) go(null);
  });

  return {
    element: dialog,
    /** Shows a frame, or with null closes. */
    show(next) {
      if (next === frame) return;
      frame = next;
      if (next === null) {
        dialog.close();
        return;
      }
      showPicture();
      download.href = addresses.output(job, next, record(next));
      setText(title, `Frame ${next}`);
      this.update();
      want(next);
      if (dialog.open) return;
      dialog.showModal();
      title.focus();
    },
    /** Takes over what has become known since. */
    update() {
      if (frame === null) return;
      setText(facts, factsText(record(frame)));
      setAttribute(back, "disabled", neighbour(frame, -1) === null);
      setAttribute(forward, "disabled", neighbour(frame, 1) === null);
    },
  };
}

function factsText(record) {
  if (!record?.finished_at) return "";
  const parts = [record.filename, bytes(record.size), `rendered in ${renderTime(record.seconds)}`];
  if (record.agent) parts.push(`on ${record.agent}`);
  if (record.peak_memory_bytes !== null) parts.push(`${bytes(record.peak_memory_bytes)} of memory`);
  if (record.attempts > 1) parts.push(`${record.attempts} attempts`);
  parts.push(dateTime(record.finished_at));
  if (record.doubt) parts.push(record.doubt);
  return parts.join(" · ");
}
