/** How a machine is: each graphics card's use, temperature and memory, now and lately; then its processor and its disk. */
import { bytes, percent } from "../format.js";
import { el, setText } from "./element.js";
import { KeyedList } from "./keyed_list.js";
import { sparkline } from "./chart.js";

/** Degrees Celsius at which cards begin to slow down. */
const HOT = 85;
/** Degrees Celsius at the lower and the upper end of the line. */
const COLD = 20;
const BOILING = 100;
/** Less free space than this is worth a look. */
const LITTLE_ROOM = 20 * 1024 ** 3;

export function machineLoad() {
  const cards = el("ul", { "aria-label": "Graphics cards" });
  const list = new KeyedList(cards, cardLoad);
  const rest = el("p", {});
  const element = el("div", { class: "load", hidden: true }, cards, rest);
  return {
    element,
    /**
     * @param {object | null} telemetry as the agent told it last; null hides it.
     * @param {Array<{at: number, cards: object[]}>} history how its cards were.
     */
    update(telemetry, history) {
      element.hidden = telemetry === null;
      if (telemetry === null) return;
      // Of other cards than it has now, nothing is shown.
      const points = history.filter(({ cards: then }) => then.length === telemetry.gpus.length);
      list.update(telemetry.gpus.map((gpu, place) => ({ ...gpu, place, points })), (gpu) => gpu.place);
      cards.hidden = telemetry.gpus.length === 0;
      const { cpu_utilization: processor, disk_free_bytes: room } = telemetry;
      setText(rest, [processor === null ? null : `Processor ${percent(processor)}`, room === null ? null : `${bytes(room)} free on disk`].filter(Boolean).join(" · "));
      rest.dataset.little = String(room !== null && room < LITTLE_ROOM);
    },
  };
}

function cardLoad() {
  const name = el("span", { class: "load-name" });
  const watts = el("span", { class: "load-watts" });
  const measures = MEASURES.map(measure);
  const lines = el("div", { class: "load-lines" }, ...measures.map((it) => it.element));
  const element = el("li", {}, name, watts, lines);
  return {
    element,
    update({ points, place, ...gpu }) {
      setText(name, gpu.name.replace(/^NVIDIA (GeForce )?/, ""));
      name.title = gpu.name;
      element.dataset.hot = String(gpu.celsius !== null && gpu.celsius >= HOT);
      const told = measures.map((it) => it.update(gpu, points.map(({ at, cards }) => ({ at, card: cards[place] }))));
      lines.hidden = !told.includes(true);
      setText(watts, gpu.watts === null ? (lines.hidden ? "tells nothing" : "") : `${Math.round(gpu.watts)} W`);
    },
  };
}

/** What is measured of a card: what it is called, its words now, and where a value stands between 0 and 1. */
const MEASURES = [
  {
    kind: "use",
    label: "Use of the graphics card in the last half hour",
    words: ({ utilization }) => (utilization === null ? null : `Use ${percent(utilization)}`),
    share: ({ utilization }) => utilization,
  },
  {
    kind: "heat",
    label: "Temperature of the graphics card in the last half hour, from 20 to 100 °C",
    words: ({ celsius }) => (celsius === null ? null : `${Math.round(celsius)} °C`),
    share: ({ celsius }) => (celsius === null ? null : (celsius - COLD) / (BOILING - COLD)),
  },
  {
    kind: "memory",
    label: "Memory of the graphics card in the last half hour",
    words: ({ memory_used_bytes: used, memory_bytes: all }) =>
      used === null ? null : all === null ? bytes(used) : memoryText(bytes(used), bytes(all)),
    share: ({ memory }) => memory,
  },
];

/** "6.0 of 24 GiB": there is little room, so one unit is told once. */
function memoryText(used, all) {
  const unit = all.slice(all.indexOf(" "));
  return `${used.endsWith(unit) ? used.slice(0, -unit.length) : used} of ${all}`;
}

function measure({ kind, label, words, share }) {
  const now = el("span", { class: "load-words" });
  const line = sparkline(label);
  const element = el("div", { class: `load-line ${kind}` }, now, line.element);
  return {
    element,
    /** Returns whether there is anything to tell. */
    update(gpu, history) {
      const told = words(gpu);
      element.hidden = told === null;
      if (told === null) return false;
      setText(now, told);
      const points = history.map(({ at, card }) => ({ at, value: share(card) }));
      line.element.toggleAttribute("hidden", points.filter(({ value }) => value !== null).length < 2);
      line.update(points);
      return true;
    },
  };
}
