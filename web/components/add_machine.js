/** Lets a machine in: shows a code to type there, and the machine as soon as it has joined. */
import { addresses, api } from "../api.js";
import { clock } from "../clock.js";
import { commandLine } from "./command_line.js";
import { el, icon, setText } from "./element.js";

/** Where an address leads to the computer that it is typed on, it is of no use on another one. */
const ONLY_HERE = Object.freeze(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Opens the dialog.
 *
 * @param {Fleet} fleet
 * @param {(work: () => Promise<void>) => Promise<void>} guard
 */
export function addMachine(fleet, guard) {
  /** The code that is shown, or null. */
  let code = null;
  /** Agents that were online before: who is not among them may be the one. */
  let known = new Set();
  const line = el("div", { class: "join-line" });
  const digits = el("p", { class: "join-code", "aria-label": "Join code" });
  const status = el("p", { class: "join-status", role: "status" });
  const again = el("button", { class: "button", type: "button", on: { click: () => guard(make) } });
  const done = el("button", { class: "button primary", type: "button", on: { click: () => dialog.close() } }, "Done");
  const dialog = el(
    "dialog",
    { class: "add-machine", "aria-labelledby": "add-machine-title" },
    el(
      "div",
      {},
      el("h2", { id: "add-machine-title" }, "Add a machine"),
      el("p", {}, "On the machine, with Blender and the render farm’s software installed, run this line in a terminal:"),
      line,
      ONLY_HERE.includes(location.hostname) ? el("p", { class: "join-hint" }, HINT) : null,
      digits,
      status,
      el("div", { class: "buttons" }, again, done),
    ),
  );

  async function make() {
    code = null;
    again.hidden = true;
    known = new Set(fleet.online.map((agent) => agent.id));
    code = await api.makeJoinCode();
    line.replaceChildren(commandLine(joinCommand(code.code)));
    setText(digits, code.code);
    show("waiting", "");
    tick();
  }

  function show(state, words) {
    dialog.dataset.state = state;
    if (state !== "waiting") status.replaceChildren(icon(state === "joined" ? "completed" : "blocked"), el("span", {}, words));
    again.hidden = state === "waiting";
    setText(again, state === "joined" ? "Add another machine" : "Make another code");
  }

  function tick() {
    if (code === null || dialog.dataset.state !== "waiting") return;
    const left = Math.ceil((Date.parse(code.expires_at) - clock.now()) / 1000);
    if (left <= 0) {
      show("expired", "The code has run out: no machine has used it.");
      return;
    }
    const minutes = Math.floor(left / 60);
    const words = `Waiting for the machine. The code is good for ${minutes}:${String(left % 60).padStart(2, "0")} more.`;
    // A screen reader need not hear every second.
    status.setAttribute("aria-live", left % 60 === 0 ? "polite" : "off");
    setText(status, words);
  }

  /** Asks what became of the code whenever a machine comes that was not there. */
  async function look() {
    const news = fleet.online.filter((agent) => !known.has(agent.id));
    if (code === null || news.length === 0) return;
    for (const agent of news) known.add(agent.id);
    const { agent: id } = await api.joinCode(code.id);
    const agent = fleet.online.find((one) => one.id === id);
    if (agent) show("joined", `${agent.name} has joined the farm.`);
  }

  const onChange = () => guard(look);
  fleet.addEventListener("change", onChange);
  const stopClock = clock.everySecond(tick);
  dialog.addEventListener("close", () => {
    fleet.removeEventListener("change", onChange);
    stopClock();
    dialog.remove();
  });
  guard(async () => {
    await make();
    document.body.append(dialog);
    dialog.showModal();
  });
}

const HINT =
  "It looks for this coordinator on the local network by itself. This works only when the coordinator listens on the " +
  "network: start it with --host 0.0.0.0.";

function joinCommand(code) {
  const where = ONLY_HERE.includes(location.hostname) ? "" : ` --coordinator ${addresses.farm()}`;
  return `renderfarm agent${where} --join-code ${code}`;
}
