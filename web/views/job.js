/** One job: its progress, who works on it, its frames, film, times, history and files. */
import { api, Refused } from "../api.js";
import { clock } from "../clock.js";
import { el } from "../components/element.js";
import { jobPage } from "../components/job_page.js";
import { emptyState, loadError, loading } from "../components/notice.js";
import { percent } from "../format.js";
import { links } from "../router.js";
import { isActive } from "../words.js";

export function jobView({ live, fleet, guard, tell, alerts, replaceRoute, retitle }, { id }) {
  const element = el("section", { class: "job" }, loading());
  const request = new AbortController();
  let job = null;
  let page = null;
  let route = null;
  /** The job as a live event brought it while it was fetched; that may be newer than what comes. */
  let overtaken = null;

  async function refresh() {
    overtaken = null;
    try {
      const fetched = await api.job(id, { signal: request.signal });
      take({ ...fetched, ...overtaken });
      page.happened();
      await page.frames.load();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Refused) || job !== null) throw error;
      const missing = error.code === "not_found";
      element.replaceChildren(missing ? noSuchJob(id) : loadError(error.message, () => guard(refresh)));
    }
  }

  function take(next) {
    const reframed = job !== null && next.frames !== job.frames;
    job = next;
    if (page === null || reframed) {
      page?.close();
      page = jobPage({ job, guard, tell, alerts, replaceRoute, refresh });
      element.replaceChildren(...page.children);
    }
    page.update(job);
    page.updateSlots(fleet);
    if (route) page.route(route);
    retitle();
  }

  /** List events come without the failures and doubts; those are fetched when their number has changed. */
  function onJob({ detail: change }) {
    if (change.id !== id) return;
    overtaken = { ...overtaken, ...change };
    if (page === null) return;
    const detail = { ...job, ...change };
    const { failures, doubts, slots } = job;
    const opened = detail.finished < job.finished || detail.frames !== job.frames;
    const changed =
      opened || detail.failed !== job.failed || detail.doubtful !== job.doubtful || detail.state !== job.state || detail.reason !== job.reason;
    take({ failures, doubts, slots, ...detail });
    if (changed) guard(refresh);
    else page.happened();
  }

  function onFrame({ detail }) {
    if (detail.job === id) page?.frames.apply(detail);
  }

  function onFleet() {
    page?.updateSlots(fleet);
  }

  function onGone({ detail }) {
    if (detail.id !== id || page === null) return;
    page.close();
    page = null;
    job = null;
    element.replaceChildren(noSuchJob(id));
  }

  live.addEventListener("job", onJob);
  live.addEventListener("job_gone", onGone);
  live.addEventListener("frame", onFrame);
  fleet.addEventListener("change", onFleet);
  const stopClock = clock.everySecond(() => page?.tick());

  return {
    element,
    title() {
      if (job === null) return `Job ${id}`;
      return isActive(job) ? `${percent(job.progress)} · ${job.name}` : job.name;
    },
    refresh,
    route(next) {
      route = next;
      page?.route(route);
    },
    close() {
      request.abort();
      live.removeEventListener("job", onJob);
      live.removeEventListener("job_gone", onGone);
      live.removeEventListener("frame", onFrame);
      fleet.removeEventListener("change", onFleet);
      stopClock();
      page?.close();
    },
  };
}

function noSuchJob(id) {
  return emptyState(
    "picture",
    `There is no job ${id}`,
    el("p", {}, "The address may be mistyped, or the job is on another farm."),
    el("a", { class: "button", href: links.jobs() }, "See all jobs"),
  );
}
