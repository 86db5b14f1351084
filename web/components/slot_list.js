/** What slots are doing, one line each. */
import { estimate, percent } from "../format.js";
import { links } from "../router.js";
import { slotWords } from "../words.js";
import { el, setAttribute, setText } from "./element.js";
import { KeyedList } from "./keyed_list.js";
import { progressBar } from "./progress_bar.js";

/** @param {"agent" | "job"} heading which of a slot's names stands above its line. */
export function slotList(heading) {
  const element = el("ul", { class: "slots" });
  const list = new KeyedList(element, () => slotLine(heading));
  return {
    element,
    update(slots) {
      list.update(slots, (slot) => `${slot.agent ?? ""}/${slot.slot}`);
    },
  };
}

function slotLine(heading) {
  const title = el(heading === "job" ? "a" : "span", { class: "slot-title" });
  const words = el("span", { class: "slot-words" });
  const left = el("span", { class: "slot-left" });
  const bar = progressBar("Progress of the frame", "thin");
  const element = el("li", { class: "slot" }, title, words, left, bar.element);
  return {
    element,
    update(slot) {
      const rendering = slot.stage === "rendering";
      element.dataset.state = slot.job === null ? "idle" : "busy";
      if (heading === "job") {
        setText(title, slot.job === null ? `Slot ${slot.slot}` : (slot.job_name ?? `Job ${slot.job}`));
        setAttribute(title, "href", slot.job === null ? null : links.job(slot.job));
      } else {
        setText(title, slot.alone ? slot.agent : `${slot.agent}, slot ${slot.slot}`);
      }
      setText(words, slotWords(slot));
      setText(left, rendering ? leftText(slot) : "");
      bar.update(rendering ? slot.progress ?? 0 : 0, slot.job === null ? "idle" : "running");
    },
  };
}

function leftText(slot) {
  const share = percent(slot.progress ?? 0);
  return slot.remaining_seconds === null ? share : `${share} · ${estimate(slot.remaining_seconds)} left`;
}
