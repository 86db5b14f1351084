/** The bell in the header, and the dialog in which a person chooses what to be told and how. */
import { api } from "../api.js";
import { el, icon, setText } from "./element.js";

/** @returns {HTMLElement} the button. */
export function alertBell(alerts, guard, tell) {
  const button = el(
    "button",
    { class: "icon-button bell", type: "button", "aria-label": "Notifications", title: "Notifications", on: { click: () => guard(() => open(alerts, guard, tell)) } },
    icon("bell"),
  );
  const mark = () => (button.dataset.on = String(alerts.choice.show || alerts.choice.sound));
  alerts.addEventListener("change", mark);
  mark();
  return button;
}

async function open(alerts, guard, tell) {
  const { email, webhooks } = await api.notifications();
  const show = box("Show a notification of the browser", (on) => alerts.choose({ show: on }));
  const sound = box("Play a sound", (on) => alerts.choose({ sound: on }));
  const which = el(
    "select",
    { "aria-label": "Of which jobs", on: { change: () => guard(() => alerts.choose({ which: which.value })) } },
    el("option", { value: "all" }, "all jobs and machines"),
    el("option", { value: "watched" }, "jobs that I watch"),
  );
  const note = el("p", { class: "alert-note" });
  const address = el("input", { type: "email", "aria-label": "E-mail address", placeholder: "you@example.com" });
  const outside = el("div", { class: "alert-outside" });
  if (email) outside.append(el("div", { class: "buttons" }, address, action("Send a test e-mail", () => trial({ email: address.value.trim() }))));
  if (webhooks > 0) outside.append(el("div", { class: "buttons" }, action(webhooks === 1 ? "Try the webhook" : `Try the ${webhooks} webhooks`, () => trial({}))));
  outside.append(
    el("p", {}, email ? "Jobs that are submitted with an address write to it when they end." : "The farm sends no e-mail: whoever runs it can set RENDERFARM_SMTP_HOST."),
  );
  const dialog = el(
    "dialog",
    { class: "confirm alerts", "aria-labelledby": "alerts-title" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "alerts-title" }, "When a job ends"),
      show.element,
      sound.element,
      el("label", { class: "alert-which" }, "Of ", which),
      note,
      el("h3", {}, "Beyond this browser"),
      outside,
      el("div", { class: "buttons" }, action("Try it", async () => alerts.try()), el("button", { class: "button primary", autofocus: true }, "Done")),
    ),
  );

  function box(words, change) {
    const input = el("input", { type: "checkbox", on: { change: () => guard(() => change(input.checked)) } });
    return { input, element: el("label", { class: "alert-choice" }, input, words) };
  }

  function action(words, act) {
    return el("button", { class: "button", type: "button", on: { click: () => guard(act) } }, words);
  }

  async function trial(what) {
    const { delivered, problems } = await api.tryNotification(what);
    tell(problems.length > 0 ? problems.join(" ") : delivered > 0 ? "It was delivered." : "There was nobody to tell.", problems.length > 0);
  }

  function update() {
    const { choice } = alerts;
    show.input.checked = choice.show;
    show.input.disabled = !alerts.possible;
    sound.input.checked = choice.sound;
    which.value = choice.which;
    const words = !alerts.possible
      ? "Browsers show notifications of pages over HTTPS and on localhost only. The sound works everywhere."
      : Notification.permission === "denied"
        ? "This browser was told to block notifications of this page: allow them in its settings for the page."
        : "They come while a tab of this page is open. To watch single jobs, press Watch on their pages, or for those that are selected in the list.";
    setText(note, words);
  }

  alerts.addEventListener("change", update);
  dialog.addEventListener("close", () => {
    alerts.removeEventListener("change", update);
    dialog.remove();
  });
  update();
  document.body.append(dialog);
  dialog.showModal();
}
