/** Asks before something that cannot be undone.  Resolves to true when the person agrees. */
import { el } from "./element.js";

export function confirm({ title, text, agree, refuse }) {
  const dialog = el(
    "dialog",
    { class: "confirm", "aria-labelledby": "confirm-title" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "confirm-title" }, title),
      el("p", {}, text),
      el(
        "div",
        { class: "buttons" },
        el("button", { class: "button", value: "refuse", autofocus: true }, refuse),
        el("button", { class: "button danger", value: "agree" }, agree),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "agree");
    });
  });
}
