/** What a job was made of and what came of it: the scene's files, settings that are seldom asked for, and all there is to download. */
import { addresses, api } from "../api.js";
import { bytes, number, plural } from "../format.js";
import { el, icon } from "./element.js";
import { jobStorage } from "./job_storage.js";
import { engineName } from "../words.js";

/**
 * @param {(work: () => Promise<void>) => void} guard runs work and shows its errors.
 * @param {() => Promise<void>} refresh has the job fetched again.
 */
export function jobFiles(first, guard, refresh) {
  let job = first;
  let next = null;
  let loaded = false;
  let shown = "";
  const summary = el("p", { class: "summary" });
  const rows = el("tbody", {});
  const table = el(
    "table",
    { class: "plain-table files-table" },
    el("caption", { class: "visually-hidden" }, "Files of the scene, the largest first"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "File"), el("th", { scope: "col" }, "Size"))),
    rows,
  );
  const more = el("button", { class: "button more", type: "button", hidden: true }, "Show more files");
  more.addEventListener("click", () => guard(() => load(next)));
  const downloads = el("ul", { class: "download-list" });
  const settings = el("dl", { class: "facts settings" });
  const storage = jobStorage(job, guard, refresh);
  const element = el(
    "div",
    { class: "job-files" },
    el("div", { class: "files-side" }, el("section", { class: "panel" }, el("h2", {}, "Downloads"), downloads), storage.element),
    el("section", { class: "panel" }, el("h2", {}, "Settings"), settings),
    el("section", { class: "panel files-panel" }, el("h2", {}, "The scene’s files"), summary, table, more),
  );

  async function load(cursor) {
    const pack = await api.jobPack(job.id, cursor);
    loaded = true;
    summary.textContent = `${plural(pack.file_count, "file", "files")}, ${bytes(pack.size)}. The scene is ${pack.main}.`;
    rows.append(
      ...pack.items.map(({ path, size }) =>
        el("tr", {}, el("th", { scope: "row" }, path), el("td", {}, bytes(size))),
      ),
    );
    next = pack.next;
    more.hidden = next === null;
  }

  return {
    element,
    update(following) {
      job = following;
      storage.update(job);
      const look = JSON.stringify([job.video_ready, job.finished, job.files_swept_at, job.render, job.output, job.hedge, job.max_retries]);
      if (look === shown) return;
      shown = look;
      downloads.replaceChildren(...downloadLinks(job));
      settings.replaceChildren(...settingRows(job));
    },
    refresh() {
      storage.refresh();
      if (!loaded) guard(() => load(null));
    },
  };
}

/** What can be downloaded of a job now, as list items. */
export function downloadLinks(job) {
  const item = (address, title, words) =>
    el("li", {}, el("a", { class: "download-link", href: address, download: true }, icon("download"), el("span", {}, el("strong", {}, title), words)));
  const items = [];
  if (job.video_ready) items.push(item(addresses.video(job), "Video", "MP4"));
  if (job.finished > 0 && job.files_swept_at === null) {
    items.push(item(addresses.allFrames(job), "All frames", `${number(job.finished)} files in a ZIP`));
    items.push(item(addresses.allFrames(job, true), "All frames and passes", "with what the scene itself wrote"));
  }
  items.push(item(addresses.log(job), "Log", "what happened, as text"));
  return items;
}

function settingRows(job) {
  const { render, output } = job;
  const yes = (flag) => (flag ? "yes" : "no");
  const scene = (value) => (value === null ? "as in the scene" : String(value));
  const rows = [
    ["Colour", [output.color_mode, output.color_depth && `${output.color_depth} bit`].filter(Boolean).join(", ") || "as in the scene"],
    ["Camera", scene(render.camera)],
    ["Engine", render.engine === null ? scene(null) : engineName(render.engine)],
    ["Samples", scene(render.samples)],
    ["Kept in memory", yes(render.persistent_data)],
    ["Python in files", render.allow_scripts ? "runs, in a sandbox" : "does not run"],
    ["Retries", `${job.max_retries} for each frame`],
    ["Chunks", job.chunk_frames === null ? `about ${job.target_seconds} s each` : plural(job.chunk_frames, "frame", "frames")],
    ["Late frames", job.hedge ? "rendered twice, the first counts" : "waited for"],
    ["First look", yes(job.first_look)],
    ["Given up", job.stop_after === 0 ? "never" : `when the first ${job.stop_after} frames fail alike`],
    ["Missing files", job.stop_on_missing ? "stop the job" : "are left out, with a warning"],
    ["Processors", job.cpu_fallback ? "render what fits into no card" : "only where the job asks for them"],
    ["Pack", el("code", { class: "digest" }, job.pack.slice(0, 16))],
  ];
  return rows.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)));
}
