/**
 * The finished frames as a film, while they come: played, scrubbed and stepped through long before there is an MP4.  What is
 * not rendered yet is a gap, on the bar as on the screen.  Until somebody takes hold of it, it shows the newest frame.
 */
import { addresses } from "../api.js";
import { FAILED, FINISHED } from "../job_frames.js";
import { el, icon, setAttribute, setText } from "./element.js";
import { frameWords } from "./frame_map.js";

const PICTURE_PX = 640;
const KEPT = 120;
const AHEAD = 24;
const AT_ONCE = 6;
/** A gap is shown for this long at most before the film goes on behind it. */
const LONGEST_GAP_MS = 400;
/** The bar looks at every frame: now and then is enough. */
const BAR_MS = 400;
const RATES = [6, 12, 24, 25, 30, 48, 60];

export class FilmPlayer {
  #place = 0;
  #following = true;
  #playing = false;
  #pictures = new Map();
  #loading = 0;
  #timer = null;
  #due = 0;
  #gapSince = null;
  #barTimer = null;

  /**
   * @param {object} job
   * @param {import("../job_frames.js").JobFrames} frames
   * @param {(frame: number) => void} open shows a frame large.
   */
  constructor(job, frames, open) {
    this.job = job;
    this.frames = frames;
    this.rate = job.output.fps || 24;
    this.canvas = el("canvas", { class: "film-canvas", role: "img", "aria-label": "No frame yet" });
    this.gap = el("p", { class: "film-gap", hidden: true });
    this.screen = el("div", { class: "film-screen" }, this.canvas, this.gap);
    this.screen.addEventListener("dblclick", () => open(frames.numbers[this.#place]));
    this.bar = el("canvas", { "aria-hidden": true });
    this.head = el("span", { class: "film-head" });
    this.slider = el(
      "div",
      { class: "film-bar", role: "slider", tabindex: 0, "aria-label": "Frame", "aria-valuemin": frames.numbers[0] },
      this.bar,
      this.head,
    );
    setAttribute(this.slider, "aria-valuemax", frames.numbers.at(-1));
    this.playButton = this.#button("play", "Play (space)", () => this.toggle());
    this.label = el("output", { class: "film-label" });
    this.rates = el("select", { "aria-label": "Frames per second" });
    const rates = [...new Set([...RATES, this.rate])].sort((a, b) => a - b);
    this.rates.append(...rates.map((rate) => el("option", { value: rate, selected: rate === this.rate }, `${Number(rate.toFixed(3))} fps`)));
    this.rates.addEventListener("change", () => (this.rate = Number(this.rates.value)));
    this.loop = el("button", { class: "icon-button", type: "button", "aria-pressed": "true", "aria-label": "Play over and over", title: "Play over and over" }, icon("loop"));
    this.loop.addEventListener("click", () => setAttribute(this.loop, "aria-pressed", String(!this.#loops)));
    this.newest = el("button", { class: "button quiet film-newest", type: "button", hidden: true }, "Newest");
    this.newest.addEventListener("click", () => this.#follow());
    this.element = el(
      "div",
      { class: "film" },
      this.screen,
      this.slider,
      el(
        "div",
        { class: "film-controls" },
        this.#button("back", "Frame before (←)", () => this.step(-1)),
        this.playButton,
        this.#button("forward", "Frame after (→)", () => this.step(1)),
        this.label,
        this.newest,
        this.loop,
        this.rates,
        this.#button("expand", "Show this frame large", () => open(frames.numbers[this.#place])),
      ),
    );
    this.#listen();
  }

  get #loops() {
    return this.loop.getAttribute("aria-pressed") === "true";
  }

  #button(name, label, action) {
    const made = el("button", { class: "icon-button", type: "button", "aria-label": label, title: label }, icon(name));
    made.addEventListener("click", action);
    return made;
  }

  #listen() {
    this.stop = new AbortController();
    const options = { signal: this.stop.signal };
    this.frames.addEventListener("reset", () => this.#changed(null), options);
    this.frames.addEventListener("change", ({ detail }) => this.#changed(detail), options);
    this.element.addEventListener("keydown", (event) => this.#key(event), options);
    this.slider.addEventListener("pointerdown", (event) => this.#scrub(event), options);
    this.slider.addEventListener("pointermove", (event) => event.buttons === 1 && this.#scrub(event), options);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#drawBar(), options);
    this.resizes = new ResizeObserver(() => {
      this.#drawBar();
      this.#placeHead();
    });
    this.resizes.observe(this.slider);
  }

  close() {
    this.pause();
    clearTimeout(this.#barTimer);
    this.stop.abort();
    this.resizes.disconnect();
    this.#pictures.clear();
  }

  /** The job has news: its newest frame is shown unless somebody looks at another one. */
  update(job) {
    this.job = job;
    if (this.#following) this.#follow();
  }

  #follow() {
    this.#following = true;
    this.newest.hidden = true;
    const place = this.job.latest_frame === null ? null : this.frames.place(this.job.latest_frame);
    if (place !== null) this.#show(place);
    else this.#show(this.#place);
  }

  #changed(places) {
    if (places === null) this.#pictures.clear();
    else for (const place of places) if (this.#pictures.get(place)?.version !== this.frames.version(place)) this.#pictures.delete(place);
    this.#barTimer ??= setTimeout(
      () => {
        this.#barTimer = null;
        this.#drawBar();
      },
      places === null ? 0 : BAR_MS,
    );
    if (this.#following) this.#follow();
    else if (places === null || places.includes(this.#place)) this.#show(this.#place);
  }

  /** Takes hold of the film: from now on the person says what is shown. */
  #hold() {
    this.#following = false;
    this.newest.hidden = this.job.ended_at !== null || this.job.latest_frame === null;
  }

  toggle() {
    if (this.#playing) this.pause();
    else this.play();
  }

  play() {
    this.#hold();
    if (this.#nextPlace(this.#place) === null) this.#show(this.#first());
    this.#playing = true;
    this.#due = performance.now() + 1000 / this.rate;
    this.#showPlaying();
    this.#timer = requestAnimationFrame((now) => this.#tick(now));
  }

  pause() {
    this.#playing = false;
    cancelAnimationFrame(this.#timer);
    this.#showPlaying();
  }

  #showPlaying() {
    const words = this.#playing ? "Pause (space)" : "Play (space)";
    this.playButton.replaceChildren(icon(this.#playing ? "pause" : "play"));
    setAttribute(this.playButton, "aria-label", words);
    this.playButton.title = words;
  }

  /** Goes to the next frame when its time has come, and waits for it when it is still on its way. */
  #tick(now) {
    if (!this.#playing) return;
    this.#timer = requestAnimationFrame((next) => this.#tick(next));
    if (now < this.#due) return;
    let place = this.#nextPlace(this.#place);
    if (place === null && !this.#loops) {
      this.pause();
      return;
    }
    place ??= this.#first();
    if (this.frames.states[place] === FINISHED) {
      this.#gapSince = null;
      if (this.#picture(place).image === null) {
        this.#due = now;
        return;
      }
    } else {
      this.#gapSince ??= now;
      if (now - this.#gapSince > LONGEST_GAP_MS) {
        place = this.#afterGap(place);
        this.#gapSince = null;
      }
    }
    // A computer that cannot keep up plays slowly, and leaves nothing out.
    this.#due = Math.max(this.#due + 1000 / this.rate, now - 100);
    this.#show(place);
  }

  /** Behind the last finished frame there is no film. */
  #nextPlace(place) {
    const next = place + 1;
    if (next >= this.frames.count) return null;
    return this.frames.states[next] === FINISHED || this.frames.neighbour(this.frames.numbers[next], 1) !== null ? next : null;
  }

  #first() {
    return this.frames.states[0] === FINISHED ? 0 : this.#afterGap(0);
  }

  #afterGap(place) {
    const frame = this.frames.neighbour(this.frames.numbers[place], 1);
    return frame === null ? place : this.frames.place(frame);
  }

  step(direction) {
    this.pause();
    this.#hold();
    this.#show(Math.min(this.frames.count - 1, Math.max(0, this.#place + direction)));
  }

  #key(event) {
    if (event.target.closest("select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    if (event.key === " " && event.target.closest("button") === null) this.toggle();
    else if (event.key in steps) this.step(steps[event.key]);
    else return;
    event.preventDefault();
  }

  #scrub(event) {
    if (event.type === "pointerdown") {
      this.slider.setPointerCapture(event.pointerId);
      this.pause();
      this.#hold();
    }
    const { left, width } = this.slider.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    this.#show(Math.min(this.frames.count - 1, Math.floor(share * this.frames.count)));
  }

  #show(place) {
    this.#place = place;
    const { numbers, states } = this.frames;
    const finished = states[place] === FINISHED;
    setText(this.label, `${numbers[place]}`);
    setAttribute(this.slider, "aria-valuenow", numbers[place]);
    setAttribute(this.slider, "aria-valuetext", frameWords(this.frames, place));
    setAttribute(this.canvas, "aria-label", frameWords(this.frames, place));
    this.#placeHead();
    this.gap.hidden = finished;
    this.canvas.hidden = !finished;
    if (finished) {
      setText(this.gap, "");
      this.#paint(place);
    } else if (this.job.files_swept_at !== null) setText(this.gap, "The pictures of this job were removed.");
    else setText(this.gap, states[place] === FAILED ? `Frame ${numbers[place]} failed` : `Frame ${numbers[place]} is not rendered yet`);
    this.#loadAhead(place);
  }

  #placeHead() {
    const share = (this.#place + 0.5) / this.frames.count;
    this.head.style.setProperty("left", `${100 * share}%`);
  }

  #paint(place) {
    const { image } = this.#picture(place);
    if (image === null) return;
    if (this.canvas.width !== image.naturalWidth || this.canvas.height !== image.naturalHeight) {
      this.canvas.width = image.naturalWidth;
      this.canvas.height = image.naturalHeight;
    }
    this.canvas.getContext("2d").drawImage(image, 0, 0);
  }

  /** A frame's picture; its `image` is null until it has come. */
  #picture(place) {
    const version = this.frames.version(place);
    let picture = this.#pictures.get(place);
    if (picture?.version !== version) {
      picture = { version, image: null };
      this.#pictures.set(place, picture);
      this.#load(place, picture);
    }
    return picture;
  }

  async #load(place, picture) {
    const image = new Image();
    image.src = addresses.thumbnail(this.job, this.frames.numbers[place], picture.version, PICTURE_PX);
    this.#loading += 1;
    try {
      await image.decode();
      picture.image = image;
    } catch {
      // It was rendered again meanwhile, or the farm does not answer: tried again when it is shown next.
      if (this.#pictures.get(place) === picture) this.#pictures.delete(place);
    }
    this.#loading -= 1;
    if (this.#pictures.size > KEPT) this.#forgetFarthest();
    if (place === this.#place && picture.image !== null) this.#paint(place);
    this.#loadAhead(this.#place);
  }

  #loadAhead(place) {
    if (this.#following && !this.#playing) return;
    for (let next = place + 1; next < Math.min(this.frames.count, place + AHEAD) && this.#loading < AT_ONCE; next += 1) {
      if (this.frames.states[next] === FINISHED) this.#picture(next);
    }
  }

  #forgetFarthest() {
    const places = [...this.#pictures.keys()].sort((a, b) => Math.abs(b - this.#place) - Math.abs(a - this.#place));
    for (const place of places.slice(0, this.#pictures.size - KEPT)) this.#pictures.delete(place);
  }

  /** Draws what is finished and what is missing: each pixel stands for the frames below it. */
  #drawBar() {
    const { clientWidth: width, clientHeight: height } = this.slider;
    if (width === 0) return;
    this.bar.width = width;
    this.bar.height = height;
    const style = getComputedStyle(this.element);
    const [finished, failed, pending] = ["--map-finished", "--map-failed", "--map-pending"].map((name) => style.getPropertyValue(name));
    const context = this.bar.getContext("2d");
    context.fillStyle = pending;
    context.fillRect(0, 0, width, height);
    const { states, count } = this.frames;
    for (let x = 0; x < width; x += 1) {
      const end = Math.max(Math.floor((x * count) / width) + 1, Math.floor(((x + 1) * count) / width));
      let done = 0;
      let bad = false;
      const start = Math.floor((x * count) / width);
      for (let place = start; place < end; place += 1) {
        if (states[place] === FINISHED) done += 1;
        else if (states[place] === FAILED) bad = true;
      }
      if (done > 0) {
        const share = Math.max(0.15, done / (end - start));
        context.fillStyle = finished;
        context.fillRect(x, height * (1 - share), 1, height * share);
      }
      if (bad) {
        context.fillStyle = failed;
        context.fillRect(x, 0, 1, height);
      }
    }
  }
}
