/** The numbers of a job's page: how far it is, how long it will take, and what is being rendered. */
import { clock } from "../clock.js";
import { ago, clockTime, dateTime, duration, estimate, number, percent, plural, renderTime, version } from "../format.js";
import { ENDED_STATES, engineName, formatName } from "../words.js";
import { el, setText } from "./element.js";
import { progressBar } from "./progress_bar.js";

export function jobFacts(first) {
  let job = first;
  const share = el("span", { class: "share" });
  const frames = el("span", { class: "share-frames" });
  const bar = progressBar("Progress of the job", "large");
  const headline = el("p", { class: "headline" });
  const values = new Map();
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
    setText(fact.definition, value ?? "");
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
    set("Priority", String(job.priority));
    set("Submitted", ago(job.created_at, clock.now()), dateTime(job.created_at));
    set("Ended", job.ended_at === null ? null : ago(job.ended_at, clock.now()), job.ended_at && dateTime(job.ended_at));
  }

  return {
    element,
    tick,
    update(next) {
      job = next;
      setText(share, percent(job.progress));
      setText(frames, framesText(job));
      bar.update(job.progress, job.state);
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
    case "queued":
      return "Waiting for a free slot";
    case "running":
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
  return render.camera === null ? render.scene : `${render.scene}, camera ${render.camera}`;
}

function renderText(job) {
  const { engine, samples, percentage } = job.render;
  const parts = [];
  if (engine !== null) parts.push(engineName(engine));
  if (samples !== null) parts.push(plural(samples, "sample", "samples"));
  if (percentage !== null) parts.push(`at ${percentage} %`);
  return parts.length === 0 ? "As set in the scene" : parts.join(", ");
}

const SOUND_WORDS = { none: "", wanted: ", sound to be mixed", ready: ", with sound", failed: ", sound failed" };

function videoText(job) {
  if (!job.video) return null;
  const fps = Number(job.output.fps.toFixed(3));
  return `MP4, ${fps} fps${SOUND_WORDS[job.sound_state] ?? ""}`;
}
