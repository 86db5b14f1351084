/**
 * A frame's preview that changes while a job renders.  The next picture is loaded out of sight and then swapped in, one
 * at a time, so nothing flickers and a fast job does not queue up downloads.
 */
import { el, icon } from "./element.js";

export function preview(description) {
  const element = el("span", { class: "preview" }, icon("picture"));
  let shown = null;
  let wanted = null;
  let loading = false;

  async function load() {
    loading = true;
    const address = wanted;
    const image = el("img", { alt: description, src: address });
    try {
      await image.decode();
      shown = address;
      element.replaceChildren(image);
    } catch {
      // The frame's job may just have gone; what is shown stays, and the next frame tries again.
      if (wanted === address) wanted = shown;
    }
    loading = false;
    if (wanted !== shown && wanted !== null) load();
  }

  return {
    element,
    /** @param {string | null} address of the picture, or null while there is none. */
    show(address) {
      if (address === null) return;
      wanted = address;
      if (!loading && wanted !== shown) load();
    },
  };
}
