/** A bar that fills from 0 to 1; its label is for those who do not see it. */
import { percent } from "../format.js";
import { el } from "./element.js";

export function progressBar(label, kind = "") {
  const fill = el("span", { class: "progress-fill" });
  const element = el(
    "span",
    { class: `progress ${kind}`, role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 },
    fill,
  );
  return {
    element,
    /** @param {number} fraction 0–1; @param {string} state a job's or slot's state, which colours the bar. */
    update(fraction, state) {
      const shown = Math.min(1, Math.max(0, fraction));
      fill.style.setProperty("transform", `scaleX(${shown})`);
      element.dataset.state = state;
      element.setAttribute("aria-valuenow", String(Math.floor(shown * 100)));
      element.setAttribute("aria-valuetext", percent(shown));
    },
  };
}
