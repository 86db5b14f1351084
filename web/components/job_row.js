/** One job in the list. */
import { addresses } from "../api.js";
import { ago, clockTime, dateTime, duration, estimate, number, percent, plural } from "../format.js";
import { clock } from "../clock.js";
import { links } from "../router.js";
import { isActive } from "../words.js";
import { el, setText } from "./element.js";
import { preview } from "./preview.js";
import { progressBar } from "./progress_bar.js";
import { stateBadge } from "./state_badge.js";

const NORMAL_PRIORITY = 50;

export function jobRow(first) {
  let job = first;
  const picture = preview("");
  const badge = stateBadge();
  const bar = progressBar("Progress of the job");
  const name = el("a", { class: "job-name", href: links.job(job.id) });
  const facts = el("span", { class: "job-facts" });
  const waiting = el("span", { class: "job-waiting" });
  const share = el("span", { class: "job-share" });
  const frames = el("span", {});
  const when = el("span", { class: "job-when" });
  const spent = el("span", { class: "job-spent" });
  const element = el(
    "li",
    { class: "job-row" },
    picture.element,
    el("div", { class: "job-title" }, name, el("span", { class: "job-line" }, badge.element, facts), waiting),
    el("div", { class: "job-progress" }, el("span", { class: "job-numbers" }, share, frames), bar.element),
    el("div", { class: "job-times" }, when, spent),
  );

  function tick() {
    setText(when, whenText(job));
    setText(spent, spentText(job));
    when.title = `Submitted ${dateTime(job.created_at)}`;
  }

  return {
    element,
    tick,
    update(next) {
      job = next;
      element.dataset.state = job.state;
      setText(name, job.name);
      name.title = job.name;
      badge.update(job.state);
      setText(facts, factsText(job));
      setText(waiting, job.waiting ?? "");
      waiting.title = job.waiting ?? "";
      setText(share, percent(job.progress));
      setText(frames, framesText(job));
      bar.update(job.progress, job.state);
      picture.show(job.latest_frame === null ? null : addresses.latestPreview(job));
      tick();
    },
  };
}

function factsText(job) {
  const parts = [`#${job.id}`];
  if (job.priority !== NORMAL_PRIORITY) parts.push(`priority ${job.priority}`);
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
    return `${capitalised(estimate(job.eta_seconds))} left`;
  }
  if (job.state === "stitching") return "Making the video";
  if (job.state === "paused") return "Paused";
  if (job.state === "blocked") return "Waiting for other jobs";
  if (job.waiting !== null) return "Waiting";
  if (isActive(job)) return job.state === "queued" ? "Waiting for a slot" : "Estimating…";
  return capitalised(ago(job.ended_at, clock.now()));
}

function spentText(job) {
  if (job.started_at === null) return `submitted ${ago(job.created_at, clock.now())}`;
  const end = job.ended_at === null ? clock.now() : Date.parse(job.ended_at);
  const elapsed = duration((end - Date.parse(job.started_at)) / 1000);
  if (job.state === "running" && job.eta_seconds !== null) {
    return `${elapsed} so far, done at ${clockTime(clock.now() + job.eta_seconds * 1000, clock.now())}`;
  }
  return isActive(job) ? `${elapsed} so far` : `took ${elapsed}`;
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
