/** Has a person be told when jobs end, or not any more. */
import { el } from "./element.js";

/**
 * @param {() => number[]} ids returns the jobs.
 * @returns {{element: HTMLElement, update: () => void}} `update` shows whether they are watched.
 */
export function watchButton(alerts, guard, tell, ids) {
  const element = el("button", { class: "button", type: "button", on: { click: () => guard(watch) } }, "Watch");
  element.title = "Be told when it ends";

  async function watch() {
    await alerts.watch(ids());
    const { show, sound } = alerts.choice;
    if (watched() && !show && !sound) tell("Watched. The bell above lets you choose how you are told.");
  }

  function watched() {
    return ids().every((id) => alerts.isWatched(id));
  }

  function update() {
    element.setAttribute("aria-pressed", String(watched()));
  }

  return { element, update };
}
