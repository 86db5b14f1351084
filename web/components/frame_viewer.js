/** One frame, large, over its job's page: arrow keys go to its neighbours, Escape goes back. */
import { addresses } from "../api.js";
import { links } from "../router.js";
import { el, icon, setAttribute, setText } from "./element.js";
import { frameDetails } from "./frame_details.js";
import { askRenderAgain } from "./render_again.js";
import { ZoomStage } from "./zoom_stage.js";

/** Formats that browsers show; of the others there is what Blender's own view of them was written as. */
const BROWSER_FORMATS = new Set(["PNG", "JPEG"]);

/**
 * @param {object} parts
 * @param {import("../job_frames.js").JobFrames} parts.frames
 * @param {(frame: number | null) => void} parts.go to another frame, or back to the job (null).
 * @param {(work: () => Promise<void>) => void} parts.guard runs work and shows its errors.
 */
export function frameViewer({ job, frames, guard, go }) {
  const title = el("h2", { id: "viewer-title", tabindex: -1 });
  const stage = new ZoomStage("The frame's picture");
  const missing = el("p", { class: "viewer-missing", hidden: true });
  const details = frameDetails(job, guard, (name) => {
    layer = name;
    showPicture(frames.versionOf(frame));
  });
  // Where there is little room, the icons stand alone.
  const labelled = (tag, name, label, attributes) =>
    el(tag, { class: "button", "aria-label": label, title: label, ...attributes }, icon(name), el("span", {}, label));
  const download = labelled("a", "download", "Download", { download: true });
  const compare = labelled("a", "compare", "Compare", {});
  const again = labelled("button", "again", "Render again", { type: "button" });
  const button = (name, label, action) => {
    const made = el("button", { class: "icon-button", type: "button", "aria-label": label, title: label }, icon(name));
    made.addEventListener("click", action);
    return made;
  };
  const back = button("back", "Frame before", () => step(-1));
  const forward = button("forward", "Frame after", () => step(1));
  const about = button("info", "About this frame", () => dialog.classList.toggle("with-details"));
  const close = button("close", "Close", () => dialog.close());
  const dialog = el(
    "dialog",
    { class: "viewer with-details", "aria-labelledby": "viewer-title" },
    el(
      "header",
      {},
      el("span", { class: "viewer-place" }, back, title, forward),
      stage.controls,
      el("span", { class: "viewer-buttons" }, again, compare, download, about, close),
    ),
    el("div", { class: "viewer-body" }, el("div", { class: "viewer-stage" }, stage.element, missing), details.element),
  );
  let frame = null;
  let shown = null;
  /** The layer or pass of its file that is looked at, from frame to frame; null: the picture as it is. */
  let layer = null;

  function step(direction) {
    const other = frames.neighbour(frame, direction);
    if (other !== null) go(other);
  }

  /** Shows the preview at once, and the frame in full size over it as soon as it is there. */
  function showPicture(version) {
    shown = `${frame} ${version}`;
    const current = `${shown} ${layer}`;
    stage.element.hidden = version === null;
    missing.hidden = version !== null;
    stage.controls.hidden = version === null;
    if (version === null) {
      const hasFailed = frames.stateName(frames.place(frame)) === "failed";
      setText(missing, hasFailed ? "No agent could render this frame." : "This frame is not rendered yet.");
      // Why, is what one wants to know.
      if (hasFailed) dialog.classList.add("with-details");
      return;
    }
    if (layer !== null) {
      showLayer(version);
      return;
    }
    const words = `Frame ${frame} of ${job.name}`;
    stage.show(addresses.preview(job, frame, version), words);
    const isShown = BROWSER_FORMATS.has(job.output.format);
    if (!isShown && !job.output.display) return;
    const whole = new Image();
    whole.src = (isShown ? addresses.output : addresses.display)(job, frame, version);
    whole.decode().then(
      () => {
        if (`${shown} ${layer}` === current) stage.show(whole.src, words);
      },
      () => {}, // The preview stays: a 16-bit or damaged file is no reason to show nothing.
    );
  }

  /** Shows a layer of the file; where this frame's has none of that name, it is told. */
  function showLayer(version) {
    const current = `${shown} ${layer}`;
    const picture = new Image();
    picture.src = addresses.layer(job, frame, version, layer);
    stage.element.dataset.waiting = "true";
    picture
      .decode()
      .then(
        () => `${shown} ${layer}` === current && stage.show(picture.src, `${layer} of frame ${frame}`),
        () => {
          if (`${shown} ${layer}` !== current) return;
          stage.element.hidden = true;
          missing.hidden = false;
          setText(missing, `${layer} cannot be shown of this frame.`);
        },
      )
      .finally(() => delete stage.element.dataset.waiting);
  }

  async function renderAgain() {
    const made = await askRenderAgain(job, frame);
    if (made !== null && made.id !== job.id) {
      // Closed without going back to this job.
      frame = null;
      dialog.close();
      location.hash = links.job(made.id);
    }
  }

  again.addEventListener("click", () => guard(renderAgain));
  dialog.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select")) return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    if (frame !== null) go(null);
  });
  if (matchMedia("(max-width: 900px)").matches) dialog.classList.remove("with-details");

  const viewer = {
    element: dialog,
    /** Shows a frame, or with null closes. */
    show(next) {
      if (next === frame) return;
      frame = next;
      shown = null;
      if (next === null) {
        dialog.close();
        return;
      }
      stage.fit();
      viewer.update();
      if (dialog.open) return;
      dialog.showModal();
      title.focus();
    },
    /** Takes over what has become known since. */
    update() {
      if (frame === null || !frames.loaded) return;
      const version = frames.versionOf(frame);
      setText(title, `Frame ${frame}`);
      setAttribute(back, "disabled", frames.neighbour(frame, -1) === null);
      setAttribute(forward, "disabled", frames.neighbour(frame, 1) === null);
      const place = frames.place(frame);
      const look = `${frame} ${version}`;
      if (shown === look && version !== null) return;
      download.hidden = version === null;
      compare.hidden = version === null;
      again.hidden = place === null || frames.states[place] === 0;
      if (version !== null) download.href = addresses.output(job, frame, version);
      compare.href = links.compare({ job: job.id, frame }, null);
      showPicture(version);
      details.show(frame, place === null ? "" : `${frames.states[place]} ${version}`);
    },
    close() {
      viewer.show(null);
    },
  };
  frames.addEventListener("reset", () => viewer.update());
  frames.addEventListener("change", ({ detail }) => {
    if (frame !== null && detail.includes(frames.place(frame))) viewer.update();
  });
  return viewer;
}
