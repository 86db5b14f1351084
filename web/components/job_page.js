/** The elements of a job's page, once the job is known. */
import { api } from "../api.js";
import { dateTime } from "../format.js";
import { JobFrames } from "../job_frames.js";
import { links } from "../router.js";
import { canPause } from "../words.js";
import { ContactSheet } from "./contact_sheet.js";
import { el, icon, setAttribute, setText } from "./element.js";
import { FrameMap, mapSummary } from "./frame_map.js";
import { FrameTimes } from "./frame_times.js";
import { frameViewer } from "./frame_viewer.js";
import { jobButtons } from "./job_buttons.js";
import { jobCost } from "./job_cost.js";
import { jobFacts } from "./job_facts.js";
import { jobFiles } from "./job_files.js";
import { jobHistory } from "./job_history.js";
import { jobProblems } from "./job_problems.js";
import { jobScreen } from "./job_screen.js";
import { emptyState } from "./notice.js";
import { slotList } from "./slot_list.js";
import { stateBadge } from "./state_badge.js";

const DEFAULT_ASPECT = 16 / 9;
/** The names of the parts, and what is left out of them where there is little room. */
const TABS = { frames: ["Frames"], times: ["Times", " and cost"], history: ["History"], files: ["Files", " and settings"] };

export function jobPage({ job: first, guard, tell, alerts, replaceRoute, refresh }) {
  let job = first;
  let tab = null;
  const frames = new JobFrames(job);
  const open = (frame) => (location.hash = links.frame(job.id, frame));
  const name = el("h1", { tabindex: -1 });
  const badge = stateBadge();
  const actions = jobButtons(job, { guard, tell, alerts }, refresh);
  const screen = jobScreen(job, frames, open);
  const facts = jobFacts(job, (priority) => guard(() => actions.carryOut(() => api.changeJob(job.id, { priority }))));
  const problems = jobProblems(frames);
  const slots = slotList("agent");
  const slotPanel = el("section", { class: "panel", hidden: true }, el("h2", {}, "Rendering now"), slots.element);
  const swept = el("p", { class: "notice", hidden: true }, icon("disk"), el("span", {}));
  const nobody = el(
    "p",
    { class: "notice warning", hidden: true },
    icon("warning"),
    el("span", {}, "No agent is online: the job begins when one is. ", el("a", { href: links.agents() }, "How to start one")),
  );

  const { width, height } = job.output;
  const aspect = width === null || height === null ? DEFAULT_ASPECT : width / height;
  const map = new FrameMap(job, frames, open);
  const sheet = new ContactSheet(job, frames, aspect);
  const gone = emptyState("picture", "No pictures any more", el("p", {}, "How long its frames took, what happened and what it was made of are in the other parts."));
  const inWords = el("p", { class: "visually-hidden" });
  const times = new FrameTimes(frames, open);
  const cost = jobCost(job.id, guard);
  const past = jobHistory(job.id, guard);
  const files = jobFiles(job, guard, refresh);
  const parts = {
    frames: { element: el("div", { class: "frames-tab" }, inWords, map.element, sheet.element, gone), show() {} },
    times: {
      element: el("div", { class: "times-tab" }, times.element, cost.element),
      show() {
        times.draw();
        cost.refresh();
      },
    },
    history: { element: past.element, show: () => guard(() => past.refresh()) },
    files: { element: files.element, show: () => files.refresh() },
  };
  const tabs = el(
    "nav",
    { class: "filters", "aria-label": "Parts of the job" },
    ...Object.entries(TABS).map(([part, [label, more = ""]]) =>
      el("a", { href: links.jobPart(job.id, part), "data-tab": part }, label, el("span", { class: "tab-more" }, more)),
    ),
  );
  const tabBody = el("div", { class: "tab-body" });
  const viewer = frameViewer({
    job,
    frames,
    guard,
    go: (frame) => replaceRoute(frame === null ? links.job(job.id) : links.frame(job.id, frame)),
  });
  frames.addEventListener("reset", () => setText(inWords, mapSummary(frames)));

  return {
    frames,
    children: [
      el("a", { class: "back-link", href: links.jobs() }, icon("back"), "Jobs"),
      el(
        "header",
        { class: "page-head" },
        el("div", {}, name, el("p", { class: "job-line", role: "status" }, badge.element, el("span", {}, `#${job.id}`))),
        actions.element,
      ),
      el("div", { class: "job-hero" }, screen.element, facts.element),
      swept,
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
      actions.update(job);
      screen.update(job);
      facts.update(job);
      problems.update(job);
      files.update(job);
      swept.hidden = gone.hidden = job.files_swept_at === null;
      map.element.hidden = sheet.element.hidden = inWords.hidden = !swept.hidden;
      if (!swept.hidden) setText(swept.lastChild, sweptWords(job));
    },
    updateSlots(fleet) {
      nobody.hidden = !fleet.loaded || fleet.online.length > 0 || !canPause(job);
      const working = fleet.slotsOf(job.id);
      slotPanel.hidden = working.length === 0;
      slots.update(working);
      const rendering = working.filter((slot) => slot.stage === "rendering" && slot.frame !== null);
      frames.setRendering(new Map(rendering.map((slot) => [slot.frame, slot.progress ?? 0])));
    },
    route(route) {
      for (const link of tabs.children) setAttribute(link, "aria-current", link.dataset.tab === route.tab ? "true" : null);
      if (tab !== route.tab) {
        tab = route.tab;
        tabBody.replaceChildren(parts[tab].element);
        parts[tab].show();
      }
      viewer.show(route.frame);
    },
    /** Something has happened in the job. */
    happened() {
      if (tab === "history") guard(() => past.refresh());
    },
    tick() {
      facts.tick();
      past.tick();
    },
    close() {
      for (const part of [map, sheet, times, screen, viewer, actions]) part.close();
    },
  };
}


function sweptWords(job) {
  return `Its files were removed on ${dateTime(job.files_swept_at)}. What it was and how it went stays here; its frames and its video are gone.`;
}
