/** What a person can do with a job: pause, resume, retry and cancel it, and download what there is of it. */
import { api } from "../api.js";
import { number, plural } from "../format.js";
import { canPause, isActive } from "../words.js";
import { confirm } from "./confirm.js";
import { el, icon, setText } from "./element.js";
import { downloadLinks } from "./job_files.js";
import { watchButton } from "./watch_button.js";

/** @param {() => Promise<void>} refresh has the job fetched again. */
export function jobButtons(first, { guard, tell, alerts }, refresh) {
  let job = first;
  const pause = action("Pause", () => api.pauseJob(job.id));
  const resume = action("Resume", () => api.resumeJob(job.id));
  const requeue = action("Retry", () => api.requeueJob(job.id));
  const cancel = el("button", { class: "button", type: "button", hidden: true }, "Cancel job");
  cancel.addEventListener("click", () => guard(askCancel));
  const watch = watchButton(alerts, guard, tell, () => [job.id]);
  alerts.addEventListener("change", watch.update);
  const list = el("ul", { class: "download-list" });
  const downloads = el("details", { class: "menu" }, el("summary", { class: "button" }, icon("download"), "Download"), list);
  downloads.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenu();
  });
  list.addEventListener("click", closeMenu);
  downloads.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget !== null && !downloads.contains(relatedTarget)) downloads.open = false;
  });
  const element = el("div", { class: "buttons" }, pause, resume, requeue, cancel, watch.element, downloads);
  let shown = "";

  function closeMenu() {
    downloads.open = false;
  }

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
    if (agreed) await carryOut(() => api.cancelJob(job.id));
  }

  return {
    element,
    carryOut,
    update(next) {
      job = next;
      pause.hidden = !canPause(job);
      resume.hidden = job.state !== "paused";
      cancel.hidden = watch.element.hidden = !isActive(job);
      watch.update();
      const words = requeueWords(job);
      requeue.hidden = words === null;
      setText(requeue, words ?? "");
      const look = `${job.video_ready} ${number(job.finished)} ${job.ended_at} ${job.files_swept_at}`;
      if (look === shown) return;
      shown = look;
      list.replaceChildren(...downloadLinks(job));
    },
    close: () => alerts.removeEventListener("change", watch.update),
  };
}

/** What requeueing does to a job, for its button; null where there is nothing to requeue. */
function requeueWords(job) {
  if (job.state === "stitching" || job.files_swept_at !== null) return null;
  if (job.failed > 0) return `Retry ${plural(job.failed, "failed frame", "failed frames")}`;
  const open = job.frame_count - job.finished;
  return isActive(job) || open === 0 ? null : `Render the other ${plural(open, "frame", "frames")}`;
}
