/**
 * The public API (docs/PROTOCOL.md) as functions.  Addresses are relative to the page, so that it also works behind a
 * reverse proxy that serves it under a path.
 */
import { clock } from "./clock.js";
import { sentence } from "./format.js";

// Beside this file, which a worker without a document loads as well.
const ROOT = new URL("api/v1/", import.meta.url);

/** The coordinator answered with an error; the text is its sentence for people. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The coordinator refused what was asked for. */
export class Refused extends ApiError {}

/** The coordinator wants a token: none was sent, or it has ended. */
export class SignedOut extends ApiError {}

/** The coordinator did not answer, or something between it and us answered in its place. */
export class Unreachable extends Error {}

export const GATEWAY_STATUSES = new Set([502, 503, 504]);

async function call(method, path, { query, body, signal, cache = "no-store" } = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Renderfarm"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";

  let response;
  try {
    response = await fetch(url, {
      method,
      headers,
      signal,
      credentials: "same-origin",
      cache,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The coordinator does not answer.");
  }
  if (GATEWAY_STATUSES.has(response.status)) throw new Unreachable("The coordinator is being restarted.");
  clock.synchronise(response.headers.get("Date"));
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  // Called off while the answer came: that is no word about the coordinator.
  signal?.throwIfAborted();
  if (response.ok && answer !== null) return answer;
  if (response.ok) throw new Unreachable("The coordinator’s answer was cut off.");
  throw refusal(response.status, answer);
}

/** What an answer that is no success means, as an error to be thrown. */
export function refusal(status, answer) {
  const code = answer?.error?.code ?? "internal";
  const message = sentence(answer?.error?.message ?? `the coordinator answered with status ${status}`);
  return status === 401 ? new SignedOut(401, code, message) : new Refused(status, code, message);
}

export const api = {
  /** @param {object} manifest the project's files; the answer names the pieces that are to be uploaded. */
  announcePack: (manifest, options) => call("POST", "packs", { ...options, body: manifest }),
  pack: (id, options) => call("GET", `packs/${id}`, options),
  inspect: (id, blender, options) => call("POST", `packs/${id}/inspection`, { ...options, body: { blender } }),
  inspection: (id, options) => call("GET", `packs/${id}/inspection`, options),
  submit: (request, options) => call("POST", "jobs", { ...options, body: request }),
  whoAmI: (options) => call("GET", "session", options),
  signIn: (token) => call("POST", "session", { body: { token } }),
  signOut: () => call("DELETE", "session"),
  /** @param {{states?: string[] | null, user?, q?, since?, until?, sort?, cursor?, limit?}} wanted */
  jobs: ({ states, user, q, ...wanted }, options) => {
    const query = { state: states?.join(","), user: user || null, q: q || null, limit: 50, ...wanted };
    return call("GET", "jobs", { ...options, query });
  },
  changeUser: (name, changes) => call("PATCH", `users/${encodeURIComponent(name)}`, { body: changes }),
  farm: (options) => call("GET", "farm", options),
  /** @param {"minute" | "hour"} span minutes of the last day, or hours of the last month. */
  farmSamples: (span, options) => call("GET", "farm/samples", { ...options, query: { span } }),
  notifications: (options) => call("GET", "notifications", options),
  /** @param {{email?: string}} what an address to write to, or nothing for the webhooks. */
  tryNotification: (what) => call("POST", "notifications/test", { body: what }),
  revokeAgent: (id) => call("DELETE", `agents/${id}/credential`),
  storage: (options) => call("GET", "storage", options),
  users: (options) => call("GET", "users", options),
  job: (id, options) => call("GET", `jobs/${id}`, options),
  changeJob: (id, changes) => call("PATCH", `jobs/${id}`, { body: changes }),
  pauseJob: (id) => call("POST", `jobs/${id}/pause`),
  resumeJob: (id) => call("POST", `jobs/${id}/resume`),
  cancelJob: (id) => call("POST", `jobs/${id}/cancel`),
  /** Removes a job with all its files. */
  deleteJob: (id) => call("DELETE", `jobs/${id}`),
  deleteJobFiles: (id) => call("DELETE", `jobs/${id}/files`),
  jobStorage: (id) => call("GET", `jobs/${id}/storage`),
  /** All frames that failed, and what was left when the job ended. */
  requeueJob: (id) => call("POST", `jobs/${id}/requeue`, { body: {} }),
  requeueFrame: (id, frame) => call("POST", `jobs/${id}/requeue`, { body: { frames: String(frame) } }),
  /** A new job on the same files, with what is named done differently. */
  rerenderJob: (id, changes) => call("POST", `jobs/${id}/rerender`, { body: changes }),
  /** All frames at once; the browser keeps it and asks whether it has changed. */
  frameMap: (id, options) => call("GET", `jobs/${id}/frame-map`, { ...options, cache: "no-cache" }),
  frame: (id, frame, options) => call("GET", `jobs/${id}/frames/${frame}`, options),
  frameLayers: (id, frame, options) => call("GET", `jobs/${id}/frames/${frame}/layers`, options),
  frameFiles: (id, frame, options) => call("GET", `jobs/${id}/frames/${frame}/files`, options),
  jobPack: (id, cursor, options) => call("GET", `jobs/${id}/pack`, { ...options, query: { cursor, limit: 200 } }),
  jobCost: (id, options) => call("GET", `jobs/${id}/cost`, options),
  /** @param {{cursor?: string, kinds?: "all" | "notable"}} page Newest first. */
  jobEvents: (id, page, options) =>
    call("GET", `jobs/${id}/events`, { ...options, query: { ...page, order: "newest", limit: 100 } }),
  agentLoads: (options) => call("GET", "agents/loads", options),
  /** @param {{tags?: string[], pools?: string[]}} changes */
  changeAgent: (id, changes) => call("PATCH", `agents/${id}`, { body: changes }),
  setAgentAside: (id, reason) => call("POST", `agents/${id}/set-aside`, { body: { reason } }),
  /** @param {"reinstate" | "drain" | "resume" | "stop"} action */
  steerAgent: (id, action) => call("POST", `agents/${id}/${action}`),
  removeAgent: (id) => call("DELETE", `agents/${id}`),
  makeJoinCode: () => call("POST", "join-codes"),
  joinCode: (id) => call("GET", `join-codes/${id}`),
  connectRequest: (id) => call("GET", `connect-requests/${id}`),
  approveConnect: (id, code, name) => call("POST", `connect-requests/${id}/approve`, { body: { code, name } }),
  refuseConnect: (id) => call("POST", `connect-requests/${id}/refuse`),
  agents: (cursor, options) => call("GET", "agents", { ...options, query: { cursor, limit: 200 } }),
};

/**
 * A file of a job.  Browsers keep these files for ever.  A farm that was set up anew numbers its jobs from 1 again: the
 * time of submission tells the two jobs 1 apart; and frames are rendered again: `version` tells one picture from the next.
 */
function fileOf(job, path, version, more = {}) {
  const url = new URL(`jobs/${job.id}/${path}`, ROOT);
  url.searchParams.set("of", String(Date.parse(job.created_at)));
  // One of which no version is known is asked for anew each time.
  url.searchParams.set("version", version ?? String(Math.floor(clock.now())));
  for (const [name, value] of Object.entries(more)) url.searchParams.set(name, String(value));
  return url.href;
}

/** What changes with every frame that is finished, and with every end of the job. */
function stateOf(job) {
  return `${job.finished}-${job.ended_at === null ? "" : Date.parse(job.ended_at)}`;
}

/** Addresses of files and of the event stream, for elements that fetch by themselves. */
export const addresses = {
  /** What the terminal and agents call the coordinator. */
  farm: () => new URL(".", document.baseURI).href.replace(/\/$/, ""),
  /** @param {string | null} last the last event that came, behind which the stream is to go on. */
  events: (last) => {
    const url = new URL("events", ROOT);
    if (last !== null) url.searchParams.set("since", last);
    return url.href;
  },
  blob: (sha256) => new URL(`blobs/${sha256}`, ROOT).href,
  batch: () => new URL("blobs", ROOT).href,
  /** Files of a frame; `version` tells its picture from another one of the same frame. */
  preview: (job, frame, version) => fileOf(job, `frames/${frame}/preview`, version),
  thumbnail: (job, frame, version, width) => fileOf(job, `frames/${frame}/thumbnail`, version, { width }),
  output: (job, frame, version) => fileOf(job, `frames/${frame}/output`, version),
  /** A picture of one of the layers and passes of its file. */
  layer: (job, frame, version, name) => fileOf(job, `frames/${frame}/layer`, version, { name }),
  display: (job, frame, version) => fileOf(job, `frames/${frame}/display`, version),
  extraFile: (job, frame, path, sha256) =>
    fileOf(job, `frames/${frame}/files/${path.split("/").map(encodeURIComponent).join("/")}`, sha256.slice(0, 12)),
  allFrames: (job, extras = false) => new URL(`jobs/${job.id}/frames.zip${extras ? "?extras=true" : ""}`, ROOT).href,
  log: (job) => new URL(`jobs/${job.id}/log`, ROOT).href,
  latestThumbnail: (job, width) => fileOf(job, `frames/${job.latest_frame}/thumbnail`, stateOf(job), { width }),
  latestPreview: (job) => fileOf(job, `frames/${job.latest_frame}/preview`, stateOf(job)),
  video: (job) => fileOf(job, "video", stateOf(job)),
};
