/** The list of jobs, running and past. */
import { addresses, api, Refused } from "../api.js";
import { clock } from "../clock.js";
import { commandLine } from "../components/command_line.js";
import { el, setAttribute, setText } from "../components/element.js";
import { jobActions } from "../components/bulk_actions.js";
import { jobRow } from "../components/job_row.js";
import { jobSearch } from "../components/job_search.js";
import { KeyedList } from "../components/keyed_list.js";
import { emptyState, loadError, loading } from "../components/notice.js";
import { listen } from "../components/shortcuts.js";
import { fleetSummary } from "../fleet.js";
import { belongs, comparator } from "../job_order.js";
import { EVERY_JOB, links } from "../router.js";
import { ACTIVE_STATES, ENDED_STATES, SLOT_MEANS } from "../words.js";

const FILTERS = [
  { show: "all", label: "All", states: null },
  { show: "active", label: "Active", states: ACTIVE_STATES },
  { show: "finished", label: "Finished", states: ENDED_STATES },
  { show: "failed", label: "Failed", states: ["failed"] },
];
/** A list that only the coordinator can bring up to date is fetched anew after so many milliseconds. */
const SOON_MS = 1500;
/** Columns with a heading; those with a `sort` sort by it. */
const COLUMNS = [
  { label: "Job", sort: "name" },
  { label: "Progress" },
  { label: "Time", sort: "ended" },
  { label: "Speed" },
  { label: "Priority", sort: "priority" },
  { label: "Who" },
];

