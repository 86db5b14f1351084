/** Boxes that say something in words: empty lists, errors and warnings. */
import { el, icon } from "./element.js";

/** An empty list: what would be here, and how to get it there. */
export function emptyState(iconName, title, ...children) {
  return el("div", { class: "empty" }, icon(iconName), el("h2", {}, title), ...children);
}

/** A view that could not be loaded, with a way to try again. */
export function loadError(message, retry) {
  return el(
    "div",
    { class: "empty", role: "alert" },
    icon("warning"),
    el("h2", {}, "This could not be loaded"),
    el("p", {}, message),
    el("button", { class: "button", type: "button", on: { click: retry } }, "Try again"),
  );
}

/** Bars that breathe while a view loads. */
export function loading() {
  return el("div", { class: "loading", role: "status" }, el("span", { class: "visually-hidden" }, "Loading…"));
}
