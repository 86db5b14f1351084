/** One machine: what it is, how it is, what each of its slots does, and what can be done about it. */
import { api } from "../api.js";
import { clock } from "../clock.js";
import { ago, bytes, dateTime, number, percent, plural, version } from "../format.js";
import { presenceName } from "../words.js";
import { askWords } from "./ask_words.js";
import { confirm } from "./confirm.js";
import { el, icon, setText } from "./element.js";
import { machineLoad } from "./machine_load.js";
import { slotList } from "./slot_list.js";

/** A speed that is no farther from 1 says nothing. */
const ABOUT_TYPICAL = 0.05;
/** Presences that need no explanation: the slots show it. */
const PLAIN = Object.freeze(["working", "idle"]);

/** @param {import("../load_history.js").LoadHistory} loads how the cards of all agents were. */
export function agentCard(first, guard, loads) {
  let agent = first;
  const name = el("h2", {});
  const presence = el("span", { class: "presence" });
  const seen = el("span", { class: "agent-seen" });
  const about = el("p", { class: "agent-about" });
  const facts = el("dl", { class: "facts" });
  const tags = el("p", { class: "tags" });
  const slots = slotList("job");
  const load = machineLoad();
  const trouble = el("span", {});
  const reinstate = button("Let it work again", () => api.steerAgent(agent.id, "reinstate"));
  const setAside = el("div", { class: "notice warning", hidden: true }, icon("warning"), el("div", {}, trouble, reinstate));
  const pause = button("Pause", () => api.steerAgent(agent.id, "drain"));
  pause.title = "It finishes the frames that it renders and gets no others, until you resume it";
  const resume = button("Resume", () => api.steerAgent(agent.id, "resume"));
  const stop = button("Stop now", stopNow);
  const aside = button("Set aside…", askAside);
  aside.title = "It gets no more work, and everybody reads why, until it is let back";
  const labels = button("Tags and pools…", askLabels);
  const remove = button("Remove", () => api.removeAgent(agent.id));
  remove.title = "Take it off this list; it is back when it joins again";
  const away = button("Send away…", sendAway);
  away.title = "It stops, and comes back with a new join code only";
  const buttons = el("div", { class: "buttons" }, pause, resume, stop, aside, labels, away, remove);
  const element = el(
    "li",
    { class: "panel agent" },
    el("header", {}, el("div", {}, name, seen), presence),
    setAside,
    about,
    slots.element,
    load.element,
    facts,
    tags,
    buttons,
  );
  let shown = "";

  function button(words, action) {
    return el("button", { class: "button", type: "button", on: { click: () => guard(action) } }, words);
  }

  async function stopNow() {
    const agreed = await confirm({
      title: `Stop ${agent.name} now?`,
      text:
        "What it is rendering at this moment is thrown away and rendered again by other machines. It gets no more frames " +
        "until you resume it. “Pause” lets it finish first.",
      agree: "Stop it now",
      refuse: "Let it go on",
    });
    if (agreed) await api.steerAgent(agent.id, "stop");
  }

  async function askAside() {
    const words = await askWords({
      title: `Set ${agent.name} aside?`,
      text: "It finishes the frames that it renders and gets no others, until somebody lets it work again.",
      fields: [{ label: "Why?", hint: "For everybody who looks at the farm, such as “its fan rattles”.", required: true, most: 500 }],
      agree: "Set it aside",
    });
    if (words !== null) await api.setAgentAside(agent.id, words[0]);
  }

  async function askLabels() {
    const words = await askWords({
      title: `Tags and pools of ${agent.name}`,
      text: "Jobs may ask for tags, and for a pool. Separate several by commas.",
      fields: [
        { label: "Tags", value: agent.farm_tags.join(", "), hint: ownText(agent.tags, agent.farm_tags) },
        { label: "Pools", value: agent.farm_pools.join(", "), hint: ownText(agent.pools, agent.farm_pools) },
      ],
      agree: "Save",
    });
    if (words !== null) await api.changeAgent(agent.id, { tags: listed(words[0]), pools: listed(words[1]) });
  }

  async function sendAway() {
    const agreed = await confirm({
      title: `Send ${agent.name} away?`,
      text: "It stops at once, and what it renders goes to other machines. It comes back only when you add it anew, with a new join code.",
      agree: "Send it away",
      refuse: "Keep it",
    });
    if (agreed) await api.revokeAgent(agent.id);
  }

  function tick() {
    setText(seen, agent.state === "online" ? agent.hardware.os : `last seen ${ago(agent.last_seen_at, clock.now())}`);
    seen.title = `Last seen ${dateTime(agent.last_seen_at)}`;
  }

  return {
    element,
    tick,
    update(next) {
      agent = next;
      element.dataset.presence = agent.presence;
      setText(name, agent.name);
      name.title = agent.hardware.hostname;
      setText(presence, presenceName(agent.presence));
      const words = troubleText(agent);
      setAside.hidden = words === null;
      setText(trouble, words ?? "");
      setText(about, agent.explanation);
      about.hidden = PLAIN.includes(agent.presence) || agent.presence === "set_aside";
      const online = agent.state === "online";
      slots.update(online ? agent.slots : []);
      loads.note(agent);
      load.update(online ? agent.telemetry : null, loads.of(agent.id));
      pause.hidden = !online || agent.drained;
      resume.hidden = !agent.drained;
      stop.hidden = !online || agent.slots.every((slot) => slot.job === null);
      aside.hidden = agent.state === "left" || agent.set_aside !== null;
      away.hidden = agent.state === "left";
      remove.hidden = online;
      const signature = JSON.stringify([agent.hardware, agent.blenders, agent.version, agent.tags, agent.pools, agent.speed, agent.sandboxed, recordText(agent)]);
      if (signature !== shown) {
        shown = signature;
        facts.replaceChildren(...factRows(agent));
        const chips = [...agent.pools.map((pool) => `pool ${pool}`), ...agent.tags];
        if (!agent.sandboxed) chips.push("no sandbox");
        tags.replaceChildren(...chips.map((label) => el("span", {}, label)));
        tags.hidden = chips.length === 0;
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

function factRows(agent) {
  const { hardware, blenders, speed, version: software } = agent;
  const rows = [
    ["Blender", blenders.map((blender) => version(blender.version)).join(", ")],
    ["Processor", `${hardware.cpu}, ${plural(hardware.cpu_count, "thread", "threads")}`],
    ["Memory", bytes(hardware.memory_bytes)],
    ["Graphics", gpuText(hardware.gpus)],
    ["Speed", speedText(speed)],
    ["Finished", recordText(agent)],
    ["Software", software],
  ];
  return rows.filter(([, value]) => value !== null).map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)));
}

/** "97 % of its last 214 attempts", or null before the first. */
function recordText({ recent_finished: finished, recent_failed: failed }) {
  const all = finished + failed;
  if (all === 0) return null;
  // One failure in a thousand is none too many to be seen.
  const share = failed === 0 ? 1 : Math.min(finished / all, 0.99);
  return `${percent(share)} of its last ${all === 1 ? "attempt" : `${number(all)} attempts`}`;
}

/** What an agent's own settings give it beside what people do. */
function ownText(all, given) {
  const own = all.filter((name) => !given.includes(name));
  return own.length === 0 ? "" : `Its own settings add ${own.join(", ")}.`;
}

/** "a, b" as ["a", "b"], without repeats. */
function listed(text) {
  return [...new Set(text.split(",").map((word) => word.trim()))].filter((word) => word !== "");
}

/** "1.8 × the farm’s usual one", or null where it is about that. */
function speedText(speed) {
  return Math.abs(speed - 1) < ABOUT_TYPICAL ? null : `${speed.toFixed(speed < 10 ? 1 : 0)} × the farm’s usual one`;
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
