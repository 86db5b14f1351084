/**
 * A job that is being prepared: from dropped files to a pack that an agent has looked into.
 *
 * It belongs to the page and not to a view, so that an upload goes on while its artist looks at other jobs.  Each change is
 * told by the event `change`.
 */
import { api, SignedOut, Unreachable } from "../api.js";
import { readHeader } from "./blend_header.js";
import { Hasher, Unreadable } from "./hasher.js";
import { movedDown, place } from "./placing.js";
import { nameOf, noScene, unreadable, wordsOf } from "./problems.js";
import { isBlend, sourcesOf, tidy, Unusable } from "./sources.js";
import { transfer } from "./transfer.js";
import { readZip } from "./zip.js";

export const PHASE = Object.freeze({
  EMPTY: "empty",
  /** Folders are walked through, an archive's list is read. */
  GATHERING: "gathering",
  /** Several scenes: which one? */
  CHOOSING: "choosing",
  READING: "reading",
  UPLOADING: "uploading",
  /** An agent looks into it. */
  INSPECTING: "inspecting",
  READY: "ready",
  FAILED: "failed",
});

const ASK_MS = 700;
/** The manifest is sent once more after an upload; blobs that are still missing then are uploaded again, so often. */
const ROUNDS = 4;
/** The speed that is told is that of the last few seconds. */
const SPEED_MS = 4_000;

export class Draft extends EventTarget {
  #control = new AbortController();
  #sources = new Map();
  #files = [];
  #remap = {};
  #sent = [];

  constructor() {
    super();
    this.#clear();
  }

  /** Whether leaving the page would lose something. */
  get busy() {
    return [PHASE.GATHERING, PHASE.READING, PHASE.UPLOADING].includes(this.phase);
  }

  /** Whether its scene needs files that are not there. */
  get misses() {
    return this.phase === PHASE.READY && (this.inspection?.findings?.missing_count ?? 0) > 0;
  }

  /** How much of the phase is done, 0 to 1. */
  get progress() {
    return this.total === 0 ? 0 : Math.min(1, this.done / this.total);
  }

  get fileCount() {
    return this.#files.length || this.#sources.size;
  }

  /** The size of the project in bytes. */
  get size() {
    const files = this.#files.length > 0 ? this.#files : [...this.#sources.values()];
    return files.reduce((sum, file) => sum + file.size, 0);
  }

