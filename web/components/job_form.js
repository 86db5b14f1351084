/** What a job is to render and how, begun with the scene's own values. */
import { number, plural } from "../format.js";
import { countFrames } from "../frame_range.js";
import { engineOf, formatOf, framesOf, sizeOf } from "../upload/job_request.js";
import { engineName, formatName } from "../words.js";
import { choice, field, numberInput, numberOf, selection, several } from "./field.js";
import { el, icon, setText } from "./element.js";
import { letterField } from "./letter_field.js";

const AS_IT_IS = "As the scene says";
const PRIORITIES = [["25", "Low"], ["50", "Normal"], ["75", "High"], ["90", "Urgent"]];
const SAMPLELESS = ["WORKBENCH"];

/**
 * @param {object} options
 * @param {string} options.name
 * @param {object | null} options.findings
 * @param {Promise<boolean>} options.sendsLetters whether the farm sends e-mail
 * @param {(values: object, scene: object | null) => Promise<void>} options.onSubmit
 */
export function jobForm({ name, findings, sendsLetters, onSubmit }) {
  let scene = findings?.scenes.find((one) => one.name === findings.scene) ?? findings?.scenes[0] ?? null;
  const nameInput = el("input", { type: "text", maxlength: 200, required: true, autocomplete: "off", value: name });
  const nameField = field("Name", nameInput);
  const sceneSelect = selection((findings?.scenes ?? []).map((one) => [one.name, one.name]), scene?.name);
  const sceneField = field("Scene", sceneSelect);
  sceneField.element.hidden = (findings?.scenes.length ?? 0) < 2;
  const own = el("div", { class: "form-parts" });
  const priority = selection(PRIORITIES, "50");
  const priorityField = field("Priority", priority);
  const letters = letterField(sendsLetters);
  const submit = el("button", { class: "button primary large", type: "submit" });
  const problem = el("p", { class: "form-problem", role: "alert" });
  const form = el(
    "form",
    { class: "job-form", novalidate: true },
    el("div", { class: "form-row" }, nameField.element, sceneField.element),
    own,
    el("div", { class: "form-row" }, priorityField.element, letters.element),
    el("div", { class: "form-end" }, problem, submit),
  );
  let parts = null;

  /** The fields whose values are one scene's own. */
  function showScene() {
    parts = sceneParts(scene, findings, update);
    own.replaceChildren(...parts.elements);
    update();
  }

  function update() {
    parts.update();
    const count = countFrames(parts.frames());
    setText(submit, count === null ? "Render" : `Render ${plural(count, "frame", "frames")}`);
  }

  sceneSelect.addEventListener("change", () => {
    scene = findings.scenes.find((one) => one.name === sceneSelect.value);
    showScene();
  });
  form.addEventListener("input", update);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(problem, "");
    nameField.problem(nameInput.value.trim() ? "" : "The job needs a name.");
    const isGood = [parts.check(), letters.check()].every(Boolean);
    const wrong = form.querySelector("[aria-invalid]");
    if (!isGood || wrong) {
      wrong?.focus();
      return;
    }
    submit.disabled = true;
    try {
      const values = { name: nameInput.value.trim(), priority: Number(priority.value), notify: letters.values() };
      await onSubmit({ ...values, ...parts.values() }, scene);
    } catch (error) {
      setText(problem, error.message);
    } finally {
      submit.disabled = false;
    }
  });
  showScene();
  return form;
}

