/** All that is known of a frame, in words: how and where it was rendered, what is in its file, what failed before. */
import { addresses, api, Refused } from "../api.js";
import { bytes, dateTime, energy, renderTime } from "../format.js";
import { el } from "./element.js";

/**
 * @param {(work: () => Promise<void>) => void} guard runs work and shows its errors.
 * @param {(name: string | null) => void} onLayer is called with the layer or pass that the person wants to see, or null
 *   for the picture as it is.
 */
export function frameDetails(job, guard, onLayer) {
  const element = el("aside", { class: "frame-details", "aria-label": "About this frame", tabindex: 0 });
  let shown = null;
  let known = null;
  let layer = null;

  async function load(frame, key) {
    let detail;
    try {
      detail = await api.frame(job.id, frame);
    } catch (error) {
      if (error instanceof Refused && error.code === "not_found") {
        element.replaceChildren(el("p", {}, `This job has no frame ${frame}.`));
        return;
      }
      throw error;
    }
    if (key !== known) return;
    element.replaceChildren(...parts(job, detail));
    if (detail.result?.state !== "finished") return;
    const [layers, files] = await Promise.all([
      api.frameLayers(job.id, frame),
      detail.result.extras > 0 ? api.frameFiles(job.id, frame) : { items: [] },
    ]);
    if (key !== known) return;
    element.append(...contents(layers, layerButton), ...extras(job, frame, files.items), ...log(detail));
  }

  function layerButton(name) {
    const button = el("button", { class: "layer-button", type: "button", "aria-pressed": String(name === layer), "data-layer": name }, name);
    button.addEventListener("click", () => {
      layer = layer === name ? null : name;
      for (const other of element.querySelectorAll(".layer-button")) other.setAttribute("aria-pressed", String(other.dataset.layer === layer));
      onLayer(layer);
    });
    return button;
  }

  return {
    element,
    /** Shows a frame; `look` changes when something has happened to it. */
    show(frame, look) {
      const key = `${frame} ${look}`;
      if (key === known) return;
      known = key;
      if (shown !== frame) element.replaceChildren();
      shown = frame;
      guard(() => load(frame, key));
    },
  };
}

function parts(job, { filename, result, blender, device, cards, attempts }) {
  const rows = [];
  const fact = (term, value) => {
    if (value !== null && value !== undefined) rows.push(el("div", {}, el("dt", {}, term), el("dd", {}, value)));
  };
  const made = [];
  if (result === null) {
    made.push(el("p", { class: "details-words" }, "It waits to be rendered, or is being rendered now."));
  } else if (result.state === "failed") {
    made.push(el("p", { class: "notice error details-words" }, result.reason));
  } else {
    fact("File", `${filename}, ${bytes(result.size)}`);
    fact("Render time", renderTime(result.seconds));
    fact("Agent", result.agent);
    fact("Device", cards.length > 0 ? `${cards.join(", ")} (${device})` : device === "CPU" ? "Processor" : device);
    fact("Memory", result.peak_memory_bytes === null ? null : bytes(result.peak_memory_bytes));
    fact("Card memory", result.peak_gpu_memory_bytes === null ? null : bytes(result.peak_gpu_memory_bytes));
    fact("Energy", result.energy_joules === null ? null : `${energy(result.energy_joules)}, graphics cards alone`);
    fact("Blender", blender);
    fact("Finished", dateTime(result.finished_at));
    fact("Attempts", result.attempts > 1 ? String(result.attempts) : null);
    if (result.doubt) made.push(el("p", { class: "notice warning details-words" }, result.doubt));
  }
  if (rows.length > 0) made.push(el("dl", { class: "facts" }, ...rows));
  if (attempts.length > 0) made.push(el("h3", {}, "What failed"), el("ol", { class: "attempts" }, ...attempts.map(attempt)));
  return made;
}

function attempt({ at, agent, code, message, counts }) {
  const words = [agent, code.replaceAll("_", " "), dateTime(at)];
  if (!counts) words.push("before it was rendered again");
  const [first, ...rest] = message.split("\n");
  const log = rest.join("\n").trim();
  return el(
    "li",
    {},
    el("p", {}, first),
    el("p", { class: "attempt-facts" }, words.join(" · ")),
    log === "" ? null : el("details", {}, el("summary", {}, "Blender’s last words"), el("pre", { tabindex: 0 }, log)),
  );
}

function contents({ width, height, compression, layers }, layerButton) {
  const size = `${width} × ${height}${compression === null ? "" : `, ${compression}`}`;
  const items = layers.map(({ name, channels, bits }) =>
    el("li", {}, layers.length > 1 ? layerButton(name) : el("span", {}, name), el("span", { class: "layer-channels" }, `${channels.join(" ")}${bits === null ? "" : `, ${bits} bit`}`)),
  );
  const heading = layers.length === 1 ? "In the file" : `${layers.length} layers and passes`;
  const hint = layers.length > 1 ? ". Choose one to see it; once more, and the picture is back." : "";
  return [el("h3", {}, heading), el("p", { class: "attempt-facts layers-facts" }, `${size}${hint}`), el("ul", { class: "layers" }, ...items)];
}

function log(detail) {
  if (detail.log === null) return [];
  return [el("details", { class: "frame-log" }, el("summary", {}, "What Blender said"), el("pre", { tabindex: 0 }, detail.log))];
}

function extras(job, frame, files) {
  if (files.length === 0) return [];
  const items = files.map(({ path, sha256, size }) =>
    el(
      "li",
      {},
      el("a", { href: addresses.extraFile(job, frame, path, sha256), download: path.split("/").at(-1) }, path),
      el("span", { class: "layer-channels" }, bytes(size)),
    ),
  );
  return [el("h3", {}, "Written by the scene itself"), el("ul", { class: "layers" }, ...items)];
}
