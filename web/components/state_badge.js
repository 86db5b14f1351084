/** A job's state, as an icon and a word. */
import { JOB_STATES } from "../words.js";
import { el, icon } from "./element.js";

export function stateBadge() {
  const element = el("span", { class: "badge" });
  return {
    element,
    update(state) {
      if (element.dataset.state === state) return;
      element.dataset.state = state;
      element.replaceChildren(icon(state), JOB_STATES[state] ?? state);
    },
  };
}
