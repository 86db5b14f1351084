/**
 * All frames of a job as a sheet of thumbnails that fills while it renders.  Only the rows in sight are in the page, so
 * that a job of a hundred thousand frames is as light as one of ten.
 */
import { addresses } from "../api.js";
import { links } from "../router.js";
import { el, icon, setAttribute } from "./element.js";
import { KeyedList } from "./keyed_list.js";

const LEAST_CELL_PX = 148;
const LEAST_CELL_PHONE_PX = 96;
const PHONE_PX = 560;
const GAP_PX = 10;
const CAPTION_PX = 24;
const ROWS_OUT_OF_SIGHT = 2;
const THUMBNAIL_PX = 320;
/** Pictures narrower or wider than this are shown within it, so that a cell stays a cell. */
const ASPECT_LIMITS = [0.6, 2.4];
/** Browsers cannot scroll through elements that are higher. */
const TALLEST_PX = 15_000_000;

export class ContactSheet {
  #drawRequested = false;
  #layout = null;
  #shown = { first: 0, end: Infinity };

  /**
   * @param {object} job
   * @param {import("../job_frames.js").JobFrames} frames
   * @param {number} aspect width / height of a picture.
   */
  constructor(job, frames, aspect) {
    this.job = job;
    this.frames = frames;
    this.aspect = Math.min(ASPECT_LIMITS[1], Math.max(ASPECT_LIMITS[0], aspect));
    this.element = el("ul", { class: "sheet", "aria-label": "Frames" });
    this.list = new KeyedList(this.element, () => this.#cell());
    this.stop = new AbortController();
    const options = { signal: this.stop.signal };
    const redraw = () => this.#requestDraw();
    this.resizes = new ResizeObserver(() => {
      this.#layout = null;
      redraw();
    });
    this.resizes.observe(this.element);
    frames.addEventListener("reset", redraw, options);
    frames.addEventListener("change", ({ detail }) => detail.some((place) => this.#inSight(place)) && redraw(), options);
    window.addEventListener("scroll", redraw, { passive: true, ...options });
    window.addEventListener("resize", redraw, { passive: true, ...options });
  }

  close() {
    this.resizes.disconnect();
    this.stop.abort();
  }

  #inSight(place) {
    return place >= this.#shown.first && place < this.#shown.end;
  }

  #requestDraw() {
    if (this.#drawRequested) return;
    this.#drawRequested = true;
    requestAnimationFrame(() => {
      this.#drawRequested = false;
      if (this.element.isConnected) this.#draw();
    });
  }

  #measure() {
    const width = this.element.clientWidth;
    const least = width < PHONE_PX ? LEAST_CELL_PHONE_PX : LEAST_CELL_PX;
    const columns = Math.max(1, Math.floor((width + GAP_PX) / (least + GAP_PX)));
    const cellWidth = (width - GAP_PX * (columns - 1)) / columns;
    const pictureHeight = Math.round(cellWidth / this.aspect);
    const rowHeight = pictureHeight + CAPTION_PX + GAP_PX;
    const rows = Math.min(Math.ceil(this.frames.count / columns), Math.floor(TALLEST_PX / rowHeight));
    this.element.style.setProperty("height", `${rows * rowHeight}px`);
    this.element.style.setProperty("--picture-height", `${pictureHeight}px`);
    this.element.style.setProperty("--cell-width", `${cellWidth}px`);
    this.#layout = { columns, cellWidth, rowHeight, rows };
  }

  #draw() {
    if (!this.#layout) this.#measure();
    const { columns, rowHeight, rows } = this.#layout;
    const top = -this.element.getBoundingClientRect().top;
    // Some rows are there even when the sheet is out of sight, for those who come to it by the keyboard.
    const inSight = (y) => Math.min(rows - 1, Math.max(0, Math.floor(y / rowHeight)));
    const firstRow = Math.max(0, inSight(top) - ROWS_OUT_OF_SIGHT);
    const lastRow = Math.min(rows - 1, inSight(top + window.innerHeight) + ROWS_OUT_OF_SIGHT);
    const indices = [];
    const end = Math.min(this.frames.count, (lastRow + 1) * columns);
    this.#shown = { first: firstRow * columns, end };
    for (let index = firstRow * columns; index < end; index += 1) indices.push(index);
    this.list.update(indices, (index) => index);
  }

  #cell() {
    const picture = el("span", { class: "cell-picture" });
    const caption = el("span", { class: "cell-caption" });
    const link = el("a", { class: "cell-link" }, picture, caption);
    const element = el("li", { class: "cell", "aria-setsize": this.frames.count }, link);
    let shown = null;
    return {
      element,
      update: (index) => {
        const frame = this.frames.numbers[index];
        const { columns, cellWidth, rowHeight } = this.#layout;
        const x = (index % columns) * (cellWidth + GAP_PX);
        const y = Math.floor(index / columns) * rowHeight;
        element.style.setProperty("transform", `translate(${x}px, ${y}px)`);
        setAttribute(element, "aria-posinset", index + 1);
        const state = this.frames.stateName(index);
        if (state === "rendering") picture.style.setProperty("--progress", String(this.frames.rendering.get(frame)));
        const version = this.frames.version(index);
        const look = `${state} ${version}`;
        if (look === shown) return;
        shown = look;
        element.dataset.state = state;
        caption.replaceChildren(String(frame), el("span", { class: "visually-hidden" }, ` ${state}`));
        setAttribute(link, "href", state === "pending" ? null : links.frame(this.job.id, frame));
        picture.replaceChildren(...this.#picture(frame, state, version));
      },
      // A picture that scrolled away before it came is not worth its download.
      close: () => picture.querySelector("img")?.removeAttribute("src"),
    };
  }

  #picture(frame, state, version) {
    if (state === "finished") {
      return [el("img", { src: addresses.thumbnail(this.job, frame, version, THUMBNAIL_PX), alt: "", decoding: "async" })];
    }
    return state === "failed" ? [icon("failed")] : [];
  }
}
