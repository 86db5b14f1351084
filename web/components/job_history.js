/** A job's history in words, newest first. */
import { api } from "../api.js";
import { ago, dateTime } from "../format.js";
import { clock } from "../clock.js";
import { el, setAttribute, setText } from "./element.js";
import { KeyedList } from "./keyed_list.js";

/** @param {(work: () => Promise<void>) => void} guard runs work and shows its errors. */
export function jobHistory(jobId, guard) {
  const events = new Map();
  const rows = el("ol", { class: "history", reversed: true });
  const list = new KeyedList(rows, eventRow);
  const more = el("button", { class: "button more", type: "button", hidden: true }, "Show what came before");
  const kinds = el("div", { class: "segments", role: "group", "aria-label": "Which events" }, kind("notable", "What matters"), kind("all", "Every frame"));
  const element = el("div", {}, kinds, rows, more);
  let chosen = "notable";
  let next = null;
  let reached = false;
  let loading = false;
  let again = false;

  function kind(name, label) {
    const button = el("button", { type: "button", "aria-pressed": String(name === "notable") }, label);
    button.addEventListener("click", () => {
      chosen = name;
      for (const other of kinds.children) setAttribute(other, "aria-pressed", String(other === button));
      events.clear();
      reached = false;
      guard(refresh);
    });
    return button;
  }

  async function load(cursor) {
    const asked = chosen;
    const answer = await api.jobEvents(jobId, { cursor, kinds: asked });
    if (asked !== chosen) return;
    // Of what happened since the last look, more than a page may have been missed: then it begins anew.
    const missed = cursor === null && reached && answer.next !== null && !answer.items.some(({ id }) => events.has(id));
    if (missed) events.clear();
    if (cursor !== null || !reached || missed) next = answer.next;
    reached = true;
    more.hidden = next === null;
    for (const event of answer.items) events.set(event.id, event);
    list.update([...events.values()].sort((a, b) => b.id - a.id), (event) => event.id);
  }

  /** One at a time; what happened while it was on its way is fetched after it. */
  async function refresh() {
    again = true;
    if (loading) return;
    loading = true;
    try {
      while (again) {
        again = false;
        await load(null);
      }
    } finally {
      loading = false;
    }
  }

  more.addEventListener("click", () => guard(() => load(next)));

  return {
    element,
    refresh,
    tick() {
      for (const row of list.parts()) row.tick();
    },
  };
}

function eventRow(event) {
  const time = el("time", { datetime: event.at, title: dateTime(event.at) });
  const element = el("li", { "data-kind": event.kind }, el("span", { class: "history-words" }, event.message), time);
  const tick = () => setText(time, ago(event.at, clock.now()));
  return { element, update: tick, tick };
}
