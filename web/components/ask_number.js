/** Asks for a number.  Resolves to null when the person changes their mind. */
import { el } from "./element.js";

export function askNumber({ title, text, label, value, least, most, agree }) {
  const input = el("input", { type: "number", "aria-label": label, min: least, max: most, step: 1, required: true, value });
  const dialog = el(
    "dialog",
    { class: "confirm", "aria-labelledby": "ask-title" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "ask-title" }, title),
      el("p", {}, text),
      input,
      el(
        "div",
        { class: "buttons" },
        el("button", { class: "button", value: "refuse", formnovalidate: true }, "Leave it"),
        el("button", { class: "button primary", value: "agree" }, agree),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  input.select();
  // Enter presses a form's first button, which here is the one that changes nothing.
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (input.reportValidity()) dialog.close("agree");
  });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "agree" ? input.valueAsNumber : null);
    });
  });
}
