/** From what the form says to a job request (docs/PROTOCOL.md); what is as the scene has it is left to the scene.  Pure. */
import { countFrames } from "../frame_range.js";

export const FORMATS = ["PNG", "JPEG", "OPEN_EXR", "OPEN_EXR_MULTILAYER"];

/** What zstd-compressed files were saved by at least, when nobody could look into one. */
const OLDEST_BLENDER = [3, 0];

/** The format that frames of a scene are written in unless another is chosen. */
export function formatOf(scene) {
  if (FORMATS.includes(scene?.format)) return scene.format;
  // Of those that the farm does not write, this alone holds more light than a PNG: as with the add-on.
  return scene?.format === "HDR" ? "OPEN_EXR" : "PNG";
}

/** The scene's own frames, as people write ranges. */
export function framesOf(scene) {
  const { frame_start: first, frame_end: last, frame_step: step } = scene;
  if (last <= first) return String(first);
  return step === 1 ? `${first}-${last}` : `${first}-${last}:${step}`;
}

/** The farm's short name of an engine, by Blender's identifier. */
export function engineOf(identifier) {
  return identifier.replace(/^BLENDER_/, "").replace(/^EEVEE_NEXT$/, "EEVEE");
}

/** Width and height of finished frames, or null where only rendering tells. */
export function sizeOf(values, scene) {
  const percentage = values.percentage ?? scene?.percentage ?? null;
  const [width, height] = [values.width ?? scene?.resolution[0] ?? null, values.height ?? scene?.resolution[1] ?? null];
  if (width === null || height === null || percentage === null || (scene && !scene.plain_size)) return null;
  return [width, height].map((side) => Math.floor((side * percentage) / 100));
}

/**
 * Returns what the form's values ask for.
 *
 * @param {object} values of the form; null where a field is empty
 * @param {object | null} scene as the agent found it
 * @param {{pack: string, submission: string, version: number[] | null, warnings: string[]}} rest
 */
export function jobRequest(values, scene, { pack, submission, version, warnings }) {
  const other = (value, own) => (value === null || value === own ? null : value);
  const sizeChanged = other(values.width, scene?.resolution[0]) !== null || other(values.height, scene?.resolution[1]) !== null;
  const size = sizeOf(values, scene);
  const count = countFrames(values.frames);
  const video = values.video && count !== 1;
  return {
    name: values.name,
    pack,
    submission,
    frames: values.frames,
    priority: values.priority,
    notify: values.notify,
    blender: version?.slice(0, 2) ?? OLDEST_BLENDER,
    video,
    sound: video && values.sound,
    render: {
      scene: scene?.name ?? null,
      camera: values.camera,
      view_layers: (scene?.view_layers ?? []).every((layer) => values.layers.includes(layer)) ? null : values.layers,
      engine: values.engine !== null && scene && engineOf(scene.engine) === values.engine ? null : values.engine,
      samples: other(values.samples, scene?.samples),
      resolution: sizeChanged ? [values.width ?? scene?.resolution[0], values.height ?? scene?.resolution[1]] : null,
      percentage: other(values.percentage, scene?.percentage),
    },
    output: {
      format: values.format,
      width: size?.[0] ?? null,
      height: size?.[1] ?? null,
      fps: scene?.fps ?? 24,
    },
    warnings,
  };
}
