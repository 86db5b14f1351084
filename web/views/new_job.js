/** A new job from files: dropped, uploaded, looked into by an agent, and submitted. */
import { api } from "../api.js";
import { el, icon, setText } from "../components/element.js";
import { filePicker } from "../components/file_picker.js";
import { jobForm, warningsOf } from "../components/job_form.js";
import { missingInputs } from "../components/missing_inputs.js";
import { scenePicture } from "../components/scene_picture.js";
import { uploadProgress } from "../components/upload_progress.js";
import { bytes, percent, plural, version } from "../format.js";
import { links } from "../router.js";
import { PHASE } from "../upload/draft.js";
import { jobRequest } from "../upload/job_request.js";
import { nameOf } from "../upload/problems.js";

const STEPS = ["Files", "Upload", "Settings"];
/** After so long the form is offered without the scene's values (milliseconds). */
const PATIENCE_MS = 8_000;

const STEP_OF = {
  [PHASE.EMPTY]: 0,
  [PHASE.GATHERING]: 0,
  [PHASE.CHOOSING]: 0,
  [PHASE.READING]: 1,
  [PHASE.UPLOADING]: 1,
  [PHASE.INSPECTING]: 2,
  [PHASE.READY]: 2,
};

export function newJobView({ fleet, guard, retitle, replaceRoute, draft }) {
  const steps = el("ol", { class: "steps" }, ...STEPS.map((name) => el("li", {}, name)));
  const body = el("div", { class: "new-job-body" });
  const element = el(
    "section",
    { class: "new-job" },
    el("header", { class: "page-head" }, el("div", {}, el("h1", { tabindex: -1 }, "New job"), el("p", { class: "summary" }, "Drop a Blender file, and the farm renders it.")), steps),
    body,
  );
  /** What is shown, so that a form that is being filled in is left alone. */
  let shown = null;
  let part = null;
  let askedAt = 0;
  let timer = null;
  // Without an answer the form does without that field.
  const sendsLetters = api.notifications().then(
    ({ email }) => email,
    () => false,
  );

  function show() {
    const step = STEP_OF[draft.phase] ?? (draft.pack === null ? 1 : 2);
    [...steps.children].forEach((item, index) => {
      item.dataset.state = index < step ? "done" : index === step ? "now" : "next";
      if (index === step) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    const key = `${draft.phase === PHASE.READING ? PHASE.UPLOADING : draft.phase} ${draft.pack} ${draft.problem} ${draft.note}`;
    if (key !== shown) {
      shown = key;
      part = PARTS[draft.phase]();
      body.replaceChildren(...part.children);
      if (draft.pack !== null && draft.phase !== PHASE.FAILED) replaceRoute(links.newJob(draft.pack));
    }
    part.update?.();
    retitle();
  }

  const PARTS = {
    [PHASE.EMPTY]: empty,
    [PHASE.GATHERING]: uploading,
    [PHASE.READING]: uploading,
    [PHASE.UPLOADING]: uploading,
    [PHASE.CHOOSING]: choosing,
    [PHASE.INSPECTING]: inspecting,
    [PHASE.READY]: ready,
    [PHASE.FAILED]: failed,
  };

  function empty() {
    const picker = filePicker({
      title: "Drop your .blend here",
      words: "Or the folder of a project, with its textures and libraries, or a ZIP file of one. Anywhere on this page will do.",
      primary: true,
      onPick: (files) => draft.take(files),
    });
    picker.classList.add("large");
    return {
      children: [
        picker,
        el(
          "p",
          { class: "new-job-hint" },
          "What the farm has already is not uploaded again. Files that belong to the scene can be packed into it in Blender first: ",
          el("em", {}, "File → External Data → Pack Resources"),
          ".",
        ),
      ],
    };
  }

  function uploading() {
    const progress = uploadProgress(() => giveUp());
    const card = el("div", { class: "panel upload-card" });
    let pictured = undefined;
    return {
      children: [card],
      update() {
        if (pictured !== draft.header) {
          pictured = draft.header;
          card.replaceChildren(scenePicture(draft.header?.thumbnail), el("div", {}, fileLine(), progress.element));
        }
        progress.update(draft);
      },
    };
  }

  function choosing() {
    const rows = draft.choices.map((path) => {
      const folder = path.slice(0, path.length - nameOf(path).length);
      return el("li", {}, el("button", { class: "scene-choice", type: "button", on: { click: () => draft.choose(path) } }, icon("picture"), el("span", {}, el("strong", {}, nameOf(path)), el("small", {}, folder || "In the project’s folder"))));
    });
    return {
      children: [
        el(
          "div",
          { class: "panel" },
          el("h2", {}, "Which scene shall be rendered?"),
          el("p", { class: "field-hint" }, `There are ${plural(draft.choices.length, "Blender file", "Blender files")} in ${draft.title ?? "what you dropped"}. The others are uploaded as well: the scene may need them.`),
          el("ul", { class: "scene-choices" }, ...rows),
          el("div", { class: "buttons" }, el("button", { class: "button", type: "button", on: { click: giveUp } }, "Cancel")),
        ),
      ],
    };
  }

  function inspecting() {
    askedAt = performance.now();
    const words = el("h2");
    const hint = el("p", { class: "field-hint" });
    const without = el("button", { class: "button", type: "button", hidden: true, on: { click: () => draft.doWithout() } }, "Go on without the scene’s values");
    const cancel = el("button", { class: "button quiet", type: "button", on: { click: giveUp } }, "Start over");
    timer = setTimeout(show, PATIENCE_MS);
    return {
      children: [
        el(
          "div",
          { class: "panel upload-card" },
          scenePicture(draft.header?.thumbnail),
          el("div", {}, fileLine(), el("div", { role: "status" }, words), el("div", { class: "looking", "aria-hidden": "true" }), hint, el("div", { class: "buttons" }, without, cancel)),
        ),
      ],
      update() {
        const nobody = fleet.loaded && fleet.online.length === 0;
        setText(words, inspectionWords(draft, nobody));
        setText(hint, nobody ? "The scene’s values are read by an agent, and none is online. You can go on without: what you leave empty is as the scene says." : "An agent opens the file to read the scene’s cameras, frames and settings. It takes a few seconds.");
        without.hidden = !nobody && performance.now() - askedAt < PATIENCE_MS;
      },
    };
  }

  function ready() {
    const findings = draft.inspection?.findings ?? null;
    const missing = findings?.missing_count ? missingInputs(findings, (files) => draft.add(files)) : null;
    const note = draft.note === null ? null : el("p", { class: "notice warning", role: "alert" }, icon("warning"), el("span", {}, draft.note));
    // Made once: sent again, because its answer was lost, it makes no second job.
    const submission = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const form = jobForm({
      name: jobName(draft),
      findings,
      sendsLetters,
      async onSubmit(values, scene) {
        const warnings = (findings?.missing ?? []).slice(0, 30).map((file) => `The ${file.kind} “${file.name}” was missing when the job was submitted (${file.path}).`);
        const request = jobRequest(values, scene, { pack: draft.pack, submission, version: findings?.file_version ?? draft.header?.version ?? null, warnings });
        const job = await api.submit(request);
        draft.cancel();
        replaceRoute(links.job(job.id));
      },
    });
    return {
      children: [
        ...[note, missing, ...warningsOf(findings)].filter(Boolean),
        el(
          "div",
          { class: "panel" },
          el("div", { class: "scene-head" }, scenePicture(draft.header?.thumbnail), el("div", {}, fileLine(), el("button", { class: "button", type: "button", on: { click: giveUp } }, "Another file"))),
          form,
        ),
      ],
    };
  }

  function failed() {
    const wasLookedInto = draft.inspection?.state === "failed";
    return {
      children: [
        el(
          "div",
          { class: "panel failed-card", role: "alert" },
          icon("warning"),
          el("h2", {}, wasLookedInto ? "The scene could not be read" : draft.inspection?.problem ? "The farm cannot render this file" : "This did not work"),
          el("p", {}, draft.problem),
          el(
            "div",
            { class: "buttons" },
            el("button", { class: "button primary", type: "button", on: { click: giveUp } }, "Drop another file"),
            el("button", { class: "button", type: "button", on: { click: () => draft.retry() }, hidden: draft.main === null && draft.pack === null }, "Try again"),
            el("button", { class: "button", type: "button", on: { click: () => draft.doWithout() }, hidden: !wasLookedInto }, "Submit it all the same"),
          ),
        ),
      ],
    };
  }

  function fileLine() {
    const main = draft.main ?? draft.inspection?.main ?? null;
    const facts = [];
    if (draft.fileCount > 1) facts.push(plural(draft.fileCount, "file", "files"));
    if (draft.size > 0) facts.push(bytes(draft.size));
    if (draft.header?.version) facts.push(`Blender ${version(draft.header.version)}`);
    return el("div", { class: "file-line" }, el("strong", {}, main === null ? (draft.title ?? "Your files") : nameOf(main)), el("span", {}, facts.join(" · ")));
  }

  function giveUp() {
    draft.cancel();
    replaceRoute(links.newJob());
  }

  draft.addEventListener("change", show);
  fleet.addEventListener("change", show);

  return {
    element,
    title: () => (draft.phase === PHASE.UPLOADING ? `${percent(draft.progress)} · New job` : "New job"),
    refresh: async () => {},
    route(route) {
      if (route.pack !== null) draft.open(route.pack);
      if (shown === null) guard(async () => show());
    },
    close() {
      clearTimeout(timer);
      draft.removeEventListener("change", show);
      fleet.removeEventListener("change", show);
    },
  };
}

function inspectionWords(draft, nobody) {
  if (nobody) return "No agent is online";
  const { inspection } = draft;
  if (inspection?.state !== "running") return "Waiting for an agent to look into the file";
  return inspection.stage === "opening" ? `${inspection.agent} reads the scene` : `${inspection.agent} fetches the files`;
}

function jobName(draft) {
  const main = nameOf(draft.main ?? draft.inspection?.main ?? "").replace(/\.blend$/i, "");
  return (main || "New job").slice(0, 200);
}
