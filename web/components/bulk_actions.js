/** What can be done to several jobs at once, and the bar that offers it. */
import { api, Refused } from "../api.js";
import { bytes, plural } from "../format.js";
import { canPause, isActive } from "../words.js";
import { askNumber } from "./ask_number.js";
import { confirm } from "./confirm.js";
import { el, icon, setText } from "./element.js";
import { watchButton } from "./watch_button.js";

/** So many requests travel at once. */
const AT_ONCE = 4;

const hasFailed = (job) => job.failed > 0 || job.state === "failed" || job.state === "cancelled";

/**
 * @param {() => object[]} selection returns the selected jobs.
 * @param {(words: string) => void} tell says how it went.
 * @param {() => void} clear selects nothing any more.
 */
export function jobActions(selection, guard, tell, clear, alerts) {
  const count = el("strong", { role: "status" });
  const pause = button("Pause", canPause, "paused", (job) => api.pauseJob(job.id));
  const resume = button("Resume", (job) => job.state === "paused", "resumed", (job) => api.resumeJob(job.id));
  const retry = button("Retry failed", hasFailed, "back in the queue", (job) => api.requeueJob(job.id));
  const priority = plain("Priority…", setPriority);
  const watch = watchButton(alerts, guard, tell, () => selection().map((job) => job.id));
  alerts.addEventListener("change", watch.update);
  const cancel = plain("Cancel…", cancelAll);
  const remove = plain("Delete…", deleteAll);
  remove.classList.add("danger");
  const close = el(
    "button",
    { class: "icon-button", type: "button", "aria-label": "Clear the selection", on: { click: clear } },
    icon("close"),
  );
  const element = el(
    "div",
    { class: "selection", role: "toolbar", "aria-label": "Selected jobs", hidden: true },
    count,
    pause,
    resume,
    retry,
    priority,
    watch.element,
    cancel,
    remove,
    close,
  );

  function plain(words, action) {
    return el("button", { class: "button", type: "button", on: { click: () => guard(action) } }, words);
  }

  /** A button for the selected jobs that fit; it needs no question, for it is undone as easily. */
  function button(words, fits, done, act) {
    const made = plain(words, () => each(selection().filter(fits), done, act));
    made.fits = fits;
    return made;
  }

  async function each(jobs, done, act) {
    element.inert = true;
    const refused = [];
    try {
      const waiting = [...jobs];
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
            try {
              await act(job);
            } catch (error) {
              if (!(error instanceof Refused)) throw error;
              refused.push(error.message);
            }
          }
        }),
      );
    } finally {
      element.inert = false;
    }
    const well = jobs.length - refused.length;
    const words = well > 0 ? [`${plural(well, "job is", "jobs are")} ${done}.`] : [];
    if (refused.length > 0) words.push(refused[0], ...(refused.length > 1 ? [`And ${refused.length - 1} more.`] : []));
    tell(words.join(" "), refused.length > 0);
  }

  async function setPriority() {
    const jobs = selection();
    const chosen = await askNumber({
      title: `Priority of ${plural(jobs.length, "job", "jobs")}`,
      text: "From 0 to 100; higher ones are rendered first.",
      label: "Priority",
      value: jobs[0].priority,
      least: 0,
      most: 100,
      agree: "Set it",
    });
    if (chosen !== null) await each(jobs, `at priority ${chosen}`, (job) => api.changeJob(job.id, { priority: chosen }));
  }

  async function cancelAll() {
    const jobs = selection().filter(isActive);
    const agreed = await confirm({
      title: jobs.length === 1 ? `Cancel ${jobs[0].name}?` : `Cancel ${jobs.length} jobs?`,
      text: "Frames that are being rendered are dropped. Finished frames stay, and “Retry failed” lets a job go on.",
      agree: jobs.length === 1 ? "Cancel the job" : "Cancel them",
      refuse: "Keep rendering",
    });
    if (agreed) await each(jobs, "cancelled", (job) => api.cancelJob(job.id));
  }

  async function deleteAll() {
    const jobs = selection().filter((job) => !isActive(job));
    let freed = 0;
    for (const job of jobs) freed += (await api.jobStorage(job.id)).freed_bytes;
    const agreed = await confirm({
      title: jobs.length === 1 ? `Delete ${jobs[0].name}?` : `Delete ${jobs.length} jobs?`,
      text: `Their frames, videos and history are gone for good. This frees ${bytes(freed)} on the coordinator’s disk.`,
      agree: jobs.length === 1 ? "Delete the job" : "Delete them",
      refuse: "Keep them",
    });
    if (agreed) await each(jobs, "deleted", (job) => api.deleteJob(job.id));
  }

  return {
    element,
    update() {
      const jobs = selection();
      element.hidden = jobs.length === 0;
      if (jobs.length === 0) return;
      setText(count, `${plural(jobs.length, "job", "jobs")} selected`);
      for (const one of [pause, resume, retry]) one.disabled = !jobs.some(one.fits);
      watch.update();
      cancel.disabled = !jobs.some(isActive);
      remove.disabled = jobs.every(isActive);
    },
    close: () => alerts.removeEventListener("change", watch.update),
  };
}
