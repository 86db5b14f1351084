/**
 * Keeps the page up to date: by the stream that all tabs of this browser share, or by one of its own where the browser
 * has no shared workers.
 *
 * Events are those of live_source.js; `job`, `frame`, `agent` and `job_gone` carry what changed in `detail`: a job or an
 * agent without the fields that were told before.
 */
import { LiveSource, STATUS } from "./live_source.js";

export { STATUS };

export class Live extends EventTarget {
  #status = STATUS.CONNECTING;
  #running = false;
  #link;

  constructor() {
    super();
    const hear = (message) => this.#hear(message);
    this.#link = globalThis.SharedWorker ? shared(hear) : own(hear);
    // A page that is kept for "back" hears nothing meanwhile.
    window.addEventListener("pagehide", () => this.#link.say("bye"));
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#running && this.start());
  }

  get status() {
    return this.#status;
  }

  start() {
    this.#running = true;
    this.#link.say("start");
  }

  /** Says to all tabs that nobody is signed in any more. */
  stop() {
    if (this.#running) this.#link.say("stop");
    this.#running = false;
    this.#setStatus(STATUS.CONNECTING);
  }

  /** Tries at once to reach the coordinator again. */
  retry() {
    this.#link.say("retry");
  }

  /** A request of this page got no answer: finds out whether the coordinator is still there. */
  suspect() {
    this.#link.say("suspect");
  }

  #hear({ kind, detail }) {
    if (!this.#running) return;
    if (kind === "status") this.#setStatus(detail);
    else this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  #setStatus(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}

/** The worker of all tabs. */
function shared(hear) {
  const worker = new SharedWorker(new URL("live_worker.js", import.meta.url), { type: "module", name: "live" });
  let link = { say: (word) => worker.port.postMessage(word) };
  const said = [];
  worker.port.addEventListener("message", ({ data }) => hear(data));
  worker.port.start();
  // A browser that cannot run it as a module says so here: then this page has its own.
  worker.addEventListener("error", () => {
    link = own(hear);
    if (said.at(-1) === "start") link.say("start");
  });
  return {
    say(word) {
      if (word === "start" || word === "stop") said.push(word);
      link.say(word);
    },
  };
}

/**
 * A stream of this page's own.  A tab in the background lets go of it: browsers allow about six connections to one
 * origin over HTTP/1.1, and seven open tabs would otherwise bring the page to a halt.
 */
function own(hear) {
  const source = new LiveSource(hear);
  document.addEventListener("visibilitychange", () => {
    if (!source.running) return;
    if (document.hidden) source.rest();
    else source.start();
  });
  const actions = {
    start: () => source.start(),
    stop: () => source.stop(),
    bye: () => source.rest(),
    retry: () => source.retry(),
    suspect: () => source.suspect(),
  };
  return { say: (word) => actions[word]() };
}
