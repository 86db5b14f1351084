/** What the artist should know: why a job failed, which frames did or may be wrong, and the scene's warnings. */
import { addresses } from "../api.js";
import { number, plural } from "../format.js";
import { links } from "../router.js";
import { el, icon } from "./element.js";

/** The coordinator lists this many failures at most. */
const LISTED_FAILURES = 200;

/** @param {import("../job_frames.js").JobFrames} frames */
export function jobProblems(frames) {
  const element = el("div", { class: "problems" });
  let shown = "";
  return {
    element,
    update(job) {
      // Rebuilt on a change only, so that a list opened by the reader stays open.
      const signature = JSON.stringify([job.reason, job.failures, job.failed, job.warnings, job.doubts, job.doubtful]);
      if (signature === shown) return;
      shown = signature;
      element.replaceChildren(...[failureBox(job), doubtBox(job, frames), warningBox(job)].filter(Boolean));
    },
  };
}

function failureBox(job) {
  if (job.reason === null && job.failures.length === 0) return null;
  // A reason that only repeats the first of those listed below it is said once.
  const repeats = job.failures.length > 0 && job.failures[0].frame !== null && job.reason?.includes(job.failures[0].reason);
  const counted = `${number(job.failed)} of ${plural(job.frame_count, "frame", "frames")} failed`;
  const title = job.reason === null || repeats ? counted : job.reason;
  const rows = job.failures.map(({ frame, reason, attempts }) =>
    el(
      "li",
      {},
      el("span", { class: "problem-frame" }, frame === null ? "The whole job" : `Frame ${frame}`),
      el("span", { class: "problem-reason" }, reason),
      el("span", { class: "problem-attempts" }, plural(attempts, "attempt", "attempts")),
    ),
  );
  const unlisted = job.failed > LISTED_FAILURES ? `The first ${LISTED_FAILURES} of ${number(job.failed)} are listed.` : null;
  return el(
    "section",
    { class: "notice error" },
    icon("failed"),
    el("div", {}, el("h2", {}, title), el("ul", { class: "problem-list" }, ...rows), unlisted && el("p", {}, unlisted)),
  );
}

/** Frames that may be wrong, each between those beside it. */
function doubtBox(job, frames) {
  if (job.doubts.length === 0) return null;
  const rows = job.doubts.map(({ frame, doubt, beside }) => {
    const shown = [...beside.filter((other) => other < frame), frame, ...beside.filter((other) => other > frame)];
    return el(
      "li",
      { class: "doubt" },
      el("span", { class: "doubt-pictures" }, ...shown.map((number) => framePicture(job, number, frames.versionOf(number), number === frame))),
      el("span", {}, el("span", { class: "problem-frame" }, `Frame ${frame}`), " ", doubt),
    );
  });
  const unlisted = job.doubtful > rows.length ? `The first ${rows.length} of ${number(job.doubtful)} are listed.` : null;
  return el(
    "section",
    { class: "notice warning" },
    icon("warning"),
    el(
      "div",
      {},
      el("h2", {}, `${plural(job.doubtful, "frame", "frames")} to look at`),
      el("ul", { class: "doubt-list" }, ...rows),
      unlisted && el("p", {}, unlisted),
    ),
  );
}

function framePicture(job, frame, version, isDoubted) {
  const image = el("img", { src: addresses.thumbnail(job, frame, version, 160), alt: `Frame ${frame}`, loading: "lazy" });
  return el("a", { href: links.frame(job.id, frame), class: isDoubted ? "doubted" : "" }, image);
}

function warningBox(job) {
  if (job.warnings.length === 0) return null;
  return el(
    "section",
    { class: "notice warning" },
    icon("warning"),
    el(
      "div",
      {},
      el("h2", {}, plural(job.warnings.length, "warning", "warnings")),
      el("ul", {}, ...job.warnings.map((text) => el("li", {}, text))),
    ),
  );
}
