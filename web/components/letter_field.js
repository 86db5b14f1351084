/** Who is written to when a job ends, where the farm sends e-mail. */
import { field } from "./field.js";
import { el } from "./element.js";

/** The address is remembered in this browser: it is one's own as a rule. */
const KEY = "renderfarm-email";
const MOST = 5;
/** As the coordinator wants them. */
const ADDRESS = /^[^@\s<>,;:"()]{1,64}@[A-Za-z0-9.-]{1,190}$/;

/** @param {Promise<boolean>} sendsLetters whether the farm sends e-mail; the field is hidden until that is known. */
export function letterField(sendsLetters) {
  const input = el("input", { type: "text", inputmode: "email", autocomplete: "email", placeholder: "you@example.com", value: localStorage.getItem(KEY) ?? "" });
  const { element, problem } = field("Write to", input, "An e-mail when it is done, has failed, or frames of it need a look.");
  element.hidden = true;
  sendsLetters.then((does) => (element.hidden = !does));

  function values() {
    return element.hidden ? [] : input.value.split(/[\s,;]+/).filter(Boolean);
  }

  return {
    element,
    values() {
      if (!element.hidden) localStorage.setItem(KEY, input.value.trim());
      return values();
    },
    check() {
      const wrong = values().find((address) => !ADDRESS.test(address));
      const words = wrong !== undefined ? `“${wrong}” is no e-mail address.` : values().length > MOST ? `Name ${MOST} addresses at most.` : "";
      problem(words);
      return words === "";
    },
  };
}
