/** The farm at a glance: how busy it is, what waits, what it did, and what its disk holds. */
import { api, Refused } from "../api.js";
import { clock } from "../clock.js";
import { chart } from "../components/chart.js";
import { el, setText } from "../components/element.js";
import { loadError, loading } from "../components/notice.js";
import { storagePanel } from "../components/storage_panel.js";
import { ago, bytes, clockTime, number, percent, plural } from "../format.js";
import { links } from "../router.js";
import { ACTIVE_STATES, SLOT_MEANS } from "../words.js";

const REFRESH_MS = 15_000;
const SPANS = Object.freeze({
  minute: { label: "Day", seconds: 60, count: 1440, group: 10, per: "10 min" },
  hour: { label: "Month", seconds: 3600, count: 744, group: 6, per: "6 h" },
});

export function farmView({ live, guard }) {
  let span = "minute";
  let loaded = false;
  let timer = null;
  const request = new AbortController();
  const slots = tile("Slots at work");
  slots.element.title = SLOT_MEANS;
  const queue = tile("Frames waiting");
  const jobs = tile("Jobs under way");
  const done = tile("Frames in the last hour");
  const disk = tile("Free on disk");
  const tiles = el("ul", { class: "tiles", "aria-label": "The farm now" }, ...[slots, queue, jobs, done, disk].map((one) => one.element));
  const plot = chart("Frames finished over time");
  const choices = el("div", { class: "filters", role: "group", "aria-label": "Period" });
  for (const [name, { label }] of Object.entries(SPANS)) {
    choices.append(el("button", { type: "button", "data-span": name, on: { click: () => choose(name) } }, label));
  }
  const waiting = el("ol", { class: "waiting-list" });
  const nothingWaits = el("p", { class: "panel-summary" }, "No job waits to be begun.");
  const storage = storagePanel(guard, refreshStorage);
  const charts = el(
    "section",
    { class: "panel", "aria-label": "What the farm did" },
    el("header", { class: "panel-head" }, el("h2", {}, "What the farm did"), choices),
    plot.element,
    el("p", { class: "chart-legend" }, el("span", { class: "key bars" }, "frames finished"), el("span", { class: "key line" }, "slots at work, of all")),
  );
  const queuePanel = el("section", { class: "panel", "aria-label": "Waiting longest" }, el("h2", {}, "Waiting longest"), waiting, nothingWaits);
  const body = el("div", {}, loading());
  const page = el("div", { class: "farm-page" }, tiles, charts, queuePanel, storage.element);
  const element = el("section", { class: "farm" }, el("header", { class: "page-head" }, el("h1", { tabindex: -1 }, "Farm")), body);

  async function refresh() {
    clearTimeout(timer);
    timer = setTimeout(() => document.hidden || guard(refresh), REFRESH_MS);
    const { signal } = request;
    try {
      const [now, samples] = await Promise.all([api.farm({ signal }), api.farmSamples(span, { signal })]);
      show(now, samples.items);
      loaded = true;
      if (!page.isConnected) body.replaceChildren(page);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (loaded || !(error instanceof Refused)) throw error;
      body.replaceChildren(loadError(error.message, () => guard(refresh)));
      return;
    }
    await refreshStorage();
  }

  async function refreshStorage() {
    storage.update(await api.storage({ signal: request.signal }));
  }

  function show(now, samples) {
    const idle = now.slots - now.busy_slots;
    slots.update(`${number(now.busy_slots)} of ${number(now.slots)}`, now.slots === 0 ? "No agent is online" : idle === 0 ? "None is idle" : `${plural(idle, "slot is", "slots are")} idle`, now.slots && now.busy_slots / now.slots);
    queue.update(number(now.pending_frames), `in ${plural((now.jobs.queued ?? 0) + (now.jobs.running ?? 0), "job", "jobs")}`);
    const under = ACTIVE_STATES.reduce((sum, state) => sum + (now.jobs[state] ?? 0), 0);
    jobs.update(number(under), `${number(now.jobs.completed ?? 0)} completed, ${number(now.jobs.failed ?? 0)} failed`);
    if (span === "minute") {
      const hour = samples.filter((one) => Date.parse(one.at) > clock.now() - 3_600_000).reduce((sum, one) => sum + one.frames, 0);
      done.update(number(hour), `${(hour / 60).toFixed(hour < 600 ? 1 : 0)} a minute`);
    }
    const used = 1 - now.disk_free_bytes / now.disk_total_bytes;
    disk.update(bytes(now.disk_free_bytes), `${percent(used)} of ${bytes(now.disk_total_bytes)} are used`, used);
    showChart(samples);
    nothingWaits.hidden = now.waiting.length > 0;
    waiting.replaceChildren(
      ...now.waiting.map((job) =>
        el(
          "li",
          {},
          el("a", { href: links.job(job.id) }, job.name),
          el("span", {}, `${job.user} · ${plural(job.frames, "frame", "frames")} · since ${ago(job.since, clock.now()).replace(" ago", "")}`),
          job.reason === null ? null : el("span", { class: "waiting-reason" }, job.reason),
        ),
      ),
    );
  }

  function showChart(samples) {
    const { seconds, count, group, per } = SPANS[span];
    const width = seconds * group * 1000;
    const end = Math.ceil(clock.now() / width) * width;
    const begin = end - count * seconds * 1000;
    const buckets = Array.from({ length: count / group }, () => []);
    for (const one of samples) buckets[Math.floor((Date.parse(one.at) - begin) / width)]?.push(one);
    const mean = (list, name) => list.reduce((sum, one) => sum + one[name], 0) / list.length;
    const points = buckets.map((list, place) => {
      const at = begin + place * width;
      if (list.length === 0) return { value: null, line: null, words: `${clockTime(at, clock.now())}: the coordinator did not run` };
      const frames = list.reduce((sum, one) => sum + one.frames, 0);
      const [busy, all] = [mean(list, "busy"), mean(list, "slots")];
      return { value: frames, line: busy, all, words: `${clockTime(at, clock.now())}: ${plural(frames, "frame", "frames")} in ${per}, ${busy.toFixed(1)} of ${all.toFixed(1)} slots at work` };
    });
    const total = samples.reduce((sum, one) => sum + one.frames, 0);
    const labels = [0, 0.25, 0.5, 0.75, 1].map((share) => {
      const at = begin + share * (end - begin);
      return share === 1 ? "now" : span === "minute" ? clockTime(at, at) : new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short" });
    });
    plot.update(points, labels, {
      summary: `${plural(total, "frame", "frames")} in all.`,
      unit: (value) => `${plural(value, "frame", "frames")} in ${per}`,
      lineMost: Math.max(1, ...points.map((point) => point.all ?? 0)),
    });
  }

  function choose(name) {
    span = name;
    mark();
    guard(refresh);
  }

  function mark() {
    for (const button of choices.children) button.setAttribute("aria-pressed", String(button.dataset.span === span));
  }

  let soon = null;
  const onChange = () => {
    soon ??= setTimeout(() => {
      soon = null;
      if (!document.hidden) guard(refresh);
    }, 2000);
  };
  for (const kind of ["job", "agent"]) live.addEventListener(kind, onChange);
  mark();

  return {
    element,
    title: () => "Farm",
    refresh,
    route() {},
    close() {
      request.abort();
      clearTimeout(timer);
      clearTimeout(soon);
      for (const kind of ["job", "agent"]) live.removeEventListener(kind, onChange);
    },
  };
}

/** One number with its words, and a bar where it is a share of something. */
function tile(label) {
  const value = el("strong", {});
  const words = el("span", {});
  const meter = el("progress", { max: 1, value: 0, hidden: true, "aria-label": label });
  return {
    element: el("li", { class: "panel tile" }, el("span", { class: "tile-label" }, label), value, words, meter),
    update(number, text, share = null) {
      setText(value, number);
      setText(words, text);
      meter.hidden = share === null;
      if (share !== null) meter.value = share;
    },
  };
}
