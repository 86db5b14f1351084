/** Two pictures beside each other, or one over the other with an edge to be moved: two jobs, or two renders of a frame. */
import { addresses, api, Refused } from "../api.js";
import { el, icon, setAttribute, setText } from "../components/element.js";
import { ZoomStage } from "../components/zoom_stage.js";
import { renderTime } from "../format.js";
import { links } from "../router.js";

const FORMATS_SHOWN = new Set(["PNG", "JPEG"]);
const SIDES = ["left", "right"];
const NAMES = { left: "Left", right: "Right" };
const MODES = { side: "Side by side", wipe: "Wipe" };

export function compareView({ guard, replaceRoute }, first) {
  const sides = { left: side("left", first.left, change), right: side("right", first.right, change) };
  const edge = el("input", { class: "wipe-edge", type: "range", min: 0, max: 100, step: 0.1, value: 50, "aria-label": "Edge between the pictures", hidden: true });
  const line = el("span", { class: "wipe-line", hidden: true });
  const stages = el("div", { class: "compare-stages" }, sides.left.stage.element, sides.right.stage.element, line);
  const modes = el("div", { class: "segments", role: "group", "aria-label": "How they are shown" });
  const together = el("input", { type: "checkbox", checked: first.left === null || first.right === null || first.left.frame === first.right.frame });
  const element = el(
    "section",
    { class: "compare" },
    el(
      "header",
      { class: "page-head" },
      el("div", {}, el("h1", { tabindex: -1 }, "Compare")),
      el("div", { class: "buttons" }, sides.left.stage.controls, modes),
    ),
    el("div", { class: "compare-pickers" }, sides.left.picker, sides.right.picker),
    stages,
    edge,
    el(
      "div",
      { class: "compare-foot" },
      iconButton("back", "Frame before", () => step(-1)),
      iconButton("forward", "Frame after", () => step(1)),
      el("label", { class: "check" }, together, "Both sides show the same frame"),
    ),
  );
  let mode = "side";

  for (const [name, label] of Object.entries(MODES)) {
    const button = el("button", { type: "button", "aria-pressed": String(name === mode) }, label);
    button.addEventListener("click", () => go({ mode: name }));
    modes.append(button);
  }
  edge.addEventListener("input", showEdge);
  stages.addEventListener("pointermove", (event) => {
    if (mode !== "wipe" || event.buttons !== 0 || event.pointerType !== "mouse") return;
    const { left, width } = stages.getBoundingClientRect();
    edge.value = String((100 * (event.clientX - left)) / width);
    showEdge();
  });
  for (const name of SIDES) {
    const other = sides[name === "left" ? "right" : "left"];
    sides[name].stage.addEventListener("view", () => (other.stage.view = sides[name].stage.view));
  }
  element.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select")) return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });

  function showEdge() {
    stages.style.setProperty("--edge", `${edge.value}%`);
  }

  /** Goes to the address that names what is wanted. */
  function go({ left = sides.left.wanted, right = sides.right.wanted, mode: next = mode }) {
    replaceRoute(links.compare(left, right, next));
  }

  /** A person has chosen another job or frame on one side. */
  function change(name, wanted) {
    const other = name === "left" ? "right" : "left";
    const others = sides[other].wanted;
    const follows = together.checked && others !== null && wanted !== null;
    go({ [name]: wanted, [other]: follows ? { ...others, frame: wanted.frame } : others });
  }

  function step(direction) {
    const next = (wanted) => (wanted === null ? null : { ...wanted, frame: wanted.frame + direction });
    go({ left: next(sides.left.wanted), right: together.checked ? next(sides.right.wanted) : sides.right.wanted });
  }

  /** Jobs of the same files come first: they are what one compares with. */
  async function loadChoices() {
    const { items } = await api.jobs({});
    const pack = sides.left.job?.pack;
    items.sort((a, b) => Number(b.pack === pack) - Number(a.pack === pack) || b.id - a.id);
    for (const name of SIDES) sides[name].offer(items);
    if (sides.right.wanted === null && sides.left.wanted !== null) {
      const like = items.find((job) => job.pack === pack && job.id !== sides.left.wanted.job);
      if (like) go({ right: { job: like.id, frame: sides.left.wanted.frame } });
    }
  }

  return {
    element,
    title: () => "Compare",
    async refresh() {
      await Promise.all(SIDES.map((name) => sides[name].load()));
      await loadChoices();
    },
    route(route) {
      mode = route.mode;
      element.dataset.mode = mode;
      edge.hidden = line.hidden = mode !== "wipe";
      showEdge();
      for (const [index, button] of [...modes.children].entries()) {
        setAttribute(button, "aria-pressed", String(Object.keys(MODES)[index] === mode));
      }
      guard(() => Promise.all([sides.left.show(route.left), sides.right.show(route.right)]));
    },
    close() {},
  };
}

