/** One job in the list: a row of a table that folds into a card where there is little room. */
import { addresses } from "../api.js";
import { ago, clockTime, dateTime, duration, estimateRange, number, percent, plural, rate } from "../format.js";
import { clock } from "../clock.js";
import { links } from "../router.js";
import { isActive, progressOf } from "../words.js";
import { el, setAttribute, setText } from "./element.js";
import { preview } from "./preview.js";
import { progressBar } from "./progress_bar.js";
import { stateBadge } from "./state_badge.js";

/** As wide as the coordinator makes the smallest one, in pixels. */
const THUMBNAIL_PX = 160;

/**
 * @param {object} first
 * @param {(job: object, event: Event) => void} onSelect called when its box is ticked or unticked.
 */
export function jobRow(first, onSelect) {
  let job = first;
  const picture = preview("");
  const badge = stateBadge();
  const bar = progressBar("Progress of the job");
  const box = el("input", { type: "checkbox", on: { click: (event) => onSelect(job, event) } });
  const name = el("a", { class: "job-name", href: links.job(job.id) });
  const facts = el("span", { class: "job-facts" });
  const waiting = el("span", { class: "job-waiting" });
  const share = el("span", { class: "job-share" });
  const frames = el("span", {});
  const when = el("span", { class: "job-when" });
  const spent = el("span", { class: "job-spent" });
  const speed = el("div", { class: "job-rate", role: "cell" });
  const priority = el("div", { class: "job-priority", role: "cell" });
  const user = el("div", { class: "job-user", role: "cell" });
  const element = el(
    "div",
    { class: "job-row", role: "row", tabindex: -1 },
    el("div", { class: "job-pick", role: "cell" }, el("label", {}, box)),
    el("div", { class: "job-thumb", role: "cell" }, picture.element),
    el(
      "div",
      { class: "job-title", role: "cell" },
      name,
      el("span", { class: "job-line" }, badge.element, facts),
      waiting,
    ),
    el("div", { class: "job-progress", role: "cell" }, el("span", { class: "job-numbers" }, share, frames), bar.element),
    el("div", { class: "job-times", role: "cell" }, when, spent),
    speed,
    priority,
    user,
  );
  element.dataset.job = job.id;
  element.addEventListener("click", (event) => {
    // The whole row leads to its job, save where something else is pressed or words are being selected.
    if (event.target.closest("a, input, label, button") || String(getSelection()) !== "") return;
    location.hash = links.job(job.id);
  });

  // Of thousands of rows few are seen, as content-visibility tells: only theirs get pictures, and times that go on.
  let seen = !("ContentVisibilityAutoStateChangeEvent" in globalThis);
  element.addEventListener("contentvisibilityautostatechange", ({ skipped }) => {
    seen = !skipped;
    tick();
    showPicture();
  });

  function showPicture() {
    if (seen) picture.show(job.latest_frame === null ? null : addresses.latestThumbnail(job, THUMBNAIL_PX));
  }

  function tick() {
    if (seen) showTimes();
  }

  function showTimes() {
    setText(when, whenText(job));
    setText(spent, spentText(job));
  }

  return {
    element,
    tick,
    select(selected) {
      box.checked = selected;
      setAttribute(element, "aria-selected", selected ? "true" : null);
    },
    update(next) {
      if (next === job && name.textContent !== "") return;
      job = next;
      element.dataset.state = job.state;
      setText(name, job.name);
      setAttribute(name, "title", job.name);
      setAttribute(box, "aria-label", `Select ${job.name}`);
      badge.update(job.state);
      setText(facts, factsText(job));
      setText(waiting, job.waiting ?? "");
      setAttribute(waiting, "title", job.waiting ?? null);
      setText(share, percent(progressOf(job)));
      setText(frames, framesText(job));
      bar.update(progressOf(job), job.state);
      setText(speed, job.state === "running" && job.frames_per_minute ? rate(job.frames_per_minute) : "");
      setText(priority, String(job.priority));
      setText(user, job.user);
      setAttribute(when, "title", `Submitted ${dateTime(job.created_at)}`);
      setAttribute(user, "title", job.user);
      showTimes();
      showPicture();
    },
  };
}

function factsText(job) {
  const parts = [`#${job.id}`];
  const warnings = job.warnings.length + job.doubtful;
  if (warnings > 0) parts.push(plural(warnings, "warning", "warnings"));
  return parts.join(" · ");
}

function framesText(job) {
  const text = `${number(job.finished)} of ${plural(job.frame_count, "frame", "frames")}`;
  return job.failed > 0 ? `${text}, ${number(job.failed)} failed` : text;
}

function whenText(job) {
  if (job.state === "running" && job.eta_seconds !== null) {
    return `${capitalised(estimateRange(job.eta_low_seconds, job.eta_high_seconds))} left`;
  }
  if (job.state === "stitching") return "Making the video";
  if (job.state === "paused") return "Paused";
  if (job.state === "blocked") return "Waiting for other jobs";
  if (job.waiting !== null) return "Waiting";
  if (isActive(job)) return job.state === "queued" ? "Waiting for its turn" : "Estimating…";
  return capitalised(ago(job.ended_at, clock.now()));
}

function spentText(job) {
  if (job.started_at === null) return `submitted ${ago(job.created_at, clock.now())}`;
  const end = job.ended_at === null ? clock.now() : Date.parse(job.ended_at);
  const elapsed = duration((end - Date.parse(job.started_at)) / 1000);
  if (job.state === "running" && job.eta_seconds !== null) {
    return `${elapsed} so far, done about ${clockTime(clock.now() + job.eta_seconds * 1000, clock.now())}`;
  }
  return isActive(job) ? `${elapsed} so far` : `took ${elapsed}`;
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
