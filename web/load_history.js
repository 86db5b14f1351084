/** How the machines’ graphics cards were in the last half hour: what the coordinator remembers, and what came since. */
import { api } from "./api.js";
import { clock } from "./clock.js";

const KEPT_MS = 30 * 60_000;
/** Machines tell at most every ten seconds, so these are more than come in that time. */
const MOST = 400;

export class LoadHistory {
  /** By agent: `{at, cards: [{celsius, utilization, memory}]}`, the oldest first; `at` is in milliseconds since 1970. */
  #points = new Map();
  /** By agent: what it told last, by which a new measurement is known. */
  #told = new Map();

  async fetch() {
    const { items } = await api.agentLoads();
    for (const { agent, at, cards } of items) {
      const known = at.map((seconds, place) => ({
        at: seconds * 1000,
        cards: cards.map((card) => ({
          celsius: card.celsius[place],
          utilization: card.utilization[place],
          memory: card.memory[place],
        })),
      }));
      const newer = this.of(agent).filter((point) => point.at > known.at(-1).at);
      this.#points.set(agent, [...known, ...newer]);
    }
  }

  /** Takes note of what an agent has just told. */
  note({ id, telemetry }) {
    if (telemetry === null) return;
    const text = JSON.stringify(telemetry);
    if (this.#told.get(id) === text) return;
    this.#told.set(id, text);
    const cards = telemetry.gpus.map(({ celsius, utilization, memory_used_bytes: used, memory_bytes: all }) => ({
      celsius,
      utilization,
      memory: used === null || !all ? null : Math.min(1, used / all),
    }));
    const now = clock.now();
    const points = [...this.of(id), { at: now, cards }].filter(({ at }) => at > now - KEPT_MS);
    this.#points.set(id, points.slice(-MOST));
  }

  of(id) {
    return this.#points.get(id) ?? [];
  }
}