function sceneParts(scene, findings, onChange) {
  const frames = el("input", { type: "text", required: true, autocomplete: "off", placeholder: "1-250", value: scene ? framesOf(scene) : "" });
  const framesField = field("Frames", frames);
  const quick = el("div", { class: "quick" });
  if (scene) {
    const set = (text) => () => {
      frames.value = text;
      onChange();
    };
    quick.append(
      el("button", { class: "chip", type: "button", on: { click: set(framesOf(scene)) } }, "The whole animation"),
      el("button", { class: "chip", type: "button", on: { click: set(String(scene.frame_current)) } }, `Only frame ${scene.frame_current}`),
    );
  }
  framesField.element.append(quick);

  const cameras = (scene?.cameras ?? []).map((camera) => [camera, camera]);
  const layers = several("View layers", scene?.view_layers ?? [], onChange);
  layers.element.hidden = (scene?.view_layers.length ?? 0) < 2;

  const ownCamera = scene?.camera_changes ? "As its markers switch" : (scene?.camera ?? AS_IT_IS);
  const camera = selection([["", ownCamera], ...cameras.filter(([one]) => scene.camera_changes || one !== scene.camera)], "");
  const cameraField = field("Camera", camera);

  const [width, height] = [0, 1].map((side) =>
    numberInput({ value: scene?.resolution[side] ?? null, min: 4, max: 65536, placeholder: "–", label: side === 0 ? "Width in pixels" : "Height in pixels" }),
  );
  const percentage = numberInput({ value: scene?.percentage ?? null, min: 1, max: 1000, placeholder: "–", label: "Percentage" });
  const sizeGroup = el("div", { class: "size-inputs" }, width, el("span", { "aria-hidden": "true" }, "×"), height, el("span", { "aria-hidden": "true" }, "at"), percentage, el("span", { "aria-hidden": "true" }, "%"));
  const sizeHint = el("p", { class: "field-hint" });
  const sizeProblem = el("p", { class: "form-problem" });
  const sizeElement = el("fieldset", { class: "field" }, el("legend", {}, "Resolution"), sizeGroup, sizeHint, sizeProblem);

  const ownEngine = scene ? engineOf(scene.engine) : null;
  const engines = ["CYCLES", "EEVEE", "WORKBENCH"].map((one) => [one, engineName(one)]);
  const isForeign = ownEngine !== null && !engines.some(([one]) => one === ownEngine);
  const engine = selection(ownEngine === null || isForeign ? [["", scene ? scene.engine : AS_IT_IS], ...engines] : engines, isForeign ? "" : (ownEngine ?? ""));
  const engineField = field("Engine", engine);
  const samples = numberInput({ value: scene?.samples ?? null, min: 1, max: 1_000_000, placeholder: scene ? "" : AS_IT_IS });
  const samplesField = field("Samples", samples, "More take longer.");

  const isAnimation = scene === null || countFrames(framesOf(scene)) !== 1;
  const format = choice(
    "Frames as",
    "format",
    [
      ["PNG", "PNG", "Lossless, for nearly everything"],
      ["JPEG", "JPEG", "Small files, no transparency"],
      ["OPEN_EXR", "OpenEXR", "All of the light, for compositing"],
      ["OPEN_EXR_MULTILAYER", "OpenEXR MultiLayer", "All of the light, and every pass of every view layer in one file"],
    ],
    formatOf(scene),
    onChange,
  );
  const video = el("input", { type: "checkbox", checked: isAnimation });
  const videoLine = el("label", { class: "check" }, video, el("span", {}, el("strong", {}, "And an MP4 video"), el("small", {}, "Made when the last frame is done")));
  const sound = el("input", { type: "checkbox", checked: scene?.sound ?? false });
  const soundLine = el("label", { class: "check", hidden: !scene?.sound }, sound, el("span", {}, el("strong", {}, "With the scene’s sound"), el("small", {}, "Needs frames without gaps")));
  const checks = [
    [width, "a width from 4 to 65,536 pixels"],
    [height, "a height from 4 to 65,536 pixels"],
    [percentage, "a percentage from 1 to 1,000"],
  ];

  function takesSamples() {
    return scene === null || !SAMPLELESS.includes(engine.value || ownEngine);
  }

  return {
    elements: [
      el("div", { class: "form-row" }, framesField.element, cameraField.element),
      layers.element,
      el("div", { class: "form-row" }, sizeElement, el("div", { class: "form-pair" }, engineField.element, samplesField.element)),
      el("div", { class: "form-output" }, format.element, videoLine, soundLine),
      sceneFacts(scene, findings),
    ],
    frames: () => frames.value,
    update() {
      const count = countFrames(frames.value);
      framesField.hint(framesHint(count, scene));
      if (count !== null) framesField.problem("");
      const size = sizeOf({ width: numberOf(width), height: numberOf(height), percentage: numberOf(percentage) }, scene);
      setText(sizeHint, sizeWords(size, scene));
      const hasVideo = count === null || count > 1;
      video.disabled = !hasVideo;
      videoLine.classList.toggle("off", !hasVideo);
      sound.disabled = !hasVideo || !video.checked;
      samplesField.element.hidden = !takesSamples();
    },
    check() {
      framesField.problem(countFrames(frames.value) === null ? "Write frames like 1-250, or 1,5,10-20; every other one is 1-250:2." : "");
      samplesField.problem(samples.validity.valid || !takesSamples() ? "" : "Take a whole number, 1 or more.");
      const wrong = checks.filter(([input]) => !input.validity.valid);
      for (const [input] of checks) input.toggleAttribute("aria-invalid", !input.validity.valid);
      const oneSide = (width.value.trim() === "") !== (height.value.trim() === "");
      if (oneSide) height.toggleAttribute("aria-invalid", true);
      setText(sizeProblem, oneSide ? "Give both width and height." : wrong.length > 0 ? `It takes ${wrong.map(([, words]) => words).join(", and ")}.` : "");
      const noLayer = !layers.element.hidden && layers.values().length === 0;
      layers.problem(noLayer ? "Choose one at least." : "");
      return wrong.length === 0 && !oneSide && !noLayer;
    },
    values: () => ({
      frames: frames.value.trim(),
      camera: camera.value || null,
      layers: layers.values(),
      width: numberOf(width),
      height: numberOf(height),
      percentage: numberOf(percentage),
      engine: engine.value || null,
      samples: takesSamples() ? numberOf(samples) : null,
      format: format.value(),
      video: video.checked && !video.disabled,
      sound: sound.checked && !sound.disabled,
    }),
  };
}

function framesHint(count, scene) {
  if (count === null) return "Like 1-250, or 1,5,10-20; every other one is 1-250:2.";
  if (count === 1) return "One picture.";
  const seconds = scene ? ` · ${(count / scene.fps).toFixed(1)} s at ${Number(scene.fps.toFixed(3))} a second` : "";
  return `${number(count)} frames${seconds}`;
}

function sizeWords(size, scene) {
  if (size !== null) return `Frames of ${number(size[0])} × ${number(size[1])} pixels.`;
  return scene && !scene.plain_size ? "The scene crops its frames, or renders several views: their size shows when they are rendered." : `${AS_IT_IS}.`;
}

/** What the form does not change, but an artist may look for. */
function sceneFacts(scene, findings) {
  if (scene === null) return el("p", { class: "field-hint" }, "The scene’s values are not known here: empty fields are as the scene says.");
  const facts = [
    ["Saved by", `Blender ${findings.file_version.slice(0, 2).join(".")}`],
    ["Scene’s format", formatName(scene.format)],
  ];
  return el("dl", { class: "facts scene-facts" }, ...facts.map(([term, words]) => el("div", {}, el("dt", {}, term), el("dd", {}, words))));
}

/** What opening the file was warned of, for people. */
export function warningsOf(findings) {
  return (findings?.warnings ?? []).map((text) => el("p", { class: "notice warning" }, icon("warning"), el("span", {}, text)));
}
