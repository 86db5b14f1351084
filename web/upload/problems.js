/** What goes wrong while a job is prepared, in words that say what to do. */
import { Refused, SignedOut } from "../api.js";
import { Unusable } from "./sources.js";

/** What a path is called without its folders. */
export function nameOf(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Why nothing can be rendered of what was dropped. */
export function noScene(sources) {
  if (sources.length === 0) return "There is nothing in it. Drop a .blend file, or the folder of a project with one.";
  if (sources.length === 1) return `${nameOf(sources[0].path)} is not a .blend file. Drop one, or a folder or ZIP file with one in it.`;
  return "There is no .blend file among these. Drop one, or a folder or ZIP file with one in it.";
}

export function unreadable(path) {
  return new Unusable(`${nameOf(path)} could not be read: it was changed or moved meanwhile. Drop it again.`);
}

/** What ended the preparation of a job, a sentence. */
export function wordsOf(error) {
  if (error instanceof Unusable) return error.message;
  if (error instanceof SignedOut) return "You were signed out. Sign in, and go on here: nothing that was uploaded is lost.";
  if (error instanceof Refused && error.status === 507) {
    return "The farm’s disk is full. Whoever runs it has to make room; then try again: what was uploaded stays.";
  }
  if (error instanceof Refused && error.code === "digest_mismatch") {
    return "A file was changed while it was uploaded. Drop it again: only what has changed is uploaded.";
  }
  if (error instanceof Refused && error.code === "not_found") return "The farm does not know this project any more. Drop it again.";
  if (error instanceof Refused) return error.message;
  return `Something went wrong in this page (${error.message}). Reload it and drop the project again.`;
}