export function jobsView({ live, fleet, guard, replaceRoute, tell, alerts }) {
  let wanted = null;
  let jobs = new Map();
  let next = null;
  let loaded = false;
  let request = new AbortController();
  /** Jobs that live events brought while the list was fetched; they may be newer than what comes. */
  let overtaken = new Map();
  let soon = null;
  let drawing = null;
  const selected = new Set();
  /** The job whose box was ticked last: from there on Shift ticks all. */
  let anchor = null;

  const summary = el("p", { class: "summary", title: SLOT_MEANS });
  const filters = el("nav", { class: "filters", "aria-label": "Show jobs" });
  for (const { label } of FILTERS) filters.append(el("a", {}, label));
  const search = jobSearch((changes) => replaceRoute(links.jobs({ ...wanted, ...changes })));
  const all = el("input", { type: "checkbox", "aria-label": "Select all jobs that are shown", on: { click: selectAll } });
  const headings = COLUMNS.map(({ label, sort }) =>
    el("div", { role: "columnheader" }, sort ? el("a", { "data-sort": sort }, label) : label),
  );
  const head = el(
    "div",
    { class: "job-head", role: "row" },
    el("div", { role: "columnheader", class: "job-pick" }, el("label", {}, all)),
    el("div", { role: "columnheader" }, el("span", { class: "visually-hidden" }, "Picture")),
    ...headings,
  );
  const rows = el("div", { class: "job-rows", role: "rowgroup" });
  const list = new KeyedList(rows, (job) => jobRow(job, onSelect));
  const table = el("div", { class: "job-table", role: "table", "aria-label": "Jobs" }, el("div", { role: "rowgroup" }, head), rows);
  const more = el("button", { class: "button more", type: "button", hidden: true }, "Show more jobs");
  more.addEventListener("click", () => guard(loadMore));
  const nearEnd = new IntersectionObserver(([entry]) => entry.isIntersecting && guard(loadMore), { rootMargin: "600px" });
  nearEnd.observe(more);
  const actions = jobActions(selection, guard, tell, clearSelection, alerts);
  const body = el("div", {}, loading());
  const element = el(
    "section",
    { class: "jobs" },
    el("header", { class: "page-head" }, el("div", {}, el("h1", { tabindex: -1 }, "Jobs"), summary), filters),
    search.element,
    body,
    actions.element,
  );

  const query = () => ({
    states: FILTERS.find(({ show }) => show === wanted.show)?.states ?? null,
    user: wanted.user,
    q: wanted.q,
    since: wanted.from ? new Date(`${wanted.from}T00:00`).toISOString() : null,
    until: wanted.to ? dayAfter(wanted.to) : null,
    sort: wanted.sort,
  });

  /** Fetches the first page anew; what follows on it without a gap is kept as it is. */
  async function refresh() {
    request.abort();
    request = new AbortController();
    overtaken = new Map();
    const { signal } = request;
    try {
      const page = await api.jobs(query(), { signal });
      const kept = following(page);
      if (kept.length === 0) next = page.next;
      jobs = new Map([...page.items, ...kept].map((job) => [job.id, job]));
      loaded = true;
      overtaken.forEach(put);
      show();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (loaded || !(error instanceof Refused)) throw error;
      body.replaceChildren(loadError(error.message, () => guard(refresh)));
      return;
    }
    search.showUsers((await api.users({ signal })).items.map((user) => user.name));
    search.update(wanted);
  }

  /** The jobs shown that follow on a new first page without a gap. */
  function following(page) {
    if (page.next === null || page.items.length === 0) return [];
    const compare = comparator(wanted.sort);
    const edge = page.items.at(-1);
    const known = [...jobs.values()];
    return known.some((job) => compare(job, edge) <= 0) ? known.filter((job) => compare(job, edge) > 0) : [];
  }

  async function loadMore() {
    if (more.disabled || next === null || !loaded) return;
    more.disabled = true;
    try {
      const page = await api.jobs({ ...query(), cursor: next }, { signal: request.signal });
      for (const job of page.items) jobs.set(job.id, job);
      next = page.next;
      show();
    } finally {
      more.disabled = false;
    }
    // The observer speaks up only when the button comes into sight, and it may have stayed there.
    nearEnd.unobserve(more);
    nearEnd.observe(more);
  }

  function show() {
    const shown = [...jobs.values()].sort(comparator(wanted.sort));
    list.update(shown, (job) => job.id);
    more.hidden = next === null;
    if (shown.length === 0) body.replaceChildren(nothing(wanted, () => replaceRoute(links.jobs())));
    else if (!table.isConnected) body.replaceChildren(table, more);
    // Rows that come are not selected, so that no row needs a look for its tick unless a selected one has gone.
    const gone = [...selected].filter((id) => !jobs.has(id));
    for (const id of gone) selected.delete(id);
    if (gone.length > 0) showSelection();
    else showCount();
  }

  function onJob({ detail: change }) {
    const job = { ...(jobs.get(change.id) ?? overtaken.get(change.id)), ...change };
    overtaken.set(job.id, job);
    if (!loaded) return;
    put(job);
    showSoon();
  }

  /** All that changes between two pictures on the screen is drawn once. */
  function showSoon() {
    drawing ??= requestAnimationFrame(() => {
      drawing = null;
      show();
    });
  }

  function put(job) {
    if (job.created_at === undefined) {
      // It was changed and is not in the list: it may belong there now.
      fetchSoon();
      return;
    }
    const fits = belongs(job, query());
    if (fits === null && !jobs.has(job.id)) {
      fetchSoon();
      return;
    }
    const compare = comparator(wanted.sort);
    // A job behind all that is shown comes in with the pages that follow.
    const last = next === null || jobs.has(job.id) ? null : [...jobs.values()].sort(compare).at(-1);
    if (fits === false || (last && compare(job, last) > 0)) jobs.delete(job.id);
    else jobs.set(job.id, job);
  }

  function fetchSoon() {
    soon ??= setTimeout(() => {
      soon = null;
      guard(refresh);
    }, SOON_MS);
  }

  function onGone({ detail: { id } }) {
    if (jobs.delete(id)) showSoon();
  }

  /* Selecting */

  function selection() {
    return [...jobs.values()].filter((job) => selected.has(job.id));
  }

  function onSelect(job, event) {
    const chosen = event.target.checked;
    const order = [...rows.children].map((row) => Number(row.dataset.job));
    const from = event.shiftKey && anchor !== null ? order.indexOf(anchor) : -1;
    const to = order.indexOf(job.id);
    const range = from < 0 ? [job.id] : order.slice(Math.min(from, to), Math.max(from, to) + 1);
    for (const id of range) select(id, chosen);
    anchor = job.id;
    showSelection();
  }

  function select(id, chosen) {
    if (chosen) selected.add(id);
    else selected.delete(id);
  }

  function selectAll() {
    for (const id of jobs.keys()) select(id, all.checked);
    showSelection();
  }

  function clearSelection() {
    selected.clear();
    showSelection();
  }

  function showSelection() {
    for (const [id, part] of list.entries()) part.select(selected.has(id));
    showCount();
  }

  /** What is shown of the selection outside the rows. */
  function showCount() {
    all.checked = selected.size > 0 && selected.size === jobs.size;
    all.indeterminate = selected.size > 0 && selected.size < jobs.size;
    actions.update();
  }

  /* Keys */

  const focused = () => document.activeElement?.closest?.(".job-row") ?? null;

  function move(step) {
    const row = focused();
    const target = row === null ? (step > 0 ? rows.firstElementChild : rows.lastElementChild) : step > 0 ? row.nextElementSibling : row.previousElementSibling;
    target?.focus();
    target?.scrollIntoView({ block: "nearest" });
  }

  function toggleFocused() {
    const row = focused();
    if (row === null) return;
    const id = Number(row.dataset.job);
    select(id, !selected.has(id));
    anchor = id;
    showSelection();
  }

  const stopKeys = listen([
    { keys: ["j", "ArrowDown"], shown: "j ↓", words: "Next job", act: () => move(1) },
    { keys: ["k", "ArrowUp"], shown: "k ↑", words: "Job before", act: () => move(-1) },
    { keys: ["Enter", "o"], shown: "Enter", words: "Open the job", act: () => focused()?.querySelector(".job-name").click() },
    { keys: ["x"], shown: "x", words: "Select the job, or not any more", act: toggleFocused },
    { keys: ["Escape"], shown: "Esc", words: "Select nothing", act: clearSelection },
    { keys: ["/"], shown: "/", words: "Search", act: () => search.focus() },
  ]);

  function showSummary() {
    setText(summary, fleet.loaded ? fleetSummary(fleet.online) : "");
  }

  live.addEventListener("job", onJob);
  live.addEventListener("job_gone", onGone);
  fleet.addEventListener("change", showSummary);
  const stopClock = clock.everySecond(() => {
    if (!document.hidden) for (const row of list.parts()) row.tick();
  });
  showSummary();

  return {
    element,
    title: () => "Jobs",
    refresh: async () => {
      if (wanted !== null) await refresh();
    },
    route(route) {
      const key = JSON.stringify(route.wanted);
      if (wanted !== null && JSON.stringify(wanted) === key) return;
      wanted = route.wanted;
      for (const [place, { show }] of FILTERS.entries()) {
        const link = filters.children[place];
        setAttribute(link, "href", links.jobs({ ...wanted, show }));
        setAttribute(link, "aria-current", show === wanted.show ? "true" : null);
      }
      for (const heading of headings) {
        const link = heading.firstElementChild;
        if (!link) continue;
        const { sort } = link.dataset;
        setAttribute(link, "href", links.jobs({ ...wanted, sort: sort === wanted.sort ? "newest" : sort }));
        setAttribute(heading, "aria-sort", sort === wanted.sort ? (sort === "name" ? "ascending" : "descending") : null);
      }
      search.update(wanted);
      loaded = false;
      jobs.clear();
      selected.clear();
      next = null;
      showSelection();
      if (!table.isConnected) body.replaceChildren(loading());
      guard(refresh);
    },
    close() {
      request.abort();
      clearTimeout(soon);
      cancelAnimationFrame(drawing);
      search.close();
      actions.close();
      nearEnd.disconnect();
      stopKeys();
      live.removeEventListener("job", onJob);
      live.removeEventListener("job_gone", onGone);
      fleet.removeEventListener("change", showSummary);
      stopClock();
    },
  };
}

