/** A chart of bars over time with a line above them, drawn as SVG; its words say what it shows. */
import { el, setText } from "./element.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 220;
const TOP = 10;

/** @param {string} title what the bars are. */
export function chart(title) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title });
  const most = el("span", { class: "chart-most" });
  const axis = el("div", { class: "chart-axis", "aria-hidden": "true" });
  const tip = el("p", { class: "chart-tip", "aria-live": "off" });
  const element = el("div", { class: "chart" }, el("div", { class: "chart-plot" }, svg, most), axis, tip);
  let shown = [];

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const place = Math.floor(((event.clientX - box.left) / box.width) * shown.length);
    setText(tip, shown[place]?.words ?? "");
  });
  svg.addEventListener("pointerleave", () => setText(tip, ""));

  return {
    element,
    /**
     * @param {Array<{value: number | null, line: number | null, words: string}>} points from left to right, evenly spaced.
     * @param {string[]} labels below, from left to right.
     * @param {{summary: string, unit: (value: number) => string, lineMost: number}} words
     */
    update(points, labels, { summary, unit, lineMost }) {
      shown = points;
      const highest = Math.max(1, ...points.map((point) => point.value ?? 0));
      const step = WIDTH / Math.max(points.length, 1);
      const y = (share) => HEIGHT - share * (HEIGHT - TOP);
      const bars = points
        .map(({ value }, place) => (value ? `M${fixed(place * step)} ${HEIGHT}V${fixed(y(value / highest))}h${fixed(Math.max(step * 0.8, step - 1))}V${HEIGHT}Z` : ""))
        .join("");
      let pen = "M";
      const line = points
        .map(({ line: level }, place) => {
          if (level === null || lineMost <= 0) {
            pen = "M";
            return "";
          }
          const part = `${pen}${fixed((place + 0.5) * step)} ${fixed(y(Math.min(1, level / lineMost)))}`;
          pen = "L";
          return part;
        })
        .join("");
      const grid = [0.25, 0.5, 0.75, 1].map((share) => `M0 ${fixed(y(share))}H${WIDTH}`).join("");
      svg.replaceChildren(
        shape("path", { class: "chart-grid", d: grid }),
        shape("path", { class: "chart-bars", d: bars }),
        shape("path", { class: "chart-line", d: line }),
      );
      svg.setAttribute("aria-label", `${title}. ${summary}`);
      setText(most, unit(highest));
      axis.replaceChildren(...labels.map((label) => el("span", {}, label)));
    },
  };
}

/** Between two measurements farther apart than this, in milliseconds, nothing is known: the line is broken. */
const GAP_MS = 120_000;

/** A line of the last values, without axes. */
export function sparkline(label) {
  const path = shape("path", { class: "spark-line" });
  const svg = shape("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": label });
  svg.append(path);
  return {
    element: svg,
    /** @param {Array<{at: number, value: number | null}>} points values from 0 to 1 and their times, the oldest first. */
    update(points) {
      const first = points[0]?.at ?? 0;
      const span = Math.max((points.at(-1)?.at ?? 0) - first, 1);
      let before = null;
      const d = points.map(({ at, value }) => {
        if (value === null) {
          before = null;
          return "";
        }
        const pen = before === null || at - before > GAP_MS ? "M" : "L";
        before = at;
        return `${pen}${fixed(((at - first) / span) * 100)} ${fixed(23 - Math.min(1, Math.max(0, value)) * 22)}`;
      });
      path.setAttribute("d", d.join(""));
    },
  };
}

function shape(tag, attributes) {
  const made = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function fixed(value) {
  return value.toFixed(1);
}
