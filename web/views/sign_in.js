/** Signing in with the admin token. */
import { api, ApiError } from "../api.js";
import { commandLine } from "../components/command_line.js";
import { el, setText } from "../components/element.js";

/** @param {string | null} problem what went wrong before, to show at once. */
export function signInView({ onSignedIn, problem = null }) {
  const input = el("input", {
    id: "token",
    name: "token",
    type: "password",
    autocomplete: "current-password",
    spellcheck: "false",
    placeholder: "rf_admin_…",
    required: true,
    "aria-describedby": "token-problem",
  });
  const message = el("p", { id: "token-problem", class: "form-problem", role: "alert" }, problem ?? "");
  const button = el("button", { class: "button primary", type: "submit" }, "Sign in");
  const form = el("form", {}, el("label", { for: "token" }, "Admin token"), input, message, button);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    setText(message, "");
    try {
      await api.signIn(input.value.trim());
      onSignedIn();
    } catch (error) {
      setText(message, signInProblem(error));
      input.setAttribute("aria-invalid", "true");
      input.select();
    } finally {
      button.disabled = false;
    }
  });

  const element = el(
    "section",
    { class: "sign-in" },
    el(
      "div",
      { class: "sign-in-card" },
      el("img", { class: "sign-in-mark", src: "icon.svg", alt: "", width: 56, height: 56 }),
      el("h1", { tabindex: -1 }, "Render Farm"),
      el("p", {}, "Sign in to see what renders and what rendered."),
      form,
      el(
        "details",
        {},
        el("summary", {}, "Where do I find the token?"),
        el("p", {}, "The coordinator prints it in its terminal when it starts for the first time. It begins with rf_admin_."),
        el("p", {}, "It is not shown twice. On the coordinator’s machine, this makes another:"),
        commandLine("renderfarm token create admin"),
      ),
    ),
  );
  return { element, focus: () => input.focus() };
}

/** The coordinator's own sentence, or why there is none. */
export function signInProblem(error) {
  return error instanceof ApiError ? error.message : `${error.message} Check that it runs, then try again.`;
}
