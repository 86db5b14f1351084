/** What a job has cost: the render time of its frames, by what rendered them, and the energy of the cards. */
import { api } from "../api.js";
import { duration, energy, number, plural } from "../format.js";
import { el } from "./element.js";

/** @param {(work: () => Promise<void>) => void} guard runs work and shows its errors. */
export function jobCost(jobId, guard) {
  const sum = el("p", { class: "cost-sum" });
  const rows = el("tbody", {});
  const table = el(
    "table",
    { class: "plain-table", hidden: true },
    el("caption", { class: "visually-hidden" }, "Render time by device"),
    el("thead", {}, el("tr", {}, ...["Rendered with", "Agents", "Frames", "Time"].map((name) => el("th", { scope: "col" }, name)))),
    rows,
  );
  const element = el("section", { class: "panel job-cost" }, el("h2", {}, "Cost"), sum, table);

  async function load() {
    const cost = await api.jobCost(jobId);
    table.hidden = cost.frames === 0;
    const kinds = [];
    if (cost.gpu_seconds > 0) kinds.push(`${duration(cost.gpu_seconds)} on graphics cards`);
    if (cost.seconds - cost.gpu_seconds > 0) kinds.push(`${duration(cost.seconds - cost.gpu_seconds)} on processors`);
    sum.textContent =
      cost.frames === 0 ? "Nothing yet." : `${plural(cost.frames, "frame", "frames")} took ${kinds.join(" and ")}.${drawn(cost)}`;
    rows.replaceChildren(
      ...cost.devices.map(({ device, hardware, agents, frames, seconds }) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, hardware, el("span", { class: "cost-device" }, device === "CPU" ? "Processor" : device)),
          el("td", {}, agents.length <= 3 ? agents.join(", ") : plural(agents.length, "agent", "agents")),
          el("td", {}, number(frames)),
          el("td", {}, duration(seconds)),
        ),
      ),
    );
  }

  return { element, refresh: () => guard(load) };
}

/** What graphics cards drew, where they told: of all frames that they rendered, or of some. */
function drawn({ devices, energy_frames, energy_joules }) {
  if (energy_frames === 0) return "";
  const rendered = devices.filter(({ device }) => device !== "CPU").reduce((sum, { frames }) => sum + frames, 0);
  const of = energy_frames < rendered ? ` for ${number(energy_frames)} of ${plural(rendered, "frame", "frames")}` : "";
  return ` The graphics cards used ${energy(energy_joules)}${of}.`;
}
