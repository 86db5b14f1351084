/** Addresses of the page's views.  They live behind the # so that a static file server is all they need. */

export const links = {
  jobs: (show = "all") => (show === "all" ? "#/jobs" : `#/jobs?show=${show}`),
  job: (id) => `#/jobs/${id}`,
  frame: (id, frame) => `#/jobs/${id}/frames/${frame}`,
  history: (id) => `#/jobs/${id}/history`,
  agents: () => "#/agents",
};

/**
 * Returns the route that a location's hash names: `{view, key, …}`.  Routes with equal keys are shown by one view, which
 * is told of the change.
 */
export function parseRoute(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  if (parts.length === 0 || (parts.length === 1 && parts[0] === "jobs")) {
    return { view: "jobs", key: "jobs", show: new URLSearchParams(query).get("show") ?? "all" };
  }
  if (parts.length === 1 && parts[0] === "agents") return { view: "agents", key: "agents" };
  if (parts[0] === "jobs" && /^\d+$/.test(parts[1])) {
    const id = Number(parts[1]);
    const route = { view: "job", key: `job ${id}`, id, tab: "frames", frame: null };
    if (parts.length === 2) return route;
    if (parts.length === 3 && parts[2] === "history") return { ...route, tab: "history" };
    if (parts.length === 4 && parts[2] === "frames" && /^-?\d+$/.test(parts[3])) {
      return { ...route, frame: Number(parts[3]) };
    }
  }
  return { view: "missing", key: "missing" };
}
