/**
 * All frames of a job as cells of a canvas, coloured by state or by render time.  A change draws its cell anew and nothing
 * else, so that a job of 100,000 frames is as smooth as one of a hundred.
 *
 * For the keyboard and for screen readers it is a slider over the frames: arrows move, Enter opens, and what is under it
 * is said in words.
 */
import { addresses } from "../api.js";
import { number, plural, renderTime } from "../format.js";
import { FAILED, FINISHED } from "../job_frames.js";
import { links } from "../router.js";
import { el, setAttribute, setText } from "./element.js";
import { timeColour, TIME_STEPS } from "./time_scale.js";

const TALLEST_PX = 300;
const STRIP_PX = 34;
/** Fewer frames than this many pixels of width each are drawn as one strip. */
const STRIP_CELL_PX = 7;
const SIZES_PX = [24, 20, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1];
/** From this size on, cells have a gap between them. */
const GAP_FROM_PX = 4;
const CARD_PX = 176;
/** The thumbnail under the pointer is fetched when it has rested this long. */
const REST_MS = 60;
const COUNT_MS = 500;

export class FrameMap {
  #layout = null;
  #colours = null;
  #range = null;
  #place = 0;
  #card = null;
  #cardTimer = null;
  #countTimer = null;
  #mode = "state";
  #drawing = null;

  /**
   * @param {object} job
   * @param {import("../job_frames.js").JobFrames} frames
   * @param {(frame: number) => void} open shows a frame.
   */
  constructor(job, frames, open) {
    this.job = job;
    this.frames = frames;
    this.open = open;
    this.canvas = el("canvas", { "aria-hidden": true });
    this.cursor = el("span", { class: "map-cursor", hidden: true });
    this.surface = el(
      "div",
      { class: "map-surface", role: "slider", tabindex: 0, "aria-label": "Frame map", "aria-valuemin": frames.numbers[0] },
      this.canvas,
      this.cursor,
    );
    setAttribute(this.surface, "aria-valuemax", frames.numbers.at(-1));
    this.picture = el("img", { alt: "", width: 160, hidden: true });
    this.cardText = el("span", {});
    this.cardElement = el("div", { class: "map-card", hidden: true, "aria-hidden": true }, this.picture, this.cardText);
    this.legend = el("ul", { class: "map-legend" });
    this.modes = el(
      "div",
      { class: "segments", role: "group", "aria-label": "Colour the frames" },
      this.#modeButton("state", "By state"),
      this.#modeButton("time", "By render time"),
    );
    this.element = el(
      "section",
      { class: "frame-map", "aria-label": "All frames" },
      el("div", { class: "map-head" }, this.legend, this.modes),
      el("div", { class: "map-frame" }, this.surface, this.cardElement),
    );
    this.#listen();
  }

