/** What a job takes of the store: kept or not, and how to be rid of its files, or of all of it. */
import { api } from "../api.js";
import { bytes } from "../format.js";
import { links } from "../router.js";
import { isActive } from "../words.js";
import { confirm } from "./confirm.js";
import { el, setText } from "./element.js";

/** @param {() => Promise<void>} refresh has the job fetched again. */
export function jobStorage(first, guard, refresh) {
  let job = first;
  const words = el("p", { class: "summary" });
  const keep = el("input", { type: "checkbox" });
  const keepLabel = el("label", { class: "check" }, keep, "Keep its files, however old they are");
  const remove = el("button", { class: "button", type: "button" }, "Remove its files…");
  const drop = el("button", { class: "button danger", type: "button" }, "Delete the job…");
  const why = el("p", { class: "summary" });
  const element = el("section", { class: "panel job-storage" }, el("h2", {}, "Storage"), words, keepLabel, el("div", { class: "buttons" }, remove, drop), why);

  async function load() {
    const storage = await api.jobStorage(job.id);
    setText(words, `Its files take ${bytes(storage.bytes)}; deleting it frees ${bytes(storage.freed_bytes)}. Other jobs may need the rest.`);
  }

  async function carryOut(work) {
    try {
      await work();
    } finally {
      await refresh();
    }
  }

  async function askRemove() {
    const { freed_bytes: freed } = await api.jobStorage(job.id);
    const agreed = await confirm({
      title: "Remove the files of this job?",
      text: `Its frames and its video are gone for good; its history stays. This frees ${bytes(freed)} on the coordinator’s disk.`,
      agree: "Remove the files",
      refuse: "Keep them",
    });
    if (agreed) await carryOut(() => api.deleteJobFiles(job.id));
  }

  async function askDelete() {
    const { freed_bytes: freed } = await api.jobStorage(job.id);
    const agreed = await confirm({
      title: "Delete this job?",
      text: `Its frames, video and history are gone for good. This frees ${bytes(freed)} on the coordinator’s disk.`,
      agree: "Delete the job",
      refuse: "Keep it",
    });
    if (!agreed) return;
    await api.deleteJob(job.id);
    location.hash = links.jobs();
  }

  keep.addEventListener("change", () => guard(() => carryOut(() => api.changeJob(job.id, { keep: keep.checked }))));
  remove.addEventListener("click", () => guard(askRemove));
  drop.addEventListener("click", () => guard(askDelete));

  return {
    element,
    refresh: () => guard(load),
    update(next) {
      job = next;
      const swept = job.files_swept_at !== null;
      keep.checked = job.keep;
      keepLabel.hidden = swept;
      words.hidden = swept;
      remove.hidden = swept;
      remove.disabled = isActive(job) || job.keep;
      drop.disabled = isActive(job);
      setText(why, isActive(job) ? "Cancel the job first, or wait for its end." : job.keep ? "Its files are kept: take that back to remove them." : "");
    },
  };
}
