/** The farm's agents, fetched whole at every refresh and patched by live events; three views look at them. */
import { api } from "./api.js";
import { plural } from "./format.js";

/** Made once: making one for each comparison takes a hundred times as long. */
const NAMES = new Intl.Collator("en", { numeric: true });

export class Fleet extends EventTarget {
  #agents = new Map();
  #loaded = false;
  /** Agents that live events brought while the list was fetched; they may be newer than what comes. */
  #overtaken = new Map();
  #telling = null;

  constructor(live) {
    super();
    live.addEventListener("agent", (event) => {
      const known = { ...this.#agents.get(event.detail.id), ...event.detail };
      if (known.hardware === undefined) {
        // It was taken off the list, or has just come: what it is was not told here.
        this.refresh().catch(() => {});
        return;
      }
      this.#agents.set(known.id, known);
      this.#overtaken.set(known.id, known);
      this.#changed();
    });
  }

  get loaded() {
    return this.#loaded;
  }

  /** Agents that have not left, online ones first, then by name. */
  get agents() {
    const rank = (agent) => (agent.state === "online" ? 0 : 1);
    return [...this.#agents.values()]
      .filter((agent) => agent.state !== "left")
      .sort((a, b) => rank(a) - rank(b) || NAMES.compare(a.name, b.name));
  }

  /** Those that have left and were not taken off the list, the last one first. */
  get gone() {
    return [...this.#agents.values()]
      .filter((agent) => agent.state === "left" && !agent.removed)
      .sort((a, b) => Date.parse(b.last_seen_at) - Date.parse(a.last_seen_at));
  }

  get online() {
    return this.agents.filter((agent) => agent.state === "online");
  }

  /** The slots that work on a job, each with its agent's name and whether that agent has no other. */
  slotsOf(jobId) {
    return this.online.flatMap((agent) =>
      agent.slots
        .filter((slot) => slot.job === jobId)
        .map((slot) => ({ ...slot, agent: agent.name, alone: agent.slots.length === 1 })),
    );
  }

  async refresh() {
    const agents = new Map();
    this.#overtaken.clear();
    let cursor = null;
    do {
      const page = await api.agents(cursor);
      for (const agent of page.items) agents.set(agent.id, agent);
      cursor = page.next;
    } while (cursor);
    this.#agents = new Map([...agents, ...this.#overtaken]);
    this.#loaded = true;
    this.#changed();
  }

  /** All that changes between two pictures on the screen is told once: a farm of hundreds says a lot. */
  #changed() {
    this.#telling ??= requestAnimationFrame(() => {
      this.#telling = null;
      this.dispatchEvent(new Event("change"));
    });
  }
}

/** "3 of 8 slots at work on 4 agents". */
export function fleetSummary(online) {
  if (online.length === 0) return "No agent is online";
  const slots = online.flatMap((agent) => agent.slots);
  const busy = slots.filter((slot) => slot.job !== null).length;
  const where = `on ${plural(online.length, "agent", "agents")}`;
  return busy === 0 ? `${plural(slots.length, "slot", "slots")} idle ${where}` : `${busy} of ${slots.length} slots at work ${where}`;
}
