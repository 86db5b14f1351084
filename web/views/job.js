/** One job: its progress, who works on it, its frames, video and history. */
import { addresses, api, Refused } from "../api.js";
import { clock } from "../clock.js";
import { confirm } from "../components/confirm.js";
import { ContactSheet } from "../components/contact_sheet.js";
import { el, icon, setAttribute, setText } from "../components/element.js";
import { frameViewer } from "../components/frame_viewer.js";
import { jobHistory } from "../components/job_history.js";
import { jobFacts } from "../components/job_facts.js";
import { jobPicture } from "../components/job_picture.js";
import { jobProblems } from "../components/job_problems.js";
import { emptyState, loadError, loading } from "../components/notice.js";
import { slotList } from "../components/slot_list.js";
import { stateBadge } from "../components/state_badge.js";
import { percent, plural } from "../format.js";
import { parseFrameRange } from "../frame_range.js";
import { links } from "../router.js";
import { canPause, isActive } from "../words.js";

const DEFAULT_ASPECT = 16 / 9;

export function jobView({ live, fleet, guard, replaceRoute, retitle }, { id }) {
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
      page.sheet.refresh();
      if (route?.tab === "history") await page.history.refresh();
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
      page = jobPage({ job, guard, replaceRoute, refresh });
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
    else if (route?.tab === "history") guard(() => page.history.refresh());
  }

  function onFrame({ detail }) {
    if (detail.job === id) page?.sheet.mark(detail.frame, detail.state);
  }

  function onFleet() {
    page?.updateSlots(fleet);
  }

  live.addEventListener("job", onJob);
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
      live.removeEventListener("frame", onFrame);
      fleet.removeEventListener("change", onFleet);
      stopClock();
      page?.close();
    },
  };
}

/** The elements of a job's page, once the job is known. */
function jobPage({ job: first, guard, replaceRoute, refresh }) {
  let job = first;
  const name = el("h1", { tabindex: -1 });
  const badge = stateBadge();
  const download = el("a", { class: "button primary", download: true, href: addresses.video(job), hidden: true });
  download.append(icon("download"), "Download MP4");
  const pause = action("Pause", () => api.pauseJob(job.id));
  const resume = action("Resume", () => api.resumeJob(job.id));
  const requeue = action("Requeue", () => api.requeueJob(job.id));
  const cancel = el("button", { class: "button", type: "button", hidden: true }, "Cancel job");
  cancel.addEventListener("click", () => guard(askCancel));

  const picture = jobPicture();
  const facts = jobFacts(job, (priority) => guard(() => carryOut(() => api.changeJob(job.id, { priority }))));
  const problems = jobProblems();
  const slots = slotList("agent");
  const slotPanel = el("section", { class: "panel", hidden: true }, el("h2", {}, "Rendering now"), slots.element);

  const nobody = el(
    "p",
    { class: "notice warning", hidden: true },
    icon("warning"),
    el("span", {}, "No agent is online: the job begins when one is. ", el("a", { href: links.agents() }, "How to start one")),
  );

  const { width, height } = job.output;
  const aspect = width === null || height === null ? DEFAULT_ASPECT : width / height;
  const sheet = new ContactSheet(job, parseFrameRange(job.frames), aspect, guard);
  const past = jobHistory(job.id, guard);
  const tabs = el(
    "nav",
    { class: "filters", "aria-label": "Parts of the job" },
    el("a", { href: links.job(job.id), "data-tab": "frames" }, "Frames"),
    el("a", { href: links.history(job.id), "data-tab": "history" }, "History"),
  );
  const tabBody = el("div", { class: "tab-body" });
  const viewer = frameViewer({
    job,
    record: (frame) => sheet.record(frame),
    want: (frame) => sheet.want(frame),
    neighbour: (frame, direction) => sheet.neighbour(frame, direction),
    go: (frame) => replaceRoute(frame === null ? links.job(job.id) : links.frame(job.id, frame)),
  });
  sheet.element.addEventListener("records", () => viewer.update());

  function action(label, work) {
    const button = el("button", { class: "button", type: "button", hidden: true }, label);
    button.addEventListener("click", () => guard(() => carryOut(work)));
    return button;
  }

  /** What is refused changes nothing, and so shows as it is. */
  async function carryOut(work) {
    try {
      await work();
    } finally {
      await refresh();
    }
  }

  async function askCancel() {
    const agreed = await confirm({
      title: "Cancel this job?",
      text: "The frames that are being rendered stop and the rest is not rendered. Finished frames stay here.",
      agree: "Cancel the job",
      refuse: "Keep rendering",
    });
    if (!agreed) return;
    await carryOut(() => api.cancelJob(job.id));
  }

  return {
    sheet,
    history: past,
    children: [
      el("a", { class: "back-link", href: links.jobs() }, icon("back"), "Jobs"),
      el(
        "header",
        { class: "page-head" },
        el("div", {}, name, el("p", { class: "job-line", role: "status" }, badge.element, el("span", {}, `#${job.id}`))),
        el("div", { class: "buttons" }, pause, resume, requeue, cancel, download),
      ),
      el("div", { class: "job-hero" }, picture.element, facts.element),
      nobody,
      problems.element,
      slotPanel,
      tabs,
      tabBody,
      viewer.element,
    ],
    update(next) {
      job = next;
      setText(name, job.name);
      badge.update(job.state);
      download.hidden = !job.video_ready;
      pause.hidden = !canPause(job);
      resume.hidden = job.state !== "paused";
      cancel.hidden = !isActive(job);
      const words = requeueWords(job);
      requeue.hidden = words === null;
      setText(requeue, words ?? "");
      picture.update(job);
      facts.update(job);
      problems.update(job);
    },
    updateSlots(fleet) {
      nobody.hidden = !fleet.loaded || fleet.online.length > 0 || (!canPause(job));
      const working = fleet.slotsOf(job.id);
      slotPanel.hidden = working.length === 0;
      slots.update(working);
      const rendering = working.filter((slot) => slot.stage === "rendering" && slot.frame !== null);
      sheet.setRendering(new Map(rendering.map((slot) => [slot.frame, slot.progress ?? 0])));
    },
    route(route) {
      for (const tab of tabs.children) setAttribute(tab, "aria-current", tab.dataset.tab === route.tab ? "true" : null);
      const part = route.tab === "history" ? past.element : sheet.element;
      if (!part.isConnected) {
        tabBody.replaceChildren(part);
        if (route.tab === "history") guard(() => past.refresh());
        else sheet.refresh();
      }
      viewer.show(route.frame);
    },
    tick() {
      facts.tick();
      past.tick();
    },
    close() {
      sheet.close();
      viewer.show(null);
    },
  };
}

/** What requeueing does to a job, for its button; null where there is nothing to requeue. */
function requeueWords(job) {
  if (job.state === "stitching") return null;
  if (job.failed > 0) return `Requeue ${plural(job.failed, "failed frame", "failed frames")}`;
  const open = job.frame_count - job.finished;
  return isActive(job) || open === 0 ? null : `Render the other ${plural(open, "frame", "frames")}`;
}

function noSuchJob(id) {
  return emptyState(
    "picture",
    `There is no job ${id}`,
    el("p", {}, "The address may be mistyped, or the job is on another farm."),
    el("a", { class: "button", href: links.jobs() }, "See all jobs"),
  );
}
