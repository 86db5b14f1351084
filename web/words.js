/** What states and stages are called on the page, and what they mean. */

export const JOB_STATES = Object.freeze({
  blocked: "Blocked",
  queued: "Queued",
  running: "Running",
  paused: "Paused",
  stitching: "Stitching",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
});

export const ACTIVE_STATES = Object.freeze(["blocked", "queued", "running", "paused", "stitching"]);
export const ENDED_STATES = Object.freeze(["completed", "failed", "cancelled"]);

export function isActive(job) {
  return ACTIVE_STATES.includes(job.state);
}

/** Whether slots may be given frames of a job, now or when it is resumed. */
export function canPause(job) {
  return job.state === "queued" || job.state === "running";
}

const STAGES = Object.freeze({
  fetching: "Fetching the scene’s files",
  opening: "Opening the scene",
  mixing: "Mixing the sound",
  rendering: "Rendering",
  uploading: "Uploading",
});

/** What a slot does, in words. */
export function slotWords(slot) {
  if (slot.job === null) return "Idle";
  const words = STAGES[slot.stage] ?? "Starting";
  const hasFrame = slot.stage === "rendering" || slot.stage === "uploading";
  return hasFrame && slot.frame !== null ? `${words} frame ${slot.frame}` : words;
}

/** For people to whom nobody has told it yet. */
export const SLOT_MEANS = "A slot is one Blender at work. A machine usually has one for each graphics card.";

const PRESENCES = Object.freeze({
  working: "Working",
  idle: "Idle",
  draining: "Pausing",
  drained: "Paused",
  resting: "Resting",
  set_aside: "Set aside",
  offline: "Offline",
  left: "Left",
});

/** What an agent is about, in a word. */
export function presenceName(presence) {
  return PRESENCES[presence] ?? presence;
}

const ENGINES = Object.freeze({
  CYCLES: "Cycles",
  EEVEE: "EEVEE",
  BLENDER_EEVEE: "EEVEE",
  BLENDER_EEVEE_NEXT: "EEVEE",
  WORKBENCH: "Workbench",
  BLENDER_WORKBENCH: "Workbench",
});

/** How far a job is, 0–1: of one that failed, only the frames that are there count. */
export function progressOf(job) {
  return job.state === "failed" && job.frame_count > 0 ? job.finished / job.frame_count : job.progress;
}

export function engineName(identifier) {
  return ENGINES[identifier] ?? identifier;
}

const FORMATS = Object.freeze({ PNG: "PNG", JPEG: "JPEG", OPEN_EXR: "OpenEXR", OPEN_EXR_MULTILAYER: "OpenEXR MultiLayer" });

export function formatName(identifier) {
  return FORMATS[identifier] ?? identifier;
}
