/**
 * The coordinator's time.  Elapsed times and "two minutes ago" are reckoned on its clock, because the one of the
 * computer in front of the person may be minutes off.
 */
class Clock {
  #offset = 0;
  #listeners = new Set();
  #timer = null;

  /** Takes over the time of an HTTP Date header (whole seconds; differences under two seconds are left alone). */
  synchronise(date) {
    const server = Date.parse(date ?? "");
    if (Number.isNaN(server)) return;
    const offset = server - Date.now();
    if (Math.abs(offset - this.#offset) > 2000) this.#offset = offset;
  }

  /** Milliseconds since the epoch, on the coordinator's clock. */
  now() {
    return Date.now() + this.#offset;
  }

  /** Calls `listener` every second, until the returned function is called. */
  everySecond(listener) {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#listeners.forEach((each) => each()), 1000);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) {
        clearInterval(this.#timer);
        this.#timer = null;
      }
    };
  }
}

export const clock = new Clock();