  /** Bytes a second lately, or null. */
  get speed() {
    const now = performance.now();
    this.#sent = this.#sent.filter(({ at }) => now - at < SPEED_MS);
    if (this.#sent.length < 2) return null;
    const bytes = this.#sent.reduce((sum, one) => sum + one.bytes, 0);
    return Math.max(0, (bytes / Math.max(now - this.#sent[0].at, 500)) * 1000);
  }

  /** Begins with what was dropped or picked. */
  take(entries) {
    this.cancel();
    this.#run(() => this.#gather(entries));
  }

  /** Takes one of several scenes. */
  choose(main) {
    this.main = main;
    this.#run(() => this.#prepare());
  }

  /** Adds files that the scene was missing; what is none of them is left out. */
  add(entries) {
    const { missing } = this.inspection.findings;
    this.#run(async () => {
      this.#step(PHASE.GATHERING);
      const found = await unpacked(await sourcesOf(entries));
      if (this.#files.length === 0) await this.#recall();
      const { placed, remap, climb } = place(missing, found, this.#files.map((file) => file.path));
      if (placed.length === 0) {
        this.note = "None of these files is one that the scene misses: their names differ.";
        this.#step(PHASE.READY);
        return;
      }
      this.#remap = { ...this.#remap, ...remap };
      this.#moveDown(climb);
      for (const { path, source } of placed) {
        source.path = movedDown(path, climb);
        this.#sources.set(source.path, source);
        this.#files = this.#files.filter((file) => file.path !== source.path);
      }
      this.note = null;
      await this.#prepare();
    });
  }

  /** Opens a pack that was uploaded before: the page was reloaded, or its link followed. */
  open(pack) {
    if (this.pack === pack && this.phase !== PHASE.EMPTY) return;
    this.cancel();
    this.pack = pack;
    this.#run(() => this.#inspect());
  }

  /** Goes on where it failed; what was uploaded stays uploaded. */
  retry() {
    this.#run(() => (this.pack === null ? this.#prepare() : this.#inspect()));
  }

  /** Shows the form without the scene's own values. */
  doWithout() {
    this.#control.abort();
    this.#step(PHASE.READY);
  }

  /** Gives everything up. */
  cancel() {
    this.#control.abort();
    this.#clear();
    this.#tell();
  }

  #clear() {
    this.phase = PHASE.EMPTY;
    this.title = null;
    this.main = null;
    /** The scenes to choose from. */
    this.choices = [];
    this.header = null;
    this.pack = null;
    this.inspection = null;
    this.problem = null;
    /** Something to be said beside the form. */
    this.note = null;
    this.offline = false;
    this.done = 0;
    this.total = 0;
    this.#sources = new Map();
    this.#files = [];
    this.#remap = {};
    this.#sent = [];
  }

  async #run(work) {
    this.#control.abort();
    this.#control = new AbortController();
    const { signal } = this.#control;
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      this.problem = wordsOf(error);
      if (error instanceof SignedOut) this.dispatchEvent(new Event("signedout"));
      this.#step(PHASE.FAILED);
    }
  }

  async #gather(entries) {
    const { signal } = this.#control;
    this.#step(PHASE.GATHERING);
    const { sources, title } = tidy(await unpacked(await sourcesOf(entries)));
    if (signal.aborted) return;
    this.#sources = new Map(sources.map((source) => [source.path, source]));
    this.title = title;
    this.choices = [...this.#sources.keys()].filter(isBlend).sort(byDepth);
    if (this.choices.length === 0) throw new Unusable(noScene(sources));
    if (this.choices.length === 1) {
      this.main = this.choices[0];
      await this.#prepare();
    } else {
      this.#step(PHASE.CHOOSING);
    }
  }

  /** Hashes, uploads what is missing, and has it looked into. */
  async #prepare() {
    const { signal } = this.#control;
    this.pack = null;
    this.inspection = null;
    await this.#readHeader();
    await this.#hash(signal);
    const manifest = { main: this.main, files: this.#files, remap: this.#remap };
    const pack = await this.#upload(manifest, signal);
    if (signal.aborted) return;
    this.pack = pack;
    await this.#inspect();
  }

  async #readHeader() {
    const main = this.#sources.get(this.main);
    if (main === undefined) return;
    this.#step(PHASE.READING);
    this.header = await readHeader(main);
    if (this.header === null) throw new Unusable(`${nameOf(this.main)} is not a Blender file. Save it anew in Blender.`);
    this.#tell();
  }

  async #hash(signal) {
    const hasher = new Hasher();
    const known = new Set(this.#files.map((file) => file.path));
    const sources = [...this.#sources.values()].filter((source) => !known.has(source.path));
    this.#step(PHASE.READING, sources.reduce((sum, source) => sum + source.size, 0));
    signal.addEventListener("abort", () => hasher.close());
    const waiting = [...sources];
    const work = async () => {
      for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) await this.#hashOne(source, hasher, signal);
    };
    try {
      await Promise.all(Array.from({ length: Hasher.parallel }, work));
    } finally {
      hasher.close();
    }
    this.#files.push(...sources.map(({ path, size, blobs }) => ({ path, size, blobs })));
  }

