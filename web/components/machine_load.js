/** How a machine is: each graphics card's temperature, power, load and memory; then its processor and its disk. */
import { bytes, percent } from "../format.js";
import { el, setText } from "./element.js";
import { KeyedList } from "./keyed_list.js";
import { sparkline } from "./chart.js";
import { progressBar } from "./progress_bar.js";

/** Degrees Celsius at which cards begin to slow down. */
const HOT = 85;
/** So many measurements are drawn: with one in ten seconds, the last ten minutes. */
const KEPT = 60;
/** Less free space than this is worth a look. */
const LITTLE_ROOM = 20 * 1024 ** 3;

export function machineLoad() {
  const cards = el("ul", { "aria-label": "Graphics cards" });
  const list = new KeyedList(cards, cardLoad);
  const rest = el("p", {});
  const element = el("div", { class: "load", hidden: true }, cards, rest);
  return {
    element,
    /** @param {object | null} telemetry as the agent told it last; null hides it. */
    update(telemetry) {
      element.hidden = telemetry === null;
      if (telemetry === null) return;
      list.update(telemetry.gpus.map((gpu, place) => ({ ...gpu, place })), (gpu) => gpu.place);
      cards.hidden = telemetry.gpus.length === 0;
      const { cpu_utilization: processor, disk_free_bytes: room } = telemetry;
      setText(rest, [processor === null ? null : `Processor ${percent(processor)}`, room === null ? null : `${bytes(room)} free on disk`].filter(Boolean).join(" · "));
      rest.dataset.little = String(room !== null && room < LITTLE_ROOM);
    },
  };
}

function cardLoad() {
  const name = el("span", { class: "load-name" });
  const words = el("span", { class: "load-words" });
  const memory = progressBar("Memory of the graphics card", "thin");
  const use = sparkline("Use of the graphics card over the last minutes");
  const seen = [];
  const element = el("li", {}, name, words, use.element, memory.element);
  return {
    element,
    update(gpu) {
      setText(name, gpu.name.replace(/^NVIDIA (GeForce )?/, ""));
      name.title = gpu.name;
      setText(words, loadText(gpu));
      element.dataset.hot = String(gpu.celsius !== null && gpu.celsius >= HOT);
      seen.push(gpu.utilization);
      seen.splice(0, seen.length - KEPT);
      use.element.toggleAttribute("hidden", seen.length < 2 || seen.every((value) => value === null));
      use.update(seen);
      const told = gpu.memory_used_bytes !== null && gpu.memory_bytes;
      memory.element.hidden = !told;
      if (told) memory.update(gpu.memory_used_bytes / gpu.memory_bytes, "idle");
    },
  };
}

/** "61 °C · 120 W · 87 % · 5.1 GiB of 24 GiB", without what the card does not measure. */
function loadText({ celsius, watts, utilization, memory_used_bytes: used, memory_bytes: all }) {
  const parts = [
    celsius === null ? null : `${Math.round(celsius)} °C`,
    watts === null ? null : `${Math.round(watts)} W`,
    utilization === null ? null : percent(utilization),
    used === null ? null : all === null ? bytes(used) : `${bytes(used)} of ${bytes(all)}`,
  ];
  return parts.filter((part) => part !== null).join(" · ") || "tells nothing";
}
