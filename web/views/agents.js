/** The farm's machines. */
import { api } from "../api.js";
import { clock } from "../clock.js";
import { addMachine } from "../components/add_machine.js";
import { agentCard } from "../components/agent_card.js";
import { el, setText } from "../components/element.js";
import { KeyedList } from "../components/keyed_list.js";
import { emptyState, loading } from "../components/notice.js";
import { ago, plural } from "../format.js";
import { LoadHistory } from "../load_history.js";
import { SLOT_MEANS } from "../words.js";

export function agentsView({ fleet, guard }) {
  const summary = el("p", { class: "summary" });
  const loads = new LoadHistory();
  const cards = el("ul", { class: "agent-list", "aria-label": "Agents" });
  const list = new KeyedList(cards, (agent) => agentCard(agent, guard, loads));
  const gone = goneList(guard);
  const body = el("div", {}, loading());
  const element = el(
    "section",
    { class: "agents" },
    el("header", { class: "page-head" }, el("div", {}, el("h1", { tabindex: -1 }, "Agents"), summary), addButton()),
    body,
  );

  function addButton() {
    return el(
      "button",
      { class: "button primary", type: "button", on: { click: () => addMachine(fleet, guard) } },
      "Add a machine",
    );
  }

  function show() {
    if (!fleet.loaded) return;
    const { agents, online } = fleet;
    list.update(agents, (agent) => agent.id);
    gone.update(fleet.gone);
    setText(summary, agents.length === 0 ? "" : `${online.length} of ${plural(agents.length, "agent", "agents")} online. ${SLOT_MEANS}`);
    cards.hidden = agents.length === 0;
    if (agents.length === 0) body.replaceChildren(noAgents(), gone.element);
    else if (!cards.isConnected) body.replaceChildren(cards, gone.element);
  }

  fleet.addEventListener("change", show);
  const stopClock = clock.everySecond(() => {
    [...list.parts()].forEach((card) => card.tick());
    gone.tick();
  });
  show();

  return {
    element,
    title: () => "Agents",
    async refresh() {
      await loads.fetch();
      show();
    },
    route() {},
    close() {
      fleet.removeEventListener("change", show);
      stopClock();
    },
  };
}

/** Machines that left, out of the way. */
function goneList(guard) {
  const summary = el("summary", {});
  const rows = el("ul", {});
  const list = new KeyedList(rows, (agent) => goneRow(agent, guard));
  const element = el("details", { class: "gone", hidden: true }, summary, rows);
  return {
    element,
    tick: () => [...list.parts()].forEach((row) => row.tick()),
    update(agents) {
      element.hidden = agents.length === 0;
      setText(summary, `${plural(agents.length, "machine", "machines")} that left`);
      list.update(agents, (agent) => agent.id);
    },
  };
}

function goneRow(first, guard) {
  let agent = first;
  const name = el("span", { class: "gone-name" });
  const seen = el("span", { class: "gone-seen" });
  const remove = el(
    "button",
    { class: "button quiet", type: "button", on: { click: () => guard(() => api.removeAgent(agent.id)) } },
    "Remove",
  );
  const element = el("li", {}, name, seen, remove);
  function tick() {
    setText(seen, `left ${ago(agent.last_seen_at, clock.now())}`);
  }
  return {
    element,
    tick,
    update(next) {
      agent = next;
      setText(name, agent.name);
      name.title = agent.explanation;
      remove.setAttribute("aria-label", `Remove ${agent.name} from the list`);
      tick();
    },
  };
}

function noAgents() {
  return emptyState(
    "agent",
    "No agents yet",
    el("p", {}, "An agent is a machine that renders. “Add a machine” shows the one line to run on it."),
  );
}
