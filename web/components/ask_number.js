/** Asks for a number.  Resolves to null when the person changes their mind. */
import { ask } from "./ask.js";
import { el } from "./element.js";

export async function askNumber({ title, text, label, value, least, most, agree }) {
  const input = el("input", { type: "number", "aria-label": label, min: least, max: most, step: 1, required: true, value });
  const agreed = await ask({ title, text, controls: [input], first: input, agree });
  return agreed ? input.valueAsNumber : null;
}
