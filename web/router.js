/** Addresses of the page's views.  They live behind the # so that a static file server is all they need. */

/** What the list of jobs shows when its address says nothing; dates are days, as 2026-01-31. */
export const EVERY_JOB = Object.freeze({ show: "all", q: "", user: "", from: "", to: "", sort: "newest" });

const JOB_PARTS = ["times", "history", "files"];

export const links = {
  /** @param {Partial<typeof EVERY_JOB>} wanted which jobs, in which order; what is left out is as by default. */
  jobs: (wanted = {}) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(EVERY_JOB)) {
      const chosen = wanted[name] ?? value;
      if (chosen !== value) query.set(name, chosen);
    }
    return query.size === 0 ? "#/jobs" : `#/jobs?${query}`;
  },
  job: (id) => `#/jobs/${id}`,
  frame: (id, frame) => `#/jobs/${id}/frames/${frame}`,
  /** @param {"frames" | "times" | "history" | "files"} part */
  jobPart: (id, part) => (part === "frames" ? `#/jobs/${id}` : `#/jobs/${id}/${part}`),
  /** Two frames, each `{job, frame}` or null. @param {"side" | "wipe"} mode */
  compare: (left, right, mode = "side") => {
    const sides = Object.entries({ left, right }).filter(([, side]) => side !== null);
    return `#/compare?${[...sides.map(([name, side]) => `${name}=${side.job}:${side.frame}`), `mode=${mode}`].join("&")}`;
  },
  agents: () => "#/agents",
  farm: () => "#/farm",
  newJob: (pack = null) => (pack === null ? "#/new" : `#/new/${pack}`),
  extension: () => "extension/renderfarm.zip",
};

/**
 * Returns the route that a location's hash names: `{view, key, …}`.  Routes with equal keys are shown by one view, which
 * is told of the change.
 */
export function parseRoute(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  if (parts.length === 0 || (parts.length === 1 && parts[0] === "jobs")) {
    const given = new URLSearchParams(query);
    const wanted = Object.entries(EVERY_JOB).map(([name, value]) => [name, given.get(name) ?? value]);
    return { view: "jobs", key: "jobs", wanted: Object.fromEntries(wanted) };
  }
  if (parts.length === 1 && ["agents", "farm"].includes(parts[0])) return { view: parts[0], key: parts[0] };
  if (parts[0] === "new" && (parts.length === 1 || (parts.length === 2 && /^[0-9a-f]{64}$/.test(parts[1])))) {
    return { view: "new", key: "new", pack: parts[1] ?? null };
  }
  if (parts.length === 2 && parts[0] === "connect" && /^\d+$/.test(parts[1])) {
    return { view: "connect", key: `connect ${parts[1]}`, id: Number(parts[1]) };
  }
  if (parts[0] === "jobs" && /^\d+$/.test(parts[1])) {
    const id = Number(parts[1]);
    const route = { view: "job", key: `job ${id}`, id, tab: "frames", frame: null };
    if (parts.length === 2) return route;
    if (parts.length === 3 && JOB_PARTS.includes(parts[2])) return { ...route, tab: parts[2] };
    if (parts.length === 4 && parts[2] === "frames" && /^-?\d+$/.test(parts[3])) {
      return { ...route, frame: Number(parts[3]) };
    }
  }
  if (parts.length === 1 && parts[0] === "compare") {
    const asked = new URLSearchParams(query);
    const mode = asked.get("mode") === "wipe" ? "wipe" : "side";
    return { view: "compare", key: "compare", left: frameOf(asked.get("left")), right: frameOf(asked.get("right")), mode };
  }
  return { view: "missing", key: "missing" };
}

/** "12:5" → frame 5 of job 12. */
function frameOf(text) {
  const match = /^(\d+):(-?\d+)$/.exec(text ?? "");
  return match && { job: Number(match[1]), frame: Number(match[2]) };
}
