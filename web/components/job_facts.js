/** The numbers of a job's page: how far it is, how long it will take, and what is being rendered. */
import { clock } from "../clock.js";
import { ago, bytes, clockTime, dateTime, duration, estimate, number, percent, plural, renderTime, version } from "../format.js";
import { ENDED_STATES, engineName, formatName, isActive, progressOf } from "../words.js";
import { el, setText } from "./element.js";
import { progressBar } from "./progress_bar.js";

/** @param {(priority: number) => void} changePriority is called with what the person wants it to be. */
export function jobFacts(first, changePriority) {
  let job = first;
  const share = el("span", { class: "share" });
  const frames = el("span", { class: "share-frames" });
  const bar = progressBar("Progress of the job", "large");
  const headline = el("p", { class: "headline" });
  const values = new Map();
  const priority = el("input", {
    class: "fact-input",
    type: "number",
    min: 0,
    max: 100,
    step: 1,
    "aria-label": "Priority, 0 to 100, higher first",
  });
  priority.addEventListener("change", () => {
    if (priority.value !== "" && priority.checkValidity()) changePriority(priority.valueAsNumber);
    else priority.value = String(job.priority);
  });
  const facts = el("dl", { class: "facts" });
  const element = el(
    "div",
    { class: "job-facts-panel panel" },
    el("p", { class: "share-line" }, share, frames),
    bar.element,
    headline,
    facts,
  );

  function set(term, value, title = null) {
    let fact = values.get(term);
    if (!fact) {
      const definition = el("dd", {});
      const row = el("div", {}, el("dt", {}, term), definition);
      facts.append(row);
      fact = { row, definition };
      values.set(term, fact);
    }
    fact.row.hidden = value === null;
    if (!(value instanceof Node)) setText(fact.definition, value ?? "");
    else if (value.parentNode !== fact.definition) fact.definition.replaceChildren(value);
    fact.definition.title = title ?? "";
  }

  function tick() {
    setText(headline, headlineText(job));
    set("Elapsed", job.started_at === null || job.ended_at !== null ? null : elapsed(job));
    set("Time per frame", job.seconds_per_frame === null ? null : renderTime(job.seconds_per_frame));
    set("Frames", `${job.frames} (${number(job.frame_count)})`);
    set("Picture", pictureText(job));
    set("Scene", sceneText(job));
    set("Render", renderText(job));
    set("Video", videoText(job));
    set("Blender", `${version(job.blender)} or newer`);
    set("Needs", needsText(job.needs));
    set("Slots", job.max_slots === null ? null : `at most ${job.max_slots}`);
    set("After", afterText(job.after));
    set("Priority", isActive(job) ? priority : String(job.priority));
    set("Submitted", `${ago(job.created_at, clock.now())} by ${job.user}`, dateTime(job.created_at));
    set("Ended", job.ended_at === null ? null : ago(job.ended_at, clock.now()), job.ended_at && dateTime(job.ended_at));
  }

  return {
    element,
    tick,
    update(next) {
      job = next;
      setText(share, percent(progressOf(job)));
      setText(frames, framesText(job));
      bar.update(progressOf(job), job.state);
      if (document.activeElement !== priority) priority.value = String(job.priority);
      tick();
    },
  };
}

function framesText(job) {
  const done = `${number(job.finished)} of ${plural(job.frame_count, "frame", "frames")}`;
  return job.failed > 0 ? `${done}, ${number(job.failed)} failed` : done;
}

function headlineText(job) {
  const now = clock.now();
  switch (job.state) {
    case "blocked":
      return job.waiting ?? "Waiting for other jobs";
    case "queued":
      return job.waiting ?? "Waiting for its turn";
    case "paused":
      return "Paused; no other frame is begun until it is resumed";
    case "running":
      if (job.waiting !== null) return job.waiting;
      if (job.eta_seconds === null) return "Estimating the time left";
      return `${estimate(job.eta_seconds)} left, done at ${clockTime(now + job.eta_seconds * 1000, now)}`;
    case "stitching":
      return "All frames are rendered; the video is being made";
    case "completed":
      return `Completed in ${elapsed(job)}`;
    case "failed":
      return `Failed after ${elapsed(job)}`;
    default:
      return "Cancelled; the finished frames are kept";
  }
}

function elapsed(job) {
  const end = ENDED_STATES.includes(job.state) ? Date.parse(job.ended_at) : clock.now();
  return duration((end - Date.parse(job.started_at ?? job.created_at)) / 1000);
}

function pictureText(job) {
  const { width, height, format } = job.output;
  return width === null || height === null ? formatName(format) : `${width} × ${height} ${formatName(format)}`;
}

function sceneText({ render }) {
  const scene = render.scene ?? "The one that was active in the file";
  return render.camera === null ? scene : `${scene}, camera ${render.camera}`;
}

function renderText(job) {
  const { engine, samples, percentage } = job.render;
  const parts = [];
  if (engine !== null) parts.push(engineName(engine));
  if (samples !== null) parts.push(plural(samples, "sample", "samples"));
  if (percentage !== null) parts.push(`at ${percentage} %`);
  return parts.length === 0 ? "As set in the scene" : parts.join(", ");
}

function needsText(needs) {
  const parts = [...needs.tags];
  if (needs.pool !== null) parts.push(`pool ${needs.pool}`);
  if (needs.device !== null) parts.push(needs.device);
  if (needs.platform !== null) parts.push(PLATFORMS[needs.platform]);
  if (needs.engine !== null) parts.push(engineName(needs.engine));
  if (needs.max_blender !== null) parts.push(`Blender ${version(needs.max_blender)} or older`);
  if (needs.ram_bytes > 0) parts.push(`${bytes(needs.ram_bytes)} of memory`);
  if (needs.vram_bytes > 0) parts.push(`${bytes(needs.vram_bytes)} of GPU memory`);
  return parts.join(", ") || null;
}

function afterText(after) {
  return after.length === 0 ? null : after.map((id) => `#${id}`).join(", ");
}

const PLATFORMS = { linux: "Linux", windows: "Windows", macos: "macOS" };
const SOUND_WORDS = { none: "", wanted: ", sound to be mixed", ready: ", with sound", failed: ", sound failed" };

function videoText(job) {
  if (!job.video) return null;
  const fps = Number(job.output.fps.toFixed(3));
  return `MP4, ${fps} fps${SOUND_WORDS[job.sound_state] ?? ""}`;
}
