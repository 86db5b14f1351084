/** How lists of jobs are sorted, as the coordinator sorts them (docs/PROTOCOL.md, `GET jobs`).  Pure. */

const newest = (a, b) => b.id - a.id;
const ended = (job) => (job.ended_at === null ? -Infinity : Date.parse(job.ended_at));

/** A name as the coordinator sorts by it (coordinator/domain/searching.py): in small letters, without accents. */
function folded(name) {
  const bare = name.replaceAll("\0", "").normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
  // Capitals first: that makes "ss" of "ß" and one small letter of both sigmas.
  const small = bare.toUpperCase().toLowerCase().replaceAll("ς", "σ").normalize("NFC");
  return small.split(/\s+/u).filter(Boolean).join(" ");
}

/** Names that were folded: a list is sorted again and again. */
const known = new Map();
const MOST_KNOWN = 20_000;

function sortText({ name, user }) {
  const key = `${name}\n${user}`;
  let text = known.get(key);
  if (text === undefined) {
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(key, (text = `${folded(name)}\n${folded(user)}`));
  }
  return text;
}

function byName(a, b) {
  const [left, right] = [sortText(a), sortText(b)];
  return left < right ? -1 : left > right ? 1 : a.id - b.id;
}

const ORDERS = Object.freeze({
  newest,
  oldest: (a, b) => a.id - b.id,
  priority: (a, b) => b.priority - a.priority || newest(a, b),
  name: byName,
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
