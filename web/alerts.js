/**
 * Tells the person when a job has ended or something needs a look: by a notification of the browser and a sound, as they
 * chose.  What they chose stays in this browser.
 */
import { clock } from "./clock.js";
import { links } from "./router.js";

const KEY = "renderfarm-alerts";
const DEFAULTS = Object.freeze({ show: false, sound: false, which: "all", watched: [] });
/** What is older than this, in milliseconds, is no news: it came with the page. */
const NEWS_MS = 60_000;
const MOST_WATCHED = 500;

export class Alerts extends EventTarget {
  #choice = { ...DEFAULTS, ...read() };

  constructor(live) {
    super();
    live.addEventListener("job", ({ detail }) => this.#onJob(detail));
    live.addEventListener("agent", ({ detail }) => this.#onAgent(detail));
    // Another tab has changed it.
    window.addEventListener("storage", ({ key }) => {
      if (key !== KEY) return;
      this.#choice = { ...DEFAULTS, ...read() };
      this.dispatchEvent(new Event("change"));
    });
  }

  get choice() {
    return this.#choice;
  }

  /** Whether this browser shows notifications here at all: it does over HTTPS and on localhost only. */
  get possible() {
    return globalThis.isSecureContext && "Notification" in globalThis;
  }

  /** @param {Partial<typeof DEFAULTS>} changes */
  async choose(changes) {
    if (changes.show && this.possible && Notification.permission !== "granted") {
      changes.show = (await Notification.requestPermission()) === "granted";
    }
    this.#choice = { ...this.#choice, ...changes };
    localStorage.setItem(KEY, JSON.stringify(this.#choice));
    this.dispatchEvent(new Event("change"));
  }

  isWatched(id) {
    return this.#choice.watched.includes(id);
  }

  /** Watches jobs, or none of them any more where all are watched already. */
  watch(ids) {
    const { watched } = this.#choice;
    const all = ids.every((id) => watched.includes(id));
    const others = watched.filter((id) => !ids.includes(id));
    return this.choose({ watched: all ? others : [...others, ...ids].slice(-MOST_WATCHED) });
  }

  /** Shows and plays what a person would get, as a trial. */
  try() {
    this.#tell("This is how you are told", "The render farm has news for you.", "trial", links.jobs());
  }

  #onJob(job) {
    if (!["completed", "failed"].includes(job.state)) return;
    if (!job.ended_at || clock.now() - Date.parse(job.ended_at) > NEWS_MS) return;
    if (this.#choice.which === "watched" && !this.isWatched(job.id)) return;
    if (!claim(`job ${job.id} ${job.ended_at}`)) return;
    const title = job.state === "completed" ? `${job.name} is done` : `${job.name} failed`;
    this.#tell(title, job.reason ?? `${job.finished} of ${job.frame_count} frames are finished.`, `job ${job.id}`, links.job(job.id));
  }

  #onAgent(agent) {
    if (!agent.set_aside || this.#choice.which === "watched" || !claim(`agent ${agent.id} ${agent.set_aside}`)) return;
    this.#tell(`${agent.name} needs a look`, agent.set_aside, `agent ${agent.id}`, links.agents());
  }

  #tell(title, body, tag, hash) {
    if (this.#choice.sound) chime();
    if (!this.#choice.show || !this.possible || Notification.permission !== "granted") return;
    const note = new Notification(title, { body, tag, icon: new URL("icon.svg", document.baseURI).href });
    note.addEventListener("click", () => {
      window.focus();
      location.hash = hash;
      note.close();
    });
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

/** Of all tabs that hear of something, the first one tells. */
function claim(what) {
  const key = "renderfarm-told";
  const told = JSON.parse(localStorage.getItem(key) ?? "[]");
  if (told.includes(what)) return false;
  localStorage.setItem(key, JSON.stringify([...told, what].slice(-100)));
  return true;
}

/** Two soft notes. */
function chime() {
  const audio = new AudioContext();
  for (const [place, pitch] of [659.3, 880].entries()) {
    const [tone, volume] = [audio.createOscillator(), audio.createGain()];
    const at = audio.currentTime + place * 0.16;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.16, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.55);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.6);
  }
  setTimeout(() => audio.close(), 1500);
}
