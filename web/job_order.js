/** How lists of jobs are sorted, as the coordinator sorts them (docs/PROTOCOL.md, `GET jobs`).  Pure. */

const newest = (a, b) => b.id - a.id;
const ended = (job) => (job.ended_at === null ? -Infinity : Date.parse(job.ended_at));

const ORDERS = Object.freeze({
  newest,
  oldest: (a, b) => a.id - b.id,
  priority: (a, b) => b.priority - a.priority || newest(a, b),
  name: (a, b) => a.name.localeCompare(b.name, "en", { sensitivity: "base", numeric: false }) || a.id - b.id,
  ended: (a, b) => ended(b) - ended(a) || newest(a, b),
});

/** What a list can be sorted by, with the words for it. */
export const SORTS = Object.freeze([
  { sort: "newest", label: "Newest first" },
  { sort: "oldest", label: "Oldest first" },
  { sort: "priority", label: "Highest priority first" },
  { sort: "name", label: "By name" },
  { sort: "ended", label: "Ended last first" },
]);

/** @returns {(a: object, b: object) => number} what sorts jobs so. */
export function comparator(sort) {
  return ORDERS[sort] ?? newest;
}

/**
 * Whether a job that just changed belongs to a list; null where only the coordinator can tell: a search also looks at
 * the name of the scene's file.
 */
export function belongs(job, { states, user, q, since, until, sort }) {
  if (states !== null && !states.includes(job.state)) return false;
  if (sort === "ended" && job.ended_at === null) return false;
  if (user && job.user !== user) return false;
  const made = Date.parse(job.created_at);
  if (since && made < Date.parse(since)) return false;
  if (until && made >= Date.parse(until)) return false;
  return q ? null : true;
}
