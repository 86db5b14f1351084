/** Render times: a dot for each finished frame, coloured by who rendered it, and the agents in a table beside it. */
import { duration, number, renderTime } from "../format.js";
import { FAILED, FINISHED } from "../job_frames.js";
import { el, setAttribute } from "./element.js";
import { DISTINCT } from "./time_scale.js";

const HEIGHT_PX = 240;
const LEFT_PX = 58;
const BOTTOM_PX = 24;
const TOP_PX = 8;
const REDRAW_MS = 1000;
const LISTED = 50;

export class FrameTimes {
  #chosen = null;
  #timer = null;

  /**
   * @param {import("../job_frames.js").JobFrames} frames
   * @param {(frame: number) => void} open shows a frame.
   */
  constructor(frames, open) {
    this.frames = frames;
    this.canvas = el("canvas", { role: "img", "aria-label": "Render time of each frame; the table below has it in numbers" });
    this.words = el("p", { class: "plot-words", role: "status" });
    this.rows = el("tbody", {});
    this.table = el(
      "table",
      { class: "plain-table" },
      el("caption", { class: "visually-hidden" }, "Render times by agent"),
      el("thead", {}, el("tr", {}, ...["Agent", "Frames", "Usual time", "Together"].map((name) => el("th", { scope: "col" }, name)))),
      this.rows,
    );
    this.empty = el("p", { class: "summary" }, "There will be times here when the first frames are rendered.");
    this.element = el("section", { class: "panel frame-times" }, el("h2", {}, "Time for each frame"), this.empty, this.canvas, this.words, this.table);
    this.canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.canvas.addEventListener("click", (event) => {
      const place = this.#placeAt(event);
      if (place !== null) open(frames.numbers[place]);
    });
    this.stop = new AbortController();
    frames.addEventListener("reset", () => this.draw(), { signal: this.stop.signal });
    frames.addEventListener("change", () => this.#soon(), { signal: this.stop.signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(), { signal: this.stop.signal });
    this.resizes = new ResizeObserver(() => this.draw());
    this.resizes.observe(this.element);
  }

  close() {
    this.stop.abort();
    this.resizes.disconnect();
    clearTimeout(this.#timer);
  }

  #soon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.draw();
    }, REDRAW_MS);
  }

  draw() {
    if (!this.element.isConnected) return;
    const range = this.frames.usualSeconds();
    this.empty.hidden = range !== null;
    this.canvas.hidden = this.words.hidden = this.table.hidden = range === null;
    if (range === null) return;
    const ratio = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(HEIGHT_PX * ratio);
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const most = niceAbove(Math.max(...this.#longest()));
    this.#axes(context, width, most);
    this.#dots(context, width, most);
    this.#list();
  }

  #longest() {
    let longest = 0;
    for (const seconds of this.frames.seconds) if (seconds > longest) longest = seconds;
    return [longest, 0.1];
  }

  #axes(context, width, most) {
    const style = getComputedStyle(this.element);
    context.fillStyle = style.getPropertyValue("--muted");
    context.font = `12px ${style.fontFamily}`;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let line = 0; line <= 4; line += 1) {
      const y = this.#y((most * line) / 4, most);
      context.fillText(line === 0 ? "0" : renderTime((most * line) / 4), LEFT_PX - 10, y);
      context.save();
      context.fillStyle = style.getPropertyValue("--line");
      context.fillRect(LEFT_PX, Math.round(y), width - LEFT_PX, 1);
      context.restore();
    }
    const { numbers } = this.frames;
    context.textBaseline = "bottom";
    context.textAlign = "left";
    context.fillText(String(numbers[0]), LEFT_PX, HEIGHT_PX);
    context.textAlign = "right";
    context.fillText(String(numbers.at(-1)), width, HEIGHT_PX);
  }

  #y(seconds, most) {
    return TOP_PX + (HEIGHT_PX - TOP_PX - BOTTOM_PX) * (1 - seconds / most);
  }

  #dots(context, width, most) {
    const { count, seconds, states, agents } = this.frames;
    const size = count > 4000 ? 1.5 : count > 600 ? 2.5 : 4;
    const step = (width - LEFT_PX) / count;
    const bad = getComputedStyle(this.element).getPropertyValue("--map-failed");
    // All dots of one colour together: changing it is what takes time.
    for (let agent = 0; agent < Math.max(1, this.frames.agentNames.length); agent += 1) {
      context.fillStyle = DISTINCT[agent % DISTINCT.length];
      context.globalAlpha = this.#chosen === null || this.#chosen === agent ? 1 : 0.12;
      for (let place = 0; place < count; place += 1) {
        if (agents[place] !== agent || states[place] !== FINISHED) continue;
        context.fillRect(LEFT_PX + (place + 0.5) * step - size / 2, this.#y(seconds[place], most) - size / 2, size, size);
      }
    }
    context.globalAlpha = 1;
    context.fillStyle = bad;
    for (let place = 0; place < count; place += 1) {
      if (states[place] === FAILED) context.fillRect(LEFT_PX + (place + 0.5) * step - 1, HEIGHT_PX - BOTTOM_PX, 2, 5);
    }
  }

  #placeAt({ clientX }) {
    const { left, width } = this.canvas.getBoundingClientRect();
    const share = (clientX - left - LEFT_PX) / (width - LEFT_PX);
    return share < 0 || share >= 1 ? null : Math.floor(share * this.frames.count);
  }

  #point(event) {
    const place = this.#placeAt(event);
    if (place === null) return;
    const seconds = this.frames.seconds[place];
    const agent = this.frames.agentName(place);
    const what = Number.isNaN(seconds) ? this.frames.stateName(place) : `${renderTime(seconds)}${agent === null ? "" : ` on ${agent}`}`;
    this.words.textContent = `Frame ${this.frames.numbers[place]}: ${what}`;
  }

  #list() {
    const sums = this.frames.agentNames.map((name, agent) => ({ name, agent, times: [] }));
    for (let place = 0; place < this.frames.count; place += 1) {
      if (this.frames.states[place] === FINISHED) sums[this.frames.agents[place]]?.times.push(this.frames.seconds[place]);
    }
    const rows = sums
      .filter(({ times }) => times.length > 0)
      .map(({ name, agent, times }) => {
        times.sort((a, b) => a - b);
        return { name, agent, count: times.length, usual: times[times.length >> 1], sum: times.reduce((sum, time) => sum + time, 0) };
      })
      .sort((a, b) => b.sum - a.sum);
    this.rows.replaceChildren(...rows.slice(0, LISTED).map((row) => this.#row(row)));
  }

  #row({ name, agent, count, usual, sum }) {
    const swatch = el("span", { class: "swatch" });
    swatch.style.setProperty("background", DISTINCT[agent % DISTINCT.length]);
    const button = el("button", { class: "row-button", type: "button", "aria-pressed": String(this.#chosen === agent) }, swatch, name);
    button.addEventListener("click", () => {
      this.#chosen = this.#chosen === agent ? null : agent;
      this.draw();
      [...this.rows.querySelectorAll("button")].find((other) => other.textContent === name)?.focus();
    });
    setAttribute(button, "title", "Show this agent’s frames alone");
    return el("tr", {}, el("th", { scope: "row" }, button), el("td", {}, number(count)), el("td", {}, renderTime(usual)), el("td", {}, duration(sum)));
  }
}

/** The next number above that people like to read: 1, 2, 5, 10… */
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((factor) => factor * power).find((nice) => nice >= value);
}
