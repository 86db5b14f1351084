/** Keys of a view, and the list of them that "?" shows. */
import { el } from "./element.js";

/**
 * Listens until the returned function is called.  Keys that are typed into a field, or while a dialog is open, are left alone.
 *
 * @param {Array<{keys: string[], shown: string, words: string, act: (event: KeyboardEvent) => void}>} shortcuts
 */
export function listen(shortcuts) {
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const field = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
    if (field) return;
    if (event.key === "?") {
      showHelp(shortcuts);
      return;
    }
    const shortcut = shortcuts.find(({ keys }) => keys.includes(event.key));
    if (!shortcut || (event.key === "Enter" && event.target.closest?.("a, button"))) return;
    event.preventDefault();
    shortcut.act(event);
  }
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

function showHelp(shortcuts) {
  const rows = [...shortcuts, { shown: "?", words: "Show this list" }].map(({ shown, words }) =>
    el("div", {}, el("dt", {}, ...shown.split(" ").map((key) => el("kbd", {}, key))), el("dd", {}, words)),
  );
  const dialog = el(
    "dialog",
    { class: "confirm shortcuts", "aria-labelledby": "shortcuts-title" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "shortcuts-title" }, "Keys"),
      el("dl", {}, ...rows),
      el("div", { class: "buttons" }, el("button", { class: "button", autofocus: true }, "Close")),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
