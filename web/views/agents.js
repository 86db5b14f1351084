/** The agents: what they are, and what each of their slots does. */
import { addresses, api } from "../api.js";
import { clock } from "../clock.js";
import { commandLine } from "../components/command_line.js";
import { el, icon, setText } from "../components/element.js";
import { KeyedList } from "../components/keyed_list.js";
import { emptyState, loading } from "../components/notice.js";
import { slotList } from "../components/slot_list.js";
import { ago, bytes, dateTime, plural, version } from "../format.js";

/** A speed that is no farther from 1 says nothing. */
const ABOUT_TYPICAL = 0.05;

export function agentsView({ fleet, guard }) {
  const summary = el("p", { class: "summary" });
  const cards = el("ul", { class: "agent-list", "aria-label": "Agents" });
  const list = new KeyedList(cards, (agent) => agentCard(agent, guard));
  const body = el("div", {}, loading());
  const element = el(
    "section",
    { class: "agents" },
    el("header", { class: "page-head" }, el("div", {}, el("h1", { tabindex: -1 }, "Agents"), summary)),
    body,
  );

  function show() {
    if (!fleet.loaded) return;
    const { agents, online } = fleet;
    list.update(agents, (agent) => agent.id);
    setText(summary, agents.length === 0 ? "" : `${online.length} of ${plural(agents.length, "agent", "agents")} online`);
    if (agents.length === 0) body.replaceChildren(noAgents());
    else if (!cards.isConnected) body.replaceChildren(cards, addAgent());
  }

  fleet.addEventListener("change", show);
  const stopClock = clock.everySecond(() => [...list.parts()].forEach((card) => card.tick()));
  show();

  return {
    element,
    title: () => "Agents",
    refresh: async () => {},
    route() {},
    close() {
      fleet.removeEventListener("change", show);
      stopClock();
    },
  };
}

function agentCard(first, guard) {
  let agent = first;
  const name = el("h2", {});
  const state = el("span", { class: "presence" });
  const seen = el("span", { class: "agent-seen" });
  const facts = el("dl", { class: "facts" });
  const tags = el("p", { class: "tags" });
  const slots = slotList("job");
  const trouble = el("span", {});
  const reinstate = el("button", { class: "button", type: "button" }, "Let it work again");
  reinstate.addEventListener("click", () => guard(() => api.reinstateAgent(agent.id)));
  const setAside = el("div", { class: "notice warning", hidden: true }, icon("warning"), el("div", {}, trouble, reinstate));
  const element = el(
    "li",
    { class: "panel agent" },
    el("header", {}, el("div", {}, name, seen), state),
    setAside,
    slots.element,
    facts,
    tags,
  );
  let shown = "";

  function tick() {
    setText(seen, agent.state === "online" ? agent.hardware.os : `last seen ${ago(agent.last_seen_at, clock.now())}`);
    seen.title = `Last seen ${dateTime(agent.last_seen_at)}`;
  }

  return {
    element,
    tick,
    update(next) {
      agent = next;
      element.dataset.state = agent.state;
      setText(name, agent.name);
      name.title = agent.hardware.hostname;
      const words = troubleText(agent);
      setAside.hidden = words === null;
      setText(trouble, words ?? "");
      element.dataset.aside = String(agent.set_aside !== null);
      setText(state, agent.state !== "online" ? "Offline" : agent.set_aside === null ? "Online" : "Set aside");
      slots.update(agent.state === "online" ? agent.slots : []);
      const signature = JSON.stringify([agent.hardware, agent.blenders, agent.version, agent.tags, agent.pools, agent.speed]);
      if (signature !== shown) {
        shown = signature;
        facts.replaceChildren(...factRows(agent));
        const labels = [...agent.pools.map((pool) => `pool ${pool}`), ...agent.tags];
        tags.replaceChildren(...labels.map((label) => el("span", {}, label)));
        tags.hidden = labels.length === 0;
      }
      tick();
    },
  };
}

/** Why an agent gets no work, or none of some jobs; null when all is well. */
function troubleText(agent) {
  if (agent.set_aside !== null) return agent.set_aside;
  if (agent.set_aside_jobs.length === 0) return null;
  const jobs = agent.set_aside_jobs.map((id) => `#${id}`).join(", ");
  return `It gets no more work of ${agent.set_aside_jobs.length === 1 ? "job" : "jobs"} ${jobs}: it failed what others rendered.`;
}

function factRows({ hardware, blenders, speed, version: software }) {
  const rows = [
    ["Blender", blenders.map((blender) => version(blender.version)).join(", ")],
    ["Processor", `${hardware.cpu}, ${plural(hardware.cpu_count, "thread", "threads")}`],
    ["Memory", bytes(hardware.memory_bytes)],
    ["Graphics", gpuText(hardware.gpus)],
    ["Speed", speedText(speed)],
    ["Software", software],
  ];
  return rows.filter(([, value]) => value !== null).map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)));
}

/** "1.8 × the farm’s typical slot", or null where it is about that. */
function speedText(speed) {
  return Math.abs(speed - 1) < ABOUT_TYPICAL ? null : `${speed.toFixed(speed < 10 ? 1 : 0)} × the farm’s typical slot`;
}

/** "2 × RTX 4090, 24 GiB; RTX 3060, 12 GiB", or null where there is no graphics card. */
function gpuText(gpus) {
  const counts = new Map();
  for (const { name, memory_bytes: memory } of gpus) {
    const text = memory === null ? name : `${name}, ${bytes(memory)}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => (count === 1 ? text : `${count} × ${text}`)).join("; ") || null;
}

function joinCommand() {
  return `renderfarm agent --coordinator ${addresses.farm()} --join-token rf_join_…`;
}

const WHERE_JOIN_TOKEN =
  "The coordinator printed the join token when it first started. “renderfarm token create join” makes another.";

function noAgents() {
  return emptyState(
    "agent",
    "No agents yet",
    el("p", {}, "An agent is a machine that renders. On each machine that has Blender, run:"),
    commandLine(joinCommand()),
    el("p", {}, WHERE_JOIN_TOKEN),
  );
}

function addAgent() {
  return el(
    "details",
    { class: "add-agent" },
    el("summary", {}, "Add another machine"),
    el("p", {}, "On a machine that has Blender, run:"),
    commandLine(joinCommand()),
    el("p", {}, WHERE_JOIN_TOKEN),
  );
}
