/** A line for the terminal with a button that copies it. */
import { el, icon } from "./element.js";

const CONFIRMATION_MS = 2000;

export function commandLine(command) {
  const label = el("span", { class: "visually-hidden", "aria-live": "polite" }, "");
  const code = el("code", {}, command);
  const button = el("button", { class: "icon-button", type: "button", title: "Copy", "aria-label": "Copy the command" });
  button.append(icon("copy"));
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
    } catch {
      // Browsers allow the clipboard over HTTPS and on localhost only: elsewhere the line is selected for Ctrl-C.
      getSelection().selectAllChildren(code);
      return;
    }
    label.textContent = "Copied";
    button.classList.add("done");
    button.replaceChildren(icon("completed"));
    setTimeout(() => {
      label.textContent = "";
      button.classList.remove("done");
      button.replaceChildren(icon("copy"));
    }, CONFIRMATION_MS);
  });
  return el("div", { class: "command-line" }, code, button, label);
}
