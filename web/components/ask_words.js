/** Asks for words, in a field for each of `fields`.  Resolves to them, or to null when the person changes their mind. */
import { ask } from "./ask.js";
import { el } from "./element.js";
import { field } from "./field.js";

/** @param {{title: string, text: string, agree: string, fields: Array<{label: string, value?: string, hint?: string, required?: boolean, most?: number}>}} wanted */
export async function askWords({ title, text, agree, fields }) {
  // One that must be filled in is not with blanks alone.
  const inputs = fields.map(({ value = "", required = false, most = 2000 }) =>
    el("input", { type: "text", value, required, pattern: required ? ".*\\S.*" : null, maxlength: most, autocomplete: "off" }),
  );
  const controls = fields.map(({ label, hint }, place) => field(label, inputs[place], hint).element);
  const agreed = await ask({ title, text, controls, first: inputs[0], agree });
  return agreed ? inputs.map((input) => input.value.trim()) : null;
}
