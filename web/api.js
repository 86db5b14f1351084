/**
 * The public API (docs/PROTOCOL.md) as functions.  Addresses are relative to the page, so that it also works behind a
 * reverse proxy that serves it under a path.
 */
import { clock } from "./clock.js";
import { sentence } from "./format.js";

const ROOT = new URL("api/v1/", document.baseURI);

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

const GATEWAY_STATUSES = new Set([502, 503, 504]);

async function call(method, path, { query, body, signal } = {}) {
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
      cache: "no-store",
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
  if (response.ok && answer !== null) return answer;
  if (response.ok) throw new Unreachable("The coordinator’s answer was cut off.");
  const code = answer?.error?.code ?? "internal";
  const message = sentence(answer?.error?.message ?? `the coordinator answered with status ${response.status}`);
  throw response.status === 401 ? new SignedOut(401, code, message) : new Refused(response.status, code, message);
}

export const api = {
  whoAmI: (options) => call("GET", "session", options),
  signIn: (token) => call("POST", "session", { body: { token } }),
  signOut: () => call("DELETE", "session"),
  jobs: ({ states, cursor }, options) =>
    call("GET", "jobs", { ...options, query: { state: states?.join(","), cursor, limit: 50 } }),
  job: (id, options) => call("GET", `jobs/${id}`, options),
  cancelJob: (id) => call("POST", `jobs/${id}/cancel`),
  frames: (id, cursor, options) => call("GET", `jobs/${id}/frames`, { ...options, query: { cursor, limit: 1000 } }),
  jobEvents: (id, cursor, options) => call("GET", `jobs/${id}/events`, { ...options, query: { cursor, limit: 200 } }),
  agents: (cursor, options) => call("GET", "agents", { ...options, query: { cursor, limit: 200 } }),
};

/**
 * A file of a job.  Browsers keep these files for ever, and a farm that was set up anew numbers its jobs from 1 again:
 * the time of submission tells the two jobs 1 apart.
 */
function fileOf(job, path) {
  const url = new URL(`jobs/${job.id}/${path}`, ROOT);
  url.searchParams.set("of", String(Date.parse(job.created_at)));
  return url.href;
}

/** Addresses of files and of the event stream, for elements that fetch by themselves. */
export const addresses = {
  /** What the terminal and agents call the coordinator. */
  farm: () => new URL(".", document.baseURI).href.replace(/\/$/, ""),
  events: () => new URL("events", ROOT).href,
  preview: (job, frame) => fileOf(job, `frames/${frame}/preview`),
  output: (job, frame) => fileOf(job, `frames/${frame}/output`),
  video: (job) => fileOf(job, "video"),
};
