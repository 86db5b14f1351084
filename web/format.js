/** Numbers and times in the words of people.  Pure; durations are in seconds, times ISO 8601 texts, lengths in bytes. */

const NUMBER = new Intl.NumberFormat("en");
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
// Made once: making one of these takes longer than all else that a row of a list needs.
const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });

export function number(value) {
  return NUMBER.format(value);
}

/** 0.4249 → "42 %".  Rounded down, so that 100 % means that all is done. */
export function percent(fraction) {
  return `${Math.floor(fraction * 100 + 1e-9)} %`;
}

export function plural(count, one, many) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** 3725 → "1 h 02 min"; 200 → "3 min 20 s"; 42 → "42 s". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 === 0 ? `${whole / 60} min` : `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A render time, with tenths where they matter: 0.52 → "0.5 s". */
export function renderTime(seconds) {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

/** 300 → "0.08 Wh"; 5.4e6 → "1.5 kWh": two digits at least. */
export function energy(joules) {
  const hours = joules / 3600;
  const [value, unit] = hours < 1000 ? [hours, "Wh"] : [hours / 1000, "kWh"];
  return `${value >= 10 ? number(Math.round(value)) : Number(value.toPrecision(2))} ${unit}`;
}

/** An estimate, no more exact than it deserves: 200 → "about 3 min". */
export function estimate(seconds) {
  if (seconds < 5) return "a few seconds";
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} s`;
  if (seconds < 3570) return `about ${Math.round(seconds / 60)} min`;
  return `about ${duration(Math.round(seconds / 60) * 60)}`;
}

/** Between two estimates: 100 and 260 → "2–4 min"; where both read alike, as one. */
export function estimateRange(low, high) {
  if (high < 55) return estimate(high);
  if (high < 3570) {
    const [from, to] = [Math.max(1, Math.round(low / 60)), Math.round(high / 60)];
    return from === to ? `about ${to} min` : `${from}–${to} min`;
  }
  const [unit, length] = high < 86_400 ? ["h", 3600] : ["d", 86_400];
  const [from, to] = [low / length, high / length].map(tenths);
  if (from === to) return `about ${to} ${unit}`;
  // Of a small unit, what is below one of the larger: "6 min–1.5 h".
  return low < length * 0.95 ? `${estimate(Math.max(60, low)).replace("about ", "")}–${to} ${unit}` : `${from}–${to} ${unit}`;
}

/** Two digits: 1.52 → "1.5", 12.7 → "13". */
function tenths(value) {
  return value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : String(Math.round(value));
}

/** Frames a minute, with as many digits as tell something. */
export function rate(perMinute) {
  if (perMinute >= 10) return `${number(Math.round(perMinute))}/min`;
  if (perMinute >= 0.95) return `${perMinute.toFixed(1)}/min`;
  return `${(perMinute * 60).toFixed(perMinute * 60 < 9.5 ? 1 : 0)}/h`;
}

/** "just now", "5 minutes ago", "yesterday". */
export function ago(time, now) {
  const seconds = Math.round((now - Date.parse(time)) / 1000);
  if (seconds < 10) return "just now";
  if (seconds < 60) return RELATIVE.format(-seconds, "second");
  if (seconds < 3600) return RELATIVE.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86400) return RELATIVE.format(-Math.floor(seconds / 3600), "hour");
  return RELATIVE.format(-Math.floor(seconds / 86400), "day");
}

/** Date and time where the reader is, as they write them. */
export function dateTime(time) {
  return DATE_TIME.format(new Date(time));
}

/** "14:32" where the reader is, with the day when that is not the day of `now`. */
export function clockTime(milliseconds, now) {
  const then = new Date(milliseconds);
  const time = TIME.format(then);
  if (then.toDateString() === new Date(now).toDateString()) return time;
  return `${DAY.format(then)}, ${time}`;
}

export function bytes(length) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = length;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value} ${units[0]}` : `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

export function version(parts) {
  return parts.join(".");
}

/** "no such job" → "No such job." */
export function sentence(text) {
  const capitalised = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capitalised) ? capitalised : `${capitalised}.`;
}

function pad(value) {
  return String(value).padStart(2, "0");
}
