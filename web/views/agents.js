/** The agents: what they are, and what each of their slots does. */
import { addresses } from "../api.js";
import { clock } from "../clock.js";
import { commandLine } from "../components/command_line.js";
import { el, setText } from "../components/element.js";
import { KeyedList } from "../components/keyed_list.js";
import { emptyState, loading } from "../components/notice.js";
import { slotList } from "../components/slot_list.js";
import { ago, bytes, dateTime, plural, version } from "../format.js";

export function agentsView({ fleet }) {
  const summary = el("p", { class: "summary" });
  const cards = el("ul", { class: "agent-list", "aria-label": "Agents" });
  const list = new KeyedList(cards, agentCard);
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

function agentCard(first) {
  let agent = first;
  const name = el("h2", {});
  const state = el("span", { class: "presence" });
  const seen = el("span", { class: "agent-seen" });
  const facts = el("dl", { class: "facts" });
  const tags = el("p", { class: "tags" });
  const slots = slotList("job");
  const element = el(
    "li",
    { class: "panel agent" },
    el("header", {}, el("div", {}, name, seen), state),
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
      setText(state, agent.state === "online" ? "Online" : "Offline");
      slots.update(agent.state === "online" ? agent.slots : []);
      const signature = JSON.stringify([agent.hardware, agent.blenders, agent.version, agent.tags]);
      if (signature !== shown) {
        shown = signature;
        facts.replaceChildren(...factRows(agent));
        tags.replaceChildren(...agent.tags.map((tag) => el("span", {}, tag)));
        tags.hidden = agent.tags.length === 0;
      }
      tick();
    },
  };
}

function factRows({ hardware, blenders, version: software }) {
  const rows = [
    ["Blender", blenders.map((blender) => version(blender.version)).join(", ")],
    ["Processor", `${hardware.cpu}, ${plural(hardware.cpu_count, "thread", "threads")}`],
    ["Memory", bytes(hardware.memory_bytes)],
    ["Graphics", gpuText(hardware.gpus)],
    ["Software", software],
  ];
  return rows.filter(([, value]) => value !== null).map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)));
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
