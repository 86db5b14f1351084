/** Colours for render times, from short to long: even steps to the eye, and told apart without red and green. */

const STOPS = ["#3f3a8c", "#2f6f9f", "#25a08d", "#7fcf62", "#f5e163"];

export const TIME_STEPS = 32;

const COLOURS = Array.from({ length: TIME_STEPS }, (_, step) => {
  const position = (step / (TIME_STEPS - 1)) * (STOPS.length - 1);
  const index = Math.min(STOPS.length - 2, Math.floor(position));
  return mix(STOPS[index], STOPS[index + 1], position - index);
});

/** The colour of a time between the shortest and the longest, on a logarithmic scale. */
export function timeColour(seconds, [least, most]) {
  const span = Math.log(most / least);
  const share = span > 0 ? Math.log(Math.max(seconds, 1e-6) / least) / span : 0.5;
  return COLOURS[Math.min(TIME_STEPS - 1, Math.max(0, Math.round(share * (TIME_STEPS - 1))))];
}

function mix(from, to, share) {
  const channel = (colour, index) => parseInt(colour.slice(1 + index * 2, 3 + index * 2), 16);
  const parts = [0, 1, 2].map((index) => Math.round(channel(from, index) * (1 - share) + channel(to, index) * share));
  return `rgb(${parts.join(" ")})`;
}

/** Colours that tell a few things apart, such as agents. */
export const DISTINCT = ["#5b8def", "#f0853d", "#4ca772", "#c77ddb", "#e0b33c", "#3fb6c4", "#e36a8b", "#9a8f7d"];
