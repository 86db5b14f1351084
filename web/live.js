/**
 * Keeps the page up to date by one stream of server-sent events, and by polling when the stream cannot be had.
 *
 * Events: `refresh` (fetch everything again), `job`, `frame` and `agent` (with the data in `detail`), `status` (`detail`
 * is one of STATUS) and `signedout`.
 *
 * A tab in the background closes its stream: browsers allow about six connections to one origin over HTTP/1.1, and
 * seven open tabs would otherwise bring the page to a halt.  It polls slowly instead, which keeps its title true.
 */
import { addresses, api, SignedOut, Unreachable } from "./api.js";

export const STATUS = Object.freeze({
  CONNECTING: "connecting",
  LIVE: "live",
  POLLING: "polling",
  OFFLINE: "offline",
});

const POLL_MS = 5_000;
const BACKGROUND_POLL_MS = 20_000;
const RETRY_STREAM_MS = 30_000;
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 10_000;

export class Live extends EventTarget {
  #stream = null;
  #timer = null;
  #running = false;
  #status = STATUS.CONNECTING;
  #backoff = FIRST_BACKOFF_MS;
  #streamRetryAt = 0;
  /** Counts connections, so that an answer that comes after the next one has begun is dropped. */
  #generation = 0;

  constructor() {
    super();
    document.addEventListener("visibilitychange", () => this.#restart());
    window.addEventListener("online", () => this.#restart());
  }

  get status() {
    return this.#status;
  }

  start() {
    this.#running = true;
    this.#restart();
  }

  stop() {
    this.#running = false;
    this.#disconnect();
    this.#setStatus(STATUS.CONNECTING);
  }

  /** Tries at once to reach the coordinator again. */
  retry() {
    this.#restart();
  }

  /** Someone else got no answer: finds out whether the coordinator is still there. */
  suspect() {
    if (!this.#running || this.#status === STATUS.OFFLINE) return;
    this.#disconnect();
    this.#streamRetryAt = 0;
    this.#later(FIRST_BACKOFF_MS, () => this.#poll());
  }

  #restart() {
    if (!this.#running) return;
    this.#disconnect();
    this.#backoff = FIRST_BACKOFF_MS;
    this.#streamRetryAt = 0;
    if (document.hidden) this.#later(BACKGROUND_POLL_MS, () => this.#poll());
    else this.#connect();
  }

  #disconnect() {
    this.#generation += 1;
    this.#stream?.close();
    this.#stream = null;
    clearTimeout(this.#timer);
  }

  #connect() {
    const stream = new EventSource(addresses.events());
    let worked = false;
    this.#stream = stream;
    stream.addEventListener("hello", () => {
      worked = true;
      this.#backoff = FIRST_BACKOFF_MS;
      this.#setStatus(STATUS.LIVE);
      this.dispatchEvent(new Event("refresh"));
    });
    for (const kind of ["job", "frame", "agent"]) {
      stream.addEventListener(kind, (event) => {
        this.dispatchEvent(new CustomEvent(kind, { detail: JSON.parse(event.data) }));
      });
    }
    // The stream does not tell why it failed, so the API is asked, and the browser's own blind retries are not used.
    stream.addEventListener("error", () => {
      this.#disconnect();
      this.#streamRetryAt = worked ? 0 : Date.now() + RETRY_STREAM_MS;
      // A stream that worked was cut for all tabs at once: they come back at different moments.
      this.#later(worked ? FIRST_BACKOFF_MS * Math.random() : 0, () => this.#poll());
    });
  }

  /** Asks whether the coordinator is there; goes on with the stream, with polling, or waits. */
  async #poll() {
    const generation = this.#generation;
    let failure = null;
    try {
      await api.whoAmI();
    } catch (error) {
      failure = error;
    }
    if (generation !== this.#generation) return;
    if (failure instanceof SignedOut) {
      this.dispatchEvent(new Event("signedout"));
    } else if (failure) {
      if (failure instanceof Unreachable) this.#setStatus(STATUS.OFFLINE);
      this.#streamRetryAt = 0;
      this.#later(this.#backoff, () => this.#poll());
      this.#backoff = Math.min(this.#backoff * 2, LAST_BACKOFF_MS);
    } else if (!document.hidden && Date.now() >= this.#streamRetryAt) {
      this.#connect();
    } else {
      this.#backoff = FIRST_BACKOFF_MS;
      this.#setStatus(STATUS.POLLING);
      this.dispatchEvent(new Event("refresh"));
      this.#later(document.hidden ? BACKGROUND_POLL_MS : POLL_MS, () => this.#poll());
    }
  }

  #later(milliseconds, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, milliseconds);
  }

  #setStatus(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}
