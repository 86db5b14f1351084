/**
 * What is known of every frame of a job, in columns: a job of 100,000 frames is a few typed arrays, and no objects.
 *
 * Events: `reset` (everything may have changed) and `change`, with the places (not the numbers) of the frames that have
 * changed in `detail`, once for each picture that the browser draws.
 */
import { api } from "./api.js";
import { parseFrameRange, placeOf } from "./frame_range.js";

export const OPEN = 0;
export const FINISHED = 1;
export const FAILED = 2;

const STATES = { finished: FINISHED, failed: FAILED };
const VERSION_DIGITS = 6;
const NO_AGENT = -1;

export class JobFrames extends EventTarget {
  #agentPlaces = new Map();
  /** Changes that came while the map was fetched: what comes may be older. */
  #overtaken = new Map();
  #loading = false;
  #again = false;
  #changed = new Set();
  #told = false;

  constructor(job) {
    super();
    this.jobId = job.id;
    this.range = job.frames;
    this.numbers = parseFrameRange(job.frames);
    this.rendering = new Map();
    this.loaded = false;
    this.#clear();
  }

  get count() {
    return this.numbers.length;
  }

  #clear() {
    const { length } = this.numbers;
    this.states = new Uint8Array(length);
    this.agents = new Int16Array(length).fill(NO_AGENT);
    this.seconds = new Float32Array(length).fill(NaN);
    this.versions = new Int32Array(length).fill(-1);
    this.agentNames = [];
    this.#agentPlaces.clear();
    this.doubtful = new Set();
  }

  /** Fetches the map; one at a time, and once more when it was asked for meanwhile. */
  async load() {
    this.#again = true;
    if (this.#loading) return;
    this.#loading = true;
    try {
      while (this.#again) {
        this.#again = false;
        this.#overtaken.clear();
        const map = await api.frameMap(this.jobId);
        // The range has changed: whoever looks makes a new one of these.
        if (map.frames === this.range) this.#take(map);
      }
    } finally {
      this.#loading = false;
    }
  }

  #take(map) {
    this.#clear();
    for (const name of map.agents) this.#agentPlace(name);
    let place = 0;
    for (const [state, count] of map.states) {
      if (state !== null) this.states.fill(STATES[state], place, place + count);
      place += count;
    }
    place = 0;
    for (const [agent, count] of map.by) {
      if (agent !== null) this.agents.fill(agent, place, place + count);
      place += count;
    }
    let next = 0;
    for (place = 0; place < this.count; place += 1) {
      if (this.states[place] !== FINISHED) continue;
      this.seconds[place] = map.seconds[next];
      this.versions[place] = parseInt(map.versions.substr(next * VERSION_DIGITS, VERSION_DIGITS), 16);
      next += 1;
    }
    this.doubtful = new Set(map.doubtful);
    for (const change of this.#overtaken.values()) this.#set(change);
    this.loaded = true;
    this.dispatchEvent(new Event("reset"));
  }

  /** A frame has ended, as the event stream tells it. */
  apply(change) {
    if (this.#loading) this.#overtaken.set(change.frame, change);
    const place = this.#set(change);
    if (place !== null) this.#tell(place);
  }

  #set({ frame, state, agent, seconds, version }) {
    const place = this.place(frame);
    if (place === null) return null;
    this.states[place] = STATES[state];
    this.agents[place] = agent === null ? NO_AGENT : this.#agentPlace(agent);
    this.seconds[place] = seconds ?? NaN;
    this.versions[place] = version === null ? -1 : parseInt(version, 16);
    return place;
  }

  #agentPlace(name) {
    let place = this.#agentPlaces.get(name);
    if (place === undefined) {
      place = this.agentNames.push(name) - 1;
      this.#agentPlaces.set(name, place);
    }
    return place;
  }

  /** Frames that slots are rendering: a map from frame to its progress, 0–1. */
  setRendering(rendering) {
    for (const frame of [...this.rendering.keys(), ...rendering.keys()]) {
      const place = this.place(frame);
      if (place !== null && this.rendering.get(frame) !== rendering.get(frame)) this.#tell(place);
    }
    this.rendering = rendering;
  }

  #tell(place) {
    this.#changed.add(place);
    if (this.#told) return;
    this.#told = true;
    requestAnimationFrame(() => {
      this.#told = false;
      const places = [...this.#changed];
      this.#changed.clear();
      this.dispatchEvent(new CustomEvent("change", { detail: places }));
    });
  }

  /** The place of a frame's number among the job's frames, or null. */
  place(frame) {
    const place = placeOf(this.numbers, frame);
    return this.numbers[place] === frame ? place : null;
  }

  /** In a word: finished, failed, rendering or pending. */
  stateName(place) {
    if (this.states[place] === FINISHED) return "finished";
    if (this.states[place] === FAILED) return "failed";
    return this.rendering.has(this.numbers[place]) ? "rendering" : "pending";
  }

  agentName(place) {
    return this.agentNames[this.agents[place]] ?? null;
  }

  /** Tells a frame's picture from another one of the same frame; null where there is none. */
  version(place) {
    const version = this.versions[place];
    return version < 0 ? null : version.toString(16).padStart(VERSION_DIGITS, "0");
  }

  versionOf(frame) {
    const place = this.place(frame);
    return place === null ? null : this.version(place);
  }

  /** The finished frame before (-1) or after (1) a frame, or null. */
  neighbour(frame, direction) {
    let place = placeOf(this.numbers, frame);
    if (direction > 0 && this.numbers[place] !== frame) place -= 1;
    for (place += direction; place >= 0 && place < this.count; place += direction) {
      if (this.states[place] === FINISHED) return this.numbers[place];
    }
    return null;
  }

  /** How many frames are in each state, rendered ones included. */
  counts() {
    const counts = { finished: 0, failed: 0, rendering: 0, pending: 0 };
    for (let place = 0; place < this.count; place += 1) {
      if (this.states[place] === FINISHED) counts.finished += 1;
      else if (this.states[place] === FAILED) counts.failed += 1;
    }
    for (const frame of this.rendering.keys()) {
      const place = this.place(frame);
      if (place !== null && this.states[place] === OPEN) counts.rendering += 1;
    }
    counts.pending = this.count - counts.finished - counts.failed - counts.rendering;
    return counts;
  }

  /** The shortest and longest times, leaving out a fiftieth at both ends; null without any. */
  usualSeconds() {
    const times = this.seconds.filter((seconds) => seconds > 0).sort();
    if (times.length === 0) return null;
    return [times[Math.floor(times.length * 0.02)], times[Math.min(times.length - 1, Math.floor(times.length * 0.98))]];
  }
}
