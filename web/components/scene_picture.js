/** The thumbnail that Blender keeps in a .blend. */
import { el, icon } from "./element.js";

/** @param {ImageData | null} thumbnail */
export function scenePicture(thumbnail) {
  if (!thumbnail) return el("div", { class: "scene-picture preview" }, icon("picture"));
  const canvas = el("canvas", { width: thumbnail.width, height: thumbnail.height, role: "img", "aria-label": "The file’s thumbnail" });
  canvas.getContext("2d").putImageData(thumbnail, 0, 0);
  return el("div", { class: "scene-picture preview" }, canvas);
}
