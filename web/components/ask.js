/** Asks for something in a dialog with fields.  Resolves to true when the person agrees to what they filled in. */
import { el } from "./element.js";

export function ask({ title, text, controls, first, agree }) {
  const dialog = el(
    "dialog",
    { class: "confirm", "aria-labelledby": "ask-title" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "ask-title" }, title),
      el("p", {}, text),
      ...controls,
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
  first.select();
  // Enter presses a form's first button, which here is the one that changes nothing.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.localName !== "input") return;
    event.preventDefault();
    if (event.target.form.reportValidity()) dialog.close("agree");
  });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "agree");
    });
  });
}
