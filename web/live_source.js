/**
 * One stream of server-sent events, and polling when the stream cannot be had.  It runs in a worker that all tabs of a
 * browser share (live_worker.js), or in the page itself where there are no such workers: it touches no document.
 *
 * It says `{kind, detail}`: `refresh` (fetch everything again), `job`, `frame`, `agent` and `job_gone` (what changed),
 * `status` (one of STATUS) and `signedout`.
 */
import { addresses, api, SignedOut, Unreachable } from "./api.js";

export const STATUS = Object.freeze({
  CONNECTING: "connecting",
  LIVE: "live",
  POLLING: "polling",
  OFFLINE: "offline",
});

const KINDS = ["job", "frame", "agent", "job_gone"];
const POLL_MS = 5_000;
const RETRY_STREAM_MS = 30_000;
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 10_000;

export class LiveSource {
  #say;
  #stream = null;
  #timer = null;
  #running = false;
  #status = STATUS.CONNECTING;
  #backoff = FIRST_BACKOFF_MS;
  #streamRetryAt = 0;
  /** Counts connections, so that an answer that comes after the next one has begun is dropped. */
  #generation = 0;
  /** The last event that came: a stream that is taken up again goes on behind it. */
  #last = null;

  /** @param {(message: {kind: string, detail?: unknown}) => void} say */
  constructor(say) {
    this.#say = say;
    globalThis.addEventListener("online", () => this.retry());
  }

  get status() {
    return this.#status;
  }

  get running() {
    return this.#running;
  }

  start() {
    this.#running = true;
    this.retry();
  }

  /** Lets go of the stream; `start` takes it up where it was. */
  rest() {
    this.#disconnect();
  }

  stop() {
    this.#running = false;
    this.#last = null;
    this.#disconnect();
    this.#setStatus(STATUS.CONNECTING);
  }

  /** Tries at once to reach the coordinator again. */
  retry() {
    if (!this.#running) return;
    this.#disconnect();
    this.#backoff = FIRST_BACKOFF_MS;
    this.#streamRetryAt = 0;
    this.#connect();
  }

  /** Someone got no answer: finds out whether the coordinator is still there. */
  suspect() {
    if (!this.#running || this.#status === STATUS.OFFLINE) return;
    this.#disconnect();
    this.#streamRetryAt = 0;
    this.#later(FIRST_BACKOFF_MS, () => this.#poll());
  }

  #disconnect() {
    this.#generation += 1;
    this.#stream?.close();
    this.#stream = null;
    clearTimeout(this.#timer);
  }

  #connect() {
    const stream = new EventSource(addresses.events(this.#last));
    let worked = false;
    this.#stream = stream;
    const opened = ({ lastEventId }) => {
      worked = true;
      this.#last = lastEventId || this.#last;
      this.#backoff = FIRST_BACKOFF_MS;
      this.#setStatus(STATUS.LIVE);
    };
    stream.addEventListener("hello", (event) => {
      opened(event);
      this.#say({ kind: "refresh" });
    });
    // What came meanwhile follows: nothing need be fetched.
    stream.addEventListener("resumed", opened);
    for (const kind of KINDS) {
      stream.addEventListener(kind, ({ data, lastEventId }) => {
        this.#last = lastEventId || this.#last;
        this.#say({ kind, detail: JSON.parse(data) });
      });
    }
    // The stream does not tell why it failed, so the API is asked, and the browser's own blind retries are not used.
    stream.addEventListener("error", () => {
      this.#disconnect();
      this.#streamRetryAt = worked ? 0 : Date.now() + RETRY_STREAM_MS;
      // A stream that worked was cut for all browsers at once: they come back at different moments.
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
      this.stop();
      this.#say({ kind: "signedout" });
    } else if (failure) {
      if (failure instanceof Unreachable) this.#setStatus(STATUS.OFFLINE);
      this.#streamRetryAt = 0;
      this.#later(this.#backoff, () => this.#poll());
      this.#backoff = Math.min(this.#backoff * 2, LAST_BACKOFF_MS);
    } else if (Date.now() >= this.#streamRetryAt) {
      this.#connect();
    } else {
      this.#backoff = FIRST_BACKOFF_MS;
      this.#setStatus(STATUS.POLLING);
      this.#say({ kind: "refresh" });
      this.#later(POLL_MS, () => this.#poll());
    }
  }

  #later(milliseconds, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, milliseconds);
  }

  #setStatus(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.#say({ kind: "status", detail: status });
  }
}
