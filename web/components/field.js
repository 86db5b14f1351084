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

/** Some of a few, all of them in sight and chosen; `problem(text)` as with a field. */
export function several(legend, names, onChange) {
  fields += 1;
  const id = `field-${fields}-problem`;
  const inputs = names.map((name) => el("input", { type: "checkbox", checked: true, on: { change: onChange } }));
  const problemLine = el("p", { class: "form-problem", id });
  const lines = names.map((name, index) => el("label", { class: "check" }, inputs[index], el("span", {}, name)));
  return {
    element: el("fieldset", { class: "field several", "aria-describedby": id }, el("legend", {}, legend), el("div", {}, ...lines), problemLine),
    values: () => names.filter((_, index) => inputs[index].checked),
    problem(text) {
      setText(problemLine, text);
      for (const input of inputs) setAttribute(input, "aria-invalid", text ? "true" : null);
    },
  };
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
