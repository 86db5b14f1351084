/**
 * A container whose children follow a list of items by key.  Children are kept, moved and updated rather than made
 * anew, so focus, scroll positions and loaded pictures survive a live update.
 */
export class KeyedList {
  #parts = new Map();

  /**
   * @param {Element} container holds the children and nothing else.
   * @param {(item: object) => {element: Element, update: (item: object) => void, close?: () => void}} create
   */
  constructor(container, create) {
    this.container = container;
    this.create = create;
  }

  /** Shows `items` in their order; `keyOf` tells them apart. */
  update(items, keyOf) {
    const gone = new Set(this.#parts.keys());
    let place = this.container.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      gone.delete(key);
      let part = this.#parts.get(key);
      if (!part) {
        part = this.create(item);
        this.#parts.set(key, part);
      }
      part.update(item);
      if (part.element === place) {
        place = place.nextElementSibling;
      } else {
        this.container.insertBefore(part.element, place);
      }
    }
    for (const key of gone) {
      const part = this.#parts.get(key);
      this.#parts.delete(key);
      part.close?.();
      part.element.remove();
    }
  }

  /** The children's parts, in the order they were made. */
  parts() {
    return this.#parts.values();
  }

  /** Each child's key and part, in the order they were made. */
  entries() {
    return this.#parts.entries();
  }
}