/** The beginning of the day after, where the reader is. */
function dayAfter(day) {
  const date = new Date(`${day}T00:00`);
  date.setDate(date.getDate() + 1);
  return date.toISOString();
}

function nothing(wanted, clear) {
  const searched = Object.keys(EVERY_JOB).some((name) => !["show", "sort"].includes(name) && wanted[name] !== "");
  if (searched) {
    return emptyState(
      "search",
      "No job fits",
      el("p", {}, "A search looks for words in the names of jobs, of people and of .blend files."),
      el("button", { class: "button", type: "button", on: { click: clear } }, "Show all jobs"),
    );
  }
  if (wanted.show === "active") {
    return emptyState("completed", "Nothing is running", el("p", {}, "Jobs that wait, render or are being stitched show up here."));
  }
  if (wanted.show === "failed") return emptyState("completed", "Nothing has failed", el("p", {}, "Jobs that could not be rendered show up here."));
  if (wanted.show === "finished" || wanted.sort === "ended") {
    return emptyState("queued", "No job has ended yet", el("p", {}, "Completed, failed and cancelled jobs show up here."));
  }
  return emptyState(
    "picture",
    "No jobs yet",
    el(
      "p",
      {},
      el("strong", {}, "Drop a .blend file anywhere on this page"),
      ", or the folder of a project. ",
      el("a", { href: links.newJob() }, "Choose files"),
    ),
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