  #modeButton(mode, label) {
    const button = el("button", { type: "button", "aria-pressed": String(mode === this.#mode) }, label);
    button.addEventListener("click", () => {
      this.#mode = mode;
      for (const other of this.modes.children) setAttribute(other, "aria-pressed", String(other === button));
      this.draw();
    });
    return button;
  }

  #listen() {
    const stop = new AbortController();
    const options = { signal: stop.signal };
    this.frames.addEventListener("reset", () => this.#drawSoon(), options);
    this.frames.addEventListener("change", ({ detail }) => this.#drawCells(detail), options);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(), options);
    this.resizes = new ResizeObserver(() => this.#drawSoon());
    this.resizes.observe(this.surface);
    this.surface.addEventListener("pointermove", (event) => this.#point(event), options);
    this.surface.addEventListener("pointerleave", () => this.#hideCard(), options);
    this.surface.addEventListener("click", (event) => this.#openAt(this.#placeAt(event)), options);
    this.surface.addEventListener("keydown", (event) => this.#key(event), options);
    this.surface.addEventListener("focus", () => this.#moveTo(this.#place), options);
    this.surface.addEventListener("blur", () => this.#hideCard(), options);
    this.stop = stop;
  }

  close() {
    this.stop.abort();
    cancelAnimationFrame(this.#drawing);
    this.resizes.disconnect();
    clearTimeout(this.#cardTimer);
    clearTimeout(this.#countTimer);
  }

  #drawSoon() {
    this.#drawing ??= requestAnimationFrame(() => this.draw());
  }

  /** Measures and draws everything. */
  draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = null;
    const width = this.surface.clientWidth;
    if (width === 0) return;
    const { count } = this.frames;
    const layout = layoutOf(count, width);
    const ratio = window.devicePixelRatio || 1;
    const height = layout.rows * layout.height;
    this.#layout = { ...layout, ratio };
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.setProperty("height", `${height}px`);
    this.#colours = coloursOf(this.element);
    this.#range = this.frames.usualSeconds();
    const context = this.canvas.getContext("2d");
    if (layout.gap) for (let place = 0; place < count; place += 1) this.#drawCell(context, place);
    else this.#drawPixels(context);
    this.#showLegend();
    this.#say();
  }

  #drawCells(places) {
    if (this.#layout === null) return;
    const context = this.canvas.getContext("2d");
    for (const place of places) this.#drawCell(context, place);
    // Counting takes a look at every frame: now and then is enough.
    this.#countTimer ??= setTimeout(() => {
      this.#countTimer = null;
      this.#showLegend();
      this.#say();
    }, COUNT_MS);
  }

  /** Draws cells without gaps as what they are, a few pixels each: a hundred thousand rectangles take ten times as long. */
  #drawPixels(context) {
    const { columns, width, height, ratio } = this.#layout;
    const image = context.createImageData(this.canvas.width, this.canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const known = new Map();
    const edge = (cells, size) => Math.round(cells * size * ratio);
    for (let place = 0; place < this.frames.count; place += 1) {
      const colour = this.#colour(place);
      if (!known.has(colour)) known.set(colour, pixelOf(context, colour));
      const pixel = known.get(colour);
      const [column, row] = [place % columns, Math.floor(place / columns)];
      const [left, right] = [edge(column, width), edge(column + 1, width)];
      for (let y = edge(row, height); y < edge(row + 1, height); y += 1) {
        pixels.fill(pixel, y * image.width + left, y * image.width + right);
      }
    }
    context.putImageData(image, 0, 0);
  }

  #drawCell(context, place) {
    const { columns, width, height, ratio, gap } = this.#layout;
    const column = place % columns;
    const x = Math.round(column * width * ratio);
    const y = Math.round(Math.floor(place / columns) * height * ratio);
    const right = Math.round((column + 1) * width * ratio);
    const space = gap ? Math.max(1, Math.round(ratio)) : 0;
    context.fillStyle = this.#colour(place);
    context.fillRect(x, y, right - x - space, Math.round(height * ratio) - space);
  }

  #colour(place) {
    const colours = this.#colours;
    const state = this.frames.states[place];
    if (state === FAILED) return colours.failed;
    if (state === FINISHED) {
      if (this.#mode === "time") return this.#range ? timeColour(this.frames.seconds[place], this.#range) : colours.finished;
      return this.frames.doubtful.has(this.frames.numbers[place]) ? colours.doubtful : colours.finished;
    }
    return this.frames.rendering.has(this.frames.numbers[place]) ? colours.rendering : colours.pending;
  }

  #showLegend() {
    const { finished, failed, rendering, pending } = this.frames.counts();
    const item = (kind, text) => el("li", { "data-kind": kind }, text);
    const items = [];
    if (this.#mode === "time" && this.#range) {
      const [least, most] = this.#range;
      const ramp = el("span", { class: "time-ramp", role: "img", "aria-label": "from short to long" });
      for (let step = 0; step < TIME_STEPS; step += 2) {
        const part = el("span", {});
        part.style.setProperty("background", timeColour(least * (most / least) ** (step / (TIME_STEPS - 1)), this.#range));
        ramp.append(part);
      }
      items.push(el("li", {}, renderTime(least), ramp, renderTime(most)));
    } else {
      items.push(item("finished", `${number(finished)} finished`));
      if (this.frames.doubtful.size > 0) items.push(item("doubtful", `${number(this.frames.doubtful.size)} to look at`));
    }
    if (rendering > 0) items.push(item("rendering", `${number(rendering)} rendering`));
    if (failed > 0) items.push(item("failed", `${number(failed)} failed`));
    if (pending > 0) items.push(item("pending", `${number(pending)} to do`));
    this.legend.replaceChildren(...items);
  }

  #placeAt({ clientX, clientY }) {
    const { columns, width, height } = this.#layout;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.min(columns - 1, Math.max(0, Math.floor((clientX - box.left) / width)));
    const place = Math.floor((clientY - box.top) / height) * columns + column;
    return place >= 0 && place < this.frames.count ? place : null;
  }

  #point(event) {
    const place = this.#layout === null ? null : this.#placeAt(event);
    if (place === null) this.#hideCard();
    else this.#moveTo(place);
  }

  #openAt(place) {
    if (place !== null) this.open(this.frames.numbers[place]);
  }

  #key(event) {
    if (this.#layout === null) return;
    const { columns } = this.#layout;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const jumps = { PageUp: -10 * columns, PageDown: 10 * columns, Home: -Infinity, End: Infinity };
    const step = steps[event.key] ?? jumps[event.key];
    if (event.key === "Enter" || event.key === " ") this.#openAt(this.#place);
    else if (step === undefined) return;
    else this.#moveTo(Math.min(this.frames.count - 1, Math.max(0, this.#place + step)));
    event.preventDefault();
  }

  /** Puts the cursor and the card on a frame. */
  #moveTo(place) {
    if (this.#layout === null) return;
    this.#place = place;
    const { columns, width, height } = this.#layout;
    const x = (place % columns) * width;
    const y = Math.floor(place / columns) * height;
    this.cursor.hidden = false;
    this.cursor.style.setProperty("transform", `translate(${x - 2}px, ${y - 2}px)`);
    this.cursor.style.setProperty("width", `${Math.max(3, width) + 3}px`);
    this.cursor.style.setProperty("height", `${Math.max(3, height) + 3}px`);
    const left = Math.min(Math.max(0, x + width / 2 - CARD_PX / 2), Math.max(0, this.surface.clientWidth - CARD_PX));
    this.cardElement.style.setProperty("left", `${left}px`);
    this.cardElement.style.setProperty("bottom", `calc(100% - ${y - 8}px)`);
    this.cardElement.hidden = false;
    setText(this.cardText, frameWords(this.frames, place));
    this.#say();
    if (this.#card === place) return;
    this.#card = place;
    clearTimeout(this.#cardTimer);
    const version = this.frames.version(place);
    if (version === null) {
      this.picture.hidden = true;
      return;
    }
    this.#cardTimer = setTimeout(() => {
      this.picture.src = addresses.thumbnail(this.job, this.frames.numbers[place], version, 160);
      this.picture.hidden = false;
    }, REST_MS);
  }

  #hideCard() {
    if (this.surface.matches(":hover")) return;
    if (document.activeElement === this.surface && this.surface.matches(":focus-visible")) return;
    clearTimeout(this.#cardTimer);
    this.#card = null;
    this.cardElement.hidden = true;
    this.cursor.hidden = true;
  }

  #say() {
    setAttribute(this.surface, "aria-valuenow", this.frames.numbers[this.#place]);
    setAttribute(this.surface, "aria-valuetext", frameWords(this.frames, this.#place));
  }

  /** The address of the frame under the cursor. */
  get link() {
    return links.frame(this.job.id, this.frames.numbers[this.#place]);
  }
}

/** "Frame 12: finished, 1.5 s on studio-01". */
export function frameWords(frames, place) {
  const parts = [frames.stateName(place)];
  const seconds = frames.seconds[place];
  const agent = frames.agentName(place);
  if (!Number.isNaN(seconds)) parts.push(renderTime(seconds));
  const words = `Frame ${frames.numbers[place]}: ${parts.join(", ")}`;
  return agent === null ? words : `${words} on ${agent}`;
}

function layoutOf(count, width) {
  if (count * STRIP_CELL_PX <= width) return { columns: count, rows: 1, width: width / count, height: STRIP_PX, gap: true };
  for (const size of SIZES_PX) {
    const columns = Math.floor(width / size);
    const rows = Math.ceil(count / columns);
    if (rows * size <= TALLEST_PX || size === SIZES_PX.at(-1)) {
      const gap = size >= GAP_FROM_PX;
      // Cells that one sees as such fill the width; smaller ones are whole pixels.
      return { columns, rows, width: gap ? width / columns : size, height: size, gap };
    }
  }
  throw new Error("there is always a size");
}

function coloursOf(element) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    finished: colour("--map-finished"),
    failed: colour("--map-failed"),
    rendering: colour("--map-rendering"),
    doubtful: colour("--map-doubtful"),
    pending: colour("--map-pending"),
  };
}

/** A colour of CSS as a pixel of an image. */
function pixelOf(context, colour) {
  context.fillStyle = colour;
  // Read back, it is #rrggbb.
  const value = parseInt(context.fillStyle.slice(1), 16);
  const bytes = new Uint8ClampedArray([value >> 16, (value >> 8) & 255, value & 255, 255]);
  return new Uint32Array(bytes.buffer)[0];
}

/** What the map shows, in a sentence. */
export function mapSummary(frames) {
  const { finished, failed, rendering, pending } = frames.counts();
  return `${plural(frames.count, "frame", "frames")}: ${finished} finished, ${rendering} rendering, ${failed} failed, ${pending} to do`;
}
