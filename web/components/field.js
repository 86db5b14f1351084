/** Fields of a form: a label, a control, and what is to be said about it. */
import { el, setAttribute, setText } from "./element.js";

let fields = 0;

/** A labelled control; `problem(text)` says what is wrong with it, or nothing. */
export function field(label, control, hint = "") {
  fields += 1;
  const id = `field-${fields}`;
  control.id = id;
  const hintLine = el("p", { class: "field-hint", id: `${id}-hint` }, hint);
  const problemLine = el("p", { class: "form-problem", id: `${id}-problem` });
  control.setAttribute("aria-describedby", `${id}-hint ${id}-problem`);
  return {
    element: el("div", { class: "field" }, el("label", { for: id }, label), control, hintLine, problemLine),
    hint: (text) => setText(hintLine, text),
    problem(text) {
      setText(problemLine, text);
      setAttribute(control, "aria-invalid", text ? "true" : null);
    },
  };
}

/** A field for a whole number; empty is null. */
export function numberInput({ value = null, min, max, placeholder = "", label = null }) {
  const input = el("input", { type: "number", inputmode: "numeric", min, max, step: 1, placeholder, "aria-label": label });
  if (value !== null) input.value = String(value);
  return input;
}

/** What a number field says, null when it is empty. */
export function numberOf(input) {
  return input.value.trim() === "" ? null : Number(input.value);
}

/** A list to choose from: `[value, words]`. */
export function selection(options, chosen = null) {
  const select = el("select", {}, ...options.map(([value, words]) => el("option", { value }, words)));
  if (chosen !== null) select.value = chosen;
  return select;
}

/** One of a few, all of them in sight. */
export function choice(legend, name, options, chosen, onChange) {
  const inputs = options.map(([value, words, more]) => {
    const input = el("input", { type: "radio", name, value, checked: value === chosen, on: { change: onChange } });
    return el("label", { class: "choice" }, input, el("span", {}, el("strong", {}, words), el("small", {}, more)));
  });
  const element = el("fieldset", { class: "choices" }, el("legend", {}, legend), ...inputs);
  return { element, value: () => element.querySelector("input:checked").value };
}
