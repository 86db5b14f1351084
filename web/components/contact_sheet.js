/**
 * All frames of a job as a sheet of previews that fills while it renders.  Only the rows in sight are in the page, and
 * records are fetched as far as one has scrolled, so that a job of ten thousand frames is as light as one of ten.
 */
import { addresses, api } from "../api.js";
import { placeOf } from "../frame_range.js";
import { links } from "../router.js";
import { el, icon, setAttribute } from "./element.js";
import { KeyedList } from "./keyed_list.js";

const LEAST_CELL_PX = 148;
const LEAST_CELL_PHONE_PX = 96;
const PHONE_PX = 560;
const GAP_PX = 10;
const CAPTION_PX = 24;
const ROWS_OUT_OF_SIGHT = 2;
/** Pictures narrower or wider than this are shown within it, so that a cell stays a cell. */
const ASPECT_LIMITS = [0.6, 2.4];

export class ContactSheet {
  #records = new Map();
  #rendering = new Map();
  /** Frames that ended while records were fetched: what comes may be older. */
  #overtaken = new Set();
  #cursor = null;
  #complete = false;
  #loadedUpTo = -Infinity;
  #loading = false;
  #stale = false;
  #wanted = -Infinity;
  #drawRequested = false;
  #layout = null;

  /**
   * `element` fires `records` whenever a page of records has come.
   *
   * @param {object} job
   * @param {Int32Array} frames ascending.
   * @param {number} aspect width / height of a picture.
   * @param {(work: () => Promise<void>) => void} guard runs work and shows its errors.
   */
  constructor(job, frames, aspect, guard) {
    this.job = job;
    this.frames = frames;
    this.aspect = Math.min(ASPECT_LIMITS[1], Math.max(ASPECT_LIMITS[0], aspect));
    this.guard = guard;
    this.element = el("ul", { class: "sheet", "aria-label": "Frames" });
    this.list = new KeyedList(this.element, () => this.#cell());
    this.onScroll = () => this.#requestDraw();
    this.resizes = new ResizeObserver(() => {
      this.#layout = null;
      this.#requestDraw();
    });
    this.resizes.observe(this.element);
    window.addEventListener("scroll", this.onScroll, { passive: true });
    window.addEventListener("resize", this.onScroll, { passive: true });
  }

  close() {
    this.resizes.disconnect();
    window.removeEventListener("scroll", this.onScroll);
    window.removeEventListener("resize", this.onScroll);
  }

  /** Fetches the records anew, as far as they are in sight; those known stay until then. */
  refresh() {
    this.#stale = true;
    this.#requestDraw();
  }

  /** A frame has ended: shows it before its record is fetched. */
  mark(frame, state) {
    this.#overtaken.add(frame);
    if (this.#records.get(frame)?.state === state) return;
    this.#records.set(frame, { frame, state });
    this.#requestDraw();
  }

  /** Frames that slots are rendering: a map from frame to its progress, 0–1. */
  setRendering(frames) {
    this.#rendering = frames;
    this.#requestDraw();
  }

  /** What is known of a frame; only `frame` and `state` when its page was not fetched since it ended. */
  record(frame) {
    return this.#records.get(frame) ?? null;
  }

  /** Sees to it that the record of a frame is fetched, in sight or not. */
  want(frame) {
    this.#wanted = frame;
    if (this.#loadedUpTo >= frame && !this.#records.get(frame)?.finished_at) this.#stale = true;
    this.#requestDraw();
  }

  /** The finished frame before (-1) or after (1) a frame, or null. */
  neighbour(frame, direction) {
    let place = placeOf(this.frames, frame) + direction;
    while (place >= 0 && place < this.frames.length) {
      if (this.#records.get(this.frames[place])?.state === "finished") return this.frames[place];
      place += direction;
    }
    return null;
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
    const rows = Math.ceil(this.frames.length / columns);
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
    const end = Math.min(this.frames.length, (lastRow + 1) * columns);
    for (let index = firstRow * columns; index < end; index += 1) indices.push(index);
    this.list.update(indices, (index) => index);
    const last = indices.length > 0 ? this.frames[indices.at(-1)] : -Infinity;
    this.guard(() => this.#ensure(Math.max(last, this.#wanted)));
  }

  /** Fetches pages of records, in order, until `frame` is among them. */
  async #ensure(frame) {
    if (this.#loading) return;
    if (this.#stale) {
      this.#stale = false;
      this.#cursor = null;
      this.#complete = false;
      this.#loadedUpTo = -Infinity;
    }
    if (this.#complete || this.#loadedUpTo >= frame) return;
    this.#loading = true;
    this.#overtaken.clear();
    try {
      const page = await api.frames(this.job.id, this.#cursor);
      const end = page.next === null ? Infinity : page.items.at(-1).frame;
      this.#forget(this.#loadedUpTo, end);
      for (const record of page.items) this.#records.set(record.frame, record);
      this.#cursor = page.next;
      this.#complete = page.next === null;
      this.#loadedUpTo = page.items.at(-1)?.frame ?? this.#loadedUpTo;
    } finally {
      this.#loading = false;
    }
    this.element.dispatchEvent(new Event("records"));
    this.#requestDraw();
  }

  /** Frames after `first` and up to `last` were opened again unless they come with the records fetched, or came since. */
  #forget(first, last) {
    for (const frame of this.#records.keys()) {
      if (frame > first && frame <= last && !this.#overtaken.has(frame)) this.#records.delete(frame);
    }
  }

  #cell() {
    const picture = el("span", { class: "cell-picture" });
    const caption = el("span", { class: "cell-caption" });
    const link = el("a", { class: "cell-link" }, picture, caption);
    const element = el("li", { class: "cell", "aria-setsize": this.frames.length }, link);
    let shown = null;
    let file = null;
    return {
      element,
      update: (index) => {
        const frame = this.frames[index];
        const { columns, cellWidth, rowHeight } = this.#layout;
        const x = (index % columns) * (cellWidth + GAP_PX);
        const y = Math.floor(index / columns) * rowHeight;
        element.style.setProperty("transform", `translate(${x}px, ${y}px)`);
        setAttribute(element, "aria-posinset", index + 1);
        const progress = this.#rendering.get(frame);
        const record = this.#records.get(frame);
        const state = record?.state ?? (progress === undefined ? "pending" : "rendering");
        if (state === "rendering") picture.style.setProperty("--progress", String(progress));
        const sha256 = record?.sha256 ?? null;
        // A frame just finished is shown before its record tells which file that is; rendered again, it is another one.
        const isAnother = file !== null && sha256 !== null && sha256 !== file;
        if (state !== "finished" || isAnother || file === null) file = sha256;
        if (state === shown && !isAnother) return;
        shown = state;
        element.dataset.state = state;
        caption.replaceChildren(String(frame), el("span", { class: "visually-hidden" }, ` ${state}`));
        setAttribute(link, "href", state === "finished" ? links.frame(this.job.id, frame) : null);
        picture.replaceChildren(...this.#picture(frame, state));
      },
      // A picture that scrolled away before it came is not worth its download.
      close: () => picture.querySelector("img")?.removeAttribute("src"),
    };
  }

  #picture(frame, state) {
    if (state === "finished") {
      const src = addresses.preview(this.job, frame, this.record(frame));
      return [el("img", { src, alt: "", decoding: "async" })];
    }
    return state === "failed" ? [icon("failed")] : [];
  }
}
