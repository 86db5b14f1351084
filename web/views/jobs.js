/** The list of jobs, running and past. */
import { addresses, api, Refused } from "../api.js";
import { clock } from "../clock.js";
import { commandLine } from "../components/command_line.js";
import { el, setAttribute, setText } from "../components/element.js";
import { jobRow } from "../components/job_row.js";
import { KeyedList } from "../components/keyed_list.js";
import { emptyState, loadError, loading } from "../components/notice.js";
import { plural } from "../format.js";
import { links } from "../router.js";
import { ACTIVE_STATES, ENDED_STATES } from "../words.js";

const FILTERS = [
  { show: "all", label: "All", states: null },
  { show: "active", label: "Active", states: ACTIVE_STATES },
  { show: "finished", label: "Finished", states: ENDED_STATES },
];

export function jobsView({ live, fleet, guard }) {
  let filter = FILTERS[0];
  let jobs = new Map();
  let next = null;
  let loaded = false;
  let request = new AbortController();
  /** Jobs that live events brought while the list was fetched; they may be newer than what comes. */
  let overtaken = new Map();

  const summary = el("p", { class: "summary" });
  const filters = el("nav", { class: "filters", "aria-label": "Show jobs" });
  for (const { show, label } of FILTERS) filters.append(el("a", { href: links.jobs(show), "data-show": show }, label));
  const rows = el("ul", { class: "job-list", "aria-label": "Jobs" });
  const list = new KeyedList(rows, jobRow);
  const more = el("button", { class: "button more", type: "button", hidden: true }, "Show older jobs");
  more.addEventListener("click", () => guard(loadMore));
  const body = el("div", {}, loading());
  const element = el(
    "section",
    { class: "jobs" },
    el("header", { class: "page-head" }, el("div", {}, el("h1", { tabindex: -1 }, "Jobs"), summary), filters),
    body,
  );

  /** Fetches the newest jobs anew; older ones that were shown are kept as they are. */
  async function refresh() {
    request.abort();
    request = new AbortController();
    overtaken = new Map();
    const { signal } = request;
    try {
      const page = await api.jobs({ states: filter.states }, { signal });
      const kept = olderThan(page);
      if (kept.length === 0) next = page.next;
      jobs = new Map([...page.items, ...kept].map((job) => [job.id, job]));
      loaded = true;
      overtaken.forEach(put);
      show();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (loaded || !(error instanceof Refused)) throw error;
      body.replaceChildren(loadError(error.message, () => guard(refresh)));
    }
  }

  /** The jobs shown that follow on a new first page without a gap. */
  function olderThan(page) {
    const known = [...jobs.values()];
    const edge = oldest(page.items);
    const overlaps = known.some((job) => job.id >= edge);
    return overlaps && page.next !== null ? known.filter((job) => job.id < edge) : [];
  }

  async function loadMore() {
    more.disabled = true;
    try {
      const page = await api.jobs({ states: filter.states, cursor: next }, { signal: request.signal });
      for (const job of page.items) jobs.set(job.id, job);
      next = page.next;
      show();
    } finally {
      more.disabled = false;
    }
  }

  function show() {
    const shown = [...jobs.values()].sort((a, b) => b.id - a.id);
    list.update(shown, (job) => job.id);
    more.hidden = next === null;
    if (shown.length === 0) body.replaceChildren(nothing(filter));
    else if (!rows.isConnected) body.replaceChildren(rows, more);
  }

  function onJob({ detail: job }) {
    overtaken.set(job.id, job);
    if (!loaded) return;
    put(job);
    show();
  }

  function put(job) {
    const belongs = filter.states === null || filter.states.includes(job.state);
    // A job older than all that is shown comes in with "Show older jobs".
    const beyond = next !== null && !jobs.has(job.id) && job.id < oldest([...jobs.values()]);
    if (belongs && !beyond) jobs.set(job.id, job);
    else jobs.delete(job.id);
  }

  function showSummary() {
    setText(summary, fleet.loaded ? fleetSummary(fleet.online) : "");
  }

  live.addEventListener("job", onJob);
  fleet.addEventListener("change", showSummary);
  const stopClock = clock.everySecond(() => [...list.parts()].forEach((row) => row.tick()));
  showSummary();

  return {
    element,
    title: () => "Jobs",
    refresh,
    route(route) {
      const chosen = FILTERS.find(({ show }) => show === route.show) ?? FILTERS[0];
      for (const link of filters.children) {
        setAttribute(link, "aria-current", link.dataset.show === chosen.show ? "true" : null);
      }
      if (chosen === filter) return;
      filter = chosen;
      loaded = false;
      jobs.clear();
      next = null;
      body.replaceChildren(loading());
      guard(refresh);
    },
    close() {
      request.abort();
      live.removeEventListener("job", onJob);
      fleet.removeEventListener("change", showSummary);
      stopClock();
    },
  };
}

function oldest(jobs) {
  return Math.min(...jobs.map((job) => job.id));
}

function fleetSummary(online) {
  if (online.length === 0) return "No agent is online";
  const slots = online.flatMap((agent) => agent.slots);
  const busy = slots.filter((slot) => slot.job !== null).length;
  const where = `on ${plural(online.length, "agent", "agents")}`;
  return busy === 0 ? `${plural(slots.length, "slot", "slots")} idle ${where}` : `${busy} of ${slots.length} slots at work ${where}`;
}

function nothing(filter) {
  if (filter.show === "active") {
    return emptyState("completed", "Nothing is running", el("p", {}, "Jobs that wait, render or are being stitched show up here."));
  }
  if (filter.show === "finished") {
    return emptyState("queued", "No job has ended yet", el("p", {}, "Completed, failed and cancelled jobs show up here."));
  }
  return emptyState(
    "picture",
    "No jobs yet",
    el(
      "p",
      {},
      "In Blender, with the add-on: open your scene, go to Properties → Output → Render Farm and press ",
      el("strong", {}, "Submit to Farm"),
      ".",
    ),
    el("p", {}, "Or in a terminal, with RENDERFARM_TOKEN set to your admin token:"),
    commandLine(`renderfarm submit scene.blend --coordinator ${addresses.farm()}`),
  );
}