  async #hashOne(source, hasher, signal) {
    if (source.blobs !== null) {
      this.#advance(source.size);
      return;
    }
    const blobs = [];
    try {
      for await (const piece of source.pieces()) {
        blobs.push({ sha256: await hasher.hash(piece), size: piece.size });
        signal.throwIfAborted();
        this.#advance(piece.size);
      }
    } catch (error) {
      throw error instanceof Unreadable || error.name === "NotReadableError" ? unreadable(source.path) : error;
    }
    source.blobs = blobs;
  }

  /** Resolves to the pack's id once the coordinator has all of it. */
  async #upload(manifest, signal) {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { id, missing } = await this.#persist(() => api.announcePack(manifest, { signal }), signal);
      if (missing.length === 0) return id;
      const wanted = new Set(missing.map((blob) => blob.sha256));
      const total = this.#files.reduce((sum, file) => sum + file.size, 0);
      const left = missing.reduce((sum, blob) => sum + blob.size, 0);
      this.#step(PHASE.UPLOADING, Math.max(total, left));
      this.#advance(Math.max(0, total - left), false);
      await transfer(this.#wanted(wanted), {
        signal,
        onSent: (bytes) => this.#advance(bytes),
        onWaiting: (isWaiting) => this.#setOffline(isWaiting),
      });
    }
    throw new Unusable("The coordinator lost pieces of the project again and again. Is its disk in order?");
  }

  async *#wanted(wanted) {
    for (const source of this.#sources.values()) {
      if (!source.blobs?.some((blob) => wanted.has(blob.sha256))) continue;
      let number = 0;
      for await (const piece of source.pieces()) {
        const { sha256 } = source.blobs[number];
        number += 1;
        if (wanted.delete(sha256)) yield { sha256, piece };
      }
    }
    // After a reload the page has no files any more, only what the coordinator knows of them.
    if (wanted.size > 0) throw new Unusable("Parts of the project are not on the farm any more. Drop it again.");
  }

  async #inspect() {
    const { signal } = this.#control;
    this.#step(PHASE.INSPECTING);
    const ask = () => api.inspect(this.pack, this.header?.version ?? null, { signal });
    this.inspection = await this.#persist(ask, signal);
    this.main ??= this.inspection.main;
    while (["waiting", "running"].includes(this.inspection.state)) {
      this.#tell();
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
      if (signal.aborted) return;
      this.inspection = await this.#persist(() => api.inspection(this.pack, { signal }), signal);
    }
    if (signal.aborted) return;
    this.problem = this.inspection.problem ?? this.inspection.reason;
    this.#step(this.problem === null ? PHASE.READY : PHASE.FAILED);
  }

  /** After a reload: which files the pack has. */
  async #recall() {
    const manifest = await api.pack(this.pack);
    this.#files = manifest.files;
    this.#remap = manifest.remap;
    this.main = manifest.main;
  }

  #moveDown(climb) {
    if (climb === 0) return;
    const down = (path) => movedDown(path, climb);
    for (const source of this.#sources.values()) source.path = down(source.path);
    this.#sources = new Map([...this.#sources.values()].map((source) => [source.path, source]));
    this.#files = this.#files.map((file) => ({ ...file, path: down(file.path) }));
    this.#remap = Object.fromEntries(Object.entries(this.#remap).map(([from, to]) => [from, down(to)]));
    this.main = down(this.main);
  }

  /** Makes a call again until the coordinator answers. */
  async #persist(call, signal) {
    for (;;) {
      try {
        const answer = await call();
        this.#setOffline(false);
        return answer;
      } catch (error) {
        if (!(error instanceof Unreachable) || signal.aborted) throw error;
        this.#setOffline(true);
        await new Promise((resolve) => setTimeout(resolve, 3 * ASK_MS));
        signal.throwIfAborted();
      }
    }
  }

  #setOffline(offline) {
    if (offline === this.offline) return;
    this.offline = offline;
    this.#tell();
  }

  #step(phase, total = 0) {
    this.phase = phase;
    this.done = 0;
    this.total = total;
    this.#sent = [];
    if (phase !== PHASE.FAILED) this.problem = null;
    this.#tell();
  }

  #advance(bytes, isNews = true) {
    this.done += bytes;
    if (isNews) this.#sent.push({ at: performance.now(), bytes });
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

/** A single archive stands for what is in it. */
async function unpacked(sources) {
  const [first] = sources;
  const isArchive = sources.length === 1 && /\.zip$/i.test(first.path);
  return isArchive ? readZip(first.file) : sources;
}

function byDepth(a, b) {
  return a.split("/").length - b.split("/").length || a.localeCompare(b, undefined, { numeric: true });
}
