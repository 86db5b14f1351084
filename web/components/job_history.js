/** A job's history in words, oldest first. */
import { api } from "../api.js";
import { ago, dateTime } from "../format.js";
import { clock } from "../clock.js";
import { el, setText } from "./element.js";
import { KeyedList } from "./keyed_list.js";

/** @param {(work: () => Promise<void>) => void} guard runs work and shows its errors. */
export function jobHistory(jobId, guard) {
  const events = new Map();
  const rows = el("ol", { class: "history" });
  const list = new KeyedList(rows, eventRow);
  const more = el("button", { class: "button more", type: "button", hidden: true }, "Show what came next");
  const element = el("div", {}, rows, more);
  let page = null;
  let next = null;
  let loading = false;
  let again = false;

  /** Fetches the page at a cursor; the last page is fetched again later, because it grows. */
  async function load(cursor) {
    const answer = await api.jobEvents(jobId, cursor);
    page = cursor;
    next = answer.next;
    more.hidden = next === null;
    for (const event of answer.items) events.set(event.id, event);
    list.update([...events.values()].sort((a, b) => a.id - b.id), (event) => event.id);
  }

  /** One at a time; what happened while the last page was on its way is fetched after it. */
  async function refresh() {
    again = true;
    if (loading) return;
    loading = true;
    try {
      while (again) {
        again = false;
        await load(page);
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