/** One of the two pictures and the fields that choose it. */
function side(name, first, change) {
  const stage = new ZoomStage(`${NAMES[name]} picture`);
  const jobs = el("select", { "aria-label": `${NAMES[name]}: job` });
  const frame = el("input", { type: "number", step: 1, "aria-label": `${NAMES[name]}: frame`, class: "fact-input" });
  const words = el("p", { class: "summary", role: "status" });
  const picker = el("div", { class: "compare-picker" }, el("span", { class: "picker-fields" }, jobs, el("span", {}, "Frame"), frame), words);
  const shown = {
    stage,
    picker,
    job: null,
    wanted: first,
    offer(items) {
      const known = shown.job === null || items.some(({ id }) => id === shown.job.id) ? items : [shown.job, ...items];
      const choose = shown.wanted === null ? [el("option", { value: "" }, "Choose a job…")] : [];
      jobs.replaceChildren(...choose, ...known.map((job) => el("option", { value: job.id, selected: job.id === shown.wanted?.job }, `#${job.id} ${job.name}`)));
    },
    /** @param {{job: number, frame: number} | null} wanted */
    async show(wanted) {
      if (JSON.stringify(wanted) === JSON.stringify(shown.wanted)) return;
      shown.wanted = wanted;
      await shown.load();
    },
    async load() {
      const { wanted } = shown;
      stage.element.dataset.empty = String(wanted === null);
      if (wanted === null) {
        setText(words, "Choose a job to compare with.");
        return;
      }
      frame.value = String(wanted.frame);
      jobs.value = String(wanted.job);
      try {
        if (shown.job?.id !== wanted.job) shown.job = await api.job(wanted.job);
        const { result } = await api.frame(wanted.job, wanted.frame);
        if (wanted !== shown.wanted) return;
        showFrame(shown.job, wanted.frame, result);
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== "not_found") throw error;
        nothing(`Job ${wanted.job} has no frame ${wanted.frame}.`);
      }
      shown.offer([...jobs.options].filter(({ value }) => value !== "").map((option) => ({ id: Number(option.value), name: option.textContent.replace(/^#\d+ /, "") })));
    },
  };

  function showFrame(job, number, result) {
    if (result?.state !== "finished") {
      nothing(result === null ? `Frame ${number} is not rendered yet.` : `Frame ${number} failed: ${result.reason}`);
      return;
    }
    stage.element.dataset.empty = "false";
    const whole = FORMATS_SHOWN.has(job.output.format) ? addresses.output : job.output.display ? addresses.display : addresses.preview;
    stage.show(whole(job, number, result.sha256.slice(0, 6)), `Frame ${number} of ${job.name}`);
    setText(words, `${renderTime(result.seconds)} on ${result.agent}`);
  }

  function nothing(text) {
    stage.element.dataset.empty = "true";
    stage.image.removeAttribute("src");
    setText(words, text);
  }

  jobs.addEventListener("change", () => jobs.value !== "" && change(name, { job: Number(jobs.value), frame: Number(frame.value || 1) }));
  frame.addEventListener("change", () => frame.checkValidity() && frame.value !== "" && shown.wanted && change(name, { ...shown.wanted, frame: frame.valueAsNumber }));
  return shown;
}

function iconButton(name, label, action) {
  const made = el("button", { class: "icon-button", type: "button", "aria-label": label, title: label }, icon(name));
  made.addEventListener("click", action);
  return made;
}
