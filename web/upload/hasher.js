/** A few workers that hash pieces of files. */

const WORKERS = Math.max(1, Math.min(4, (navigator.hardwareConcurrency ?? 2) - 1));

/** A file could not be read: it was changed, moved or removed since it was dropped. */
export class Unreadable extends Error {}

export class Hasher {
  #workers = [];
  #waiting = new Map();
  #next = 0;

  /** How many pieces are best under way at once. */
  static parallel = WORKERS + 1;

  /** Resolves to the SHA-256 of a piece, in hexadecimal. */
  hash(piece) {
    if (this.#workers.length < WORKERS) this.#workers.push(this.#start());
    const id = this.#next++;
    this.#workers[id % this.#workers.length].postMessage({ id, piece });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** Ends the workers; what they were hashing is given up. */
  close() {
    for (const worker of this.#workers) worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(new DOMException("Given up", "AbortError"));
    this.#workers = [];
    this.#waiting.clear();
  }

  #start() {
    const worker = new Worker(new URL("../workers/hash_worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.sha256) waiting?.resolve(data.sha256);
      else waiting?.reject(new Unreadable(data.unreadable));
    });
    worker.addEventListener("error", (event) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the page’s hashing failed: ${event.message}`));
      this.#waiting.clear();
    });
    return worker;
  }
}
