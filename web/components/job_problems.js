/** What the artist should know: why a job failed, which frames did, and the scene's warnings. */
import { number, plural } from "../format.js";
import { el, icon } from "./element.js";

/** The coordinator lists this many failures at most. */
const LISTED_FAILURES = 200;

export function jobProblems() {
  const element = el("div", { class: "problems" });
  let shown = "";
  return {
    element,
    update(job) {
      // Rebuilt on a change only, so that a list opened by the reader stays open.
      const signature = JSON.stringify([job.reason, job.failures, job.failed, job.warnings]);
      if (signature === shown) return;
      shown = signature;
      element.replaceChildren(...[failureBox(job), warningBox(job)].filter(Boolean));
    },
  };
}

function failureBox(job) {
  if (job.reason === null && job.failures.length === 0) return null;
  const title = job.reason ?? `${plural(job.failed, "frame", "frames")} failed`;
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
