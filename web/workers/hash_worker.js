/** Hashes pieces of files away from the page, one after the other: `{id, piece}` → `{id, sha256}` or `{id, unreadable}`. */
import { digestOf } from "../upload/digest.js";

self.addEventListener("message", async ({ data: { id, piece } }) => {
  try {
    self.postMessage({ id, sha256: await digestOf(new Uint8Array(await piece.arrayBuffer())) });
  } catch (error) {
    self.postMessage({ id, unreadable: String(error) });
  }
});
