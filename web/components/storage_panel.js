/** What takes the coordinator's disk: by user and by job, with what frees it. */
import { api } from "../api.js";
import { bytes, plural } from "../format.js";
import { links } from "../router.js";
import { JOB_STATES } from "../words.js";
import { askNumber } from "./ask_number.js";
import { confirm } from "./confirm.js";
import { el, setText } from "./element.js";
import { KeyedList } from "./keyed_list.js";

const GIB = 1024 ** 3;

export function storagePanel(guard, refresh) {
  const summary = el("p", { class: "panel-summary" });
  const users = el("ul", { class: "storage-list", "aria-label": "Storage by user" });
  const jobs = el("ul", { class: "storage-list", "aria-label": "The largest jobs" });
  const userList = new KeyedList(users, (user) => userRow(user));
  const jobList = new KeyedList(jobs, (job) => jobRow(job));
  const columns = el(
    "div",
    { class: "storage-columns" },
    el("div", {}, el("h3", {}, "By user"), users),
    el("div", {}, el("h3", {}, "Largest jobs"), jobs),
  );
  const element = el(
    "section",
    { class: "panel storage", "aria-label": "Storage" },
    el("h2", {}, "Storage"),
    summary,
    columns,
  );
  let most = 1;

  function act(work) {
    return () =>
      guard(async () => {
        if ((await work()) !== false) await refresh();
      });
  }

  function userRow(first) {
    let user = first;
    const name = el("span", { class: "storage-name" });
    const size = el("span", { class: "storage-size" });
    const limit = el("button", { class: "button quiet", type: "button", on: { click: act(setQuota) } });
    const meter = el("progress", { max: 1, value: 0 });

    async function setQuota() {
      const chosen = await askNumber({
        title: `How much may ${user.name} keep?`,
        text: "In GiB; 0 takes the limit away. Above it, the files of the oldest ended jobs are removed first, but for jobs that are kept.",
        label: "GiB",
        value: user.quota_bytes === null ? 0 : Math.round(user.quota_bytes / GIB),
        least: 0,
        most: 1_000_000,
        agree: "Set the limit",
      });
      if (chosen === null) return false;
      await api.changeUser(user.name, { quota_bytes: chosen === 0 ? null : chosen * GIB });
      return true;
    }

    return {
      element: el("li", {}, name, size, limit, meter),
      update(next) {
        user = next;
        setText(name, `${user.name} · ${plural(user.jobs, "job", "jobs")}`);
        setText(size, bytes(user.bytes));
        setText(limit, user.quota_bytes === null ? "Set a limit" : `of ${bytes(user.quota_bytes)}`);
        limit.setAttribute("aria-label", `${limit.textContent} for ${user.name}`);
        meter.value = user.bytes / (user.quota_bytes ?? most);
        meter.setAttribute("aria-label", `${user.name} takes ${bytes(user.bytes)}`);
      },
    };
  }

  function jobRow(first) {
    let job = first;
    const name = el("a", { class: "storage-name" });
    const size = el("span", { class: "storage-size" });
    const keep = el("button", { class: "button quiet", type: "button", on: { click: act(() => api.changeJob(job.id, { keep: !job.keep })) } });
    const remove = el("button", { class: "button quiet", type: "button", on: { click: act(removeFiles) } }, "Remove files");

    async function removeFiles() {
      const agreed = await confirm({
        title: `Remove the files of ${job.name}?`,
        text: `Its frames and its video are gone for good; the job stays in the history. This frees ${bytes(job.freed_bytes)}.`,
        agree: "Remove the files",
        refuse: "Keep them",
      });
      if (!agreed) return false;
      await api.deleteJobFiles(job.id);
      return true;
    }

    return {
      element: el("li", {}, name, size, el("span", { class: "storage-actions" }, keep, remove)),
      update(next) {
        job = next;
        setText(name, `${job.name} · ${job.user} · ${JOB_STATES[job.state] ?? job.state}`);
        name.href = links.job(job.id);
        setText(size, bytes(job.bytes));
        setText(keep, job.keep ? "Kept" : "Keep");
        keep.setAttribute("aria-pressed", String(job.keep));
        keep.setAttribute("aria-label", `${keep.textContent}: files of ${job.name}`);
        remove.setAttribute("aria-label", `Remove files of ${job.name}`);
        remove.disabled = job.keep || !["completed", "failed", "cancelled"].includes(job.state);
      },
    };
  }

  return {
    element,
    update(storage) {
      const due = storage.sweep_bytes > 0 ? `, ${bytes(storage.sweep_bytes)} of it about to be freed` : "";
      const rule = storage.keep_days === null ? "Files stay until somebody removes them." : `Files of ended jobs go after ${plural(storage.keep_days, "day", "days")}.`;
      setText(summary, `${bytes(storage.blob_bytes)} in files${due}. ${rule}`);
      most = Math.max(1, ...storage.users.map((user) => user.bytes));
      columns.hidden = storage.users.length + storage.jobs.length === 0;
      userList.update(storage.users, (user) => user.name);
      jobList.update(storage.jobs, (job) => job.id);
    },
  };
}
