/**
 * A picture that is zoomed and moved: wheel and pinch zoom where they point, dragging moves, a double click goes between
 * the whole picture and its own pixels; + − 0 1 and the arrows do the same by the keyboard.
 *
 * Several stages may share one view, as when pictures are compared: each fires `view` when its person has moved it.
 */
import { el, icon, setText } from "./element.js";

const MOST = 32;
const STEP = 1.25;
const KEY_PX = 80;

export class ZoomStage extends EventTarget {
  /** Of the picture as it fits, and how far its middle is from the stage's, in picture widths and heights. */
  #view = { scale: 1, x: 0, y: 0 };
  #pointers = new Map();

  constructor(label) {
    super();
    this.image = el("img", { class: "zoom-image", draggable: "false", alt: "" });
    this.element = el("div", { class: "zoom-stage", tabindex: 0, role: "group", "aria-label": label }, this.image);
    this.percent = el("span", { class: "zoom-percent" });
    const button = (name, title, action) => {
      const made = el("button", { class: "icon-button", type: "button", "aria-label": title, title }, icon(name));
      made.addEventListener("click", action);
      return made;
    };
    this.controls = el(
      "div",
      { class: "zoom-controls", role: "group", "aria-label": "Zoom" },
      button("minus", "Zoom out (−)", () => this.zoom(1 / STEP)),
      this.percent,
      button("plus", "Zoom in (+)", () => this.zoom(STEP)),
      button("fit", "Whole picture (0)", () => this.fit()),
      button("actual", "Its own pixels (1)", () => this.actual()),
    );
    const on = (name, listener, options) => this.element.addEventListener(name, listener, options);
    on("wheel", (event) => this.#wheel(event), { passive: false });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) on(name, (event) => this.#pointers.delete(event.pointerId));
    on("dblclick", (event) => (this.#view.scale > 1.01 ? this.fit() : this.actual(event)));
    on("keydown", (event) => this.#key(event));
    this.image.addEventListener("load", () => this.#apply());
    new ResizeObserver(() => this.#apply()).observe(this.element);
  }

  get view() {
    return { ...this.#view };
  }

  /** Takes over the view of another stage. */
  set view(view) {
    this.#view = { ...view };
    this.#apply();
  }

  get zoomed() {
    return this.#view.scale > 1.01;
  }

  show(address, description) {
    this.image.src = address;
    this.image.alt = description;
  }

  fit() {
    this.#set({ scale: 1, x: 0, y: 0 });
  }

  /** Shows the picture's own pixels, one for one, around a place. */
  actual(event = null) {
    const scale = this.#fitted().natural;
    if (scale > 0) this.zoom(scale / this.#view.scale, event);
  }

  /** Zooms by a factor, around a place of the screen or the middle. */
  zoom(factor, event = null) {
    const { scale, x, y } = this.#view;
    const next = Math.min(MOST, Math.max(1, scale * factor));
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const size = this.#fitted();
    const px = event === null ? 0 : (event.clientX - left - width / 2) / size.width;
    const py = event === null ? 0 : (event.clientY - top - height / 2) / size.height;
    const change = next / scale;
    this.#set({ scale: next, x: px - (px - x) * change, y: py - (py - y) * change });
  }

  /** Moves by pixels of the screen. */
  pan(dx, dy) {
    const size = this.#fitted();
    this.#set({ ...this.#view, x: this.#view.x + dx / size.width, y: this.#view.y + dy / size.height });
  }

  #set({ scale, x, y }) {
    // No farther than the picture's edge in the middle.
    const limit = scale <= 1 ? 0 : scale / 2;
    const within = (value) => Math.min(limit, Math.max(-limit, value));
    this.#view = { scale, x: within(x), y: within(y) };
    this.#apply();
    this.dispatchEvent(new Event("view"));
  }

  /** The picture's size on the screen when all of it is shown, and how many times that its own pixels are. */
  #fitted() {
    const { clientWidth, clientHeight } = this.element;
    const { naturalWidth, naturalHeight } = this.image;
    if (naturalWidth === 0 || clientWidth === 0) return { width: clientWidth || 1, height: clientHeight || 1, natural: 0 };
    const share = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight);
    const ratio = window.devicePixelRatio || 1;
    return { width: naturalWidth * share, height: naturalHeight * share, natural: 1 / (share * ratio) };
  }

  #apply() {
    const { scale, x, y } = this.#view;
    const size = this.#fitted();
    this.image.style.setProperty("transform", `translate(${x * size.width}px, ${y * size.height}px) scale(${scale})`);
    this.element.classList.toggle("is-zoomed", this.zoomed);
    this.element.classList.toggle("is-close", size.natural > 0 && scale / size.natural >= 2);
    setText(this.percent, size.natural > 0 ? `${Math.round((100 * scale) / size.natural)} %` : "");
  }

  #wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), event);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.element.setPointerCapture(event.pointerId);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, now);
    if (!other) {
      this.pan(now.x - before.x, now.y - before.y);
      return;
    }
    const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
    if (distance(before) > 0) this.zoom(distance(now) / distance(before), middle);
    this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") this.actual();
    // Of a whole picture the arrows are for whoever shows it: they go to the next frame.
    else if (move && this.zoomed) this.pan(move[0] * KEY_PX, move[1] * KEY_PX);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
