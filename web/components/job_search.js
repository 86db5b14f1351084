/** Which jobs are shown: words, a user, days, an order.  What is chosen becomes the page's address. */
import { SORTS } from "../job_order.js";
import { EVERY_JOB } from "../router.js";
import { el, icon } from "./element.js";

/** A person who types is waited for this long, in milliseconds. */
const PAUSE_MS = 250;

/** @param {(changes: object) => void} onChange called with what is to be different. */
export function jobSearch(onChange) {
  let timer = null;
  const words = el("input", {
    type: "search",
    placeholder: "Name, person, file or #42",
    "aria-label": "Search jobs",
    "aria-keyshortcuts": "/",
    autocomplete: "off",
    spellcheck: "false",
    on: {
      input: () => {
        clearTimeout(timer);
        timer = setTimeout(() => onChange({ q: words.value.trim() }), PAUSE_MS);
      },
      keydown: (event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        if (words.value === "") words.blur();
        else onChange({ q: (words.value = "") });
      },
    },
  });
  const user = select("Submitted by", (value) => onChange({ user: value }));
  user.append(el("option", { value: "" }, "Everyone"));
  const from = day("Submitted on or after", "from");
  const to = day("Submitted on or before", "to");
  const sort = select("Order", (value) => onChange({ sort: value }));
  sort.append(...SORTS.map((one) => el("option", { value: one.sort }, one.label)));
  const clear = el(
    "button",
    { class: "button quiet", type: "button", on: { click: () => onChange({ ...EVERY_JOB }) } },
    "Clear",
  );
  const element = el(
    "form",
    { class: "job-search", role: "search", on: { submit: (event) => event.preventDefault() } },
    el("span", { class: "search-field" }, icon("search"), words),
    user,
    el("span", { class: "days" }, el("span", { "aria-hidden": "true" }, "From"), from, el("span", { "aria-hidden": "true" }, "to"), to),
    sort,
    clear,
  );

  function select(label, change) {
    return el("select", { "aria-label": label, on: { change: (event) => change(event.target.value) } });
  }

  function day(label, name) {
    return el("input", { type: "date", "aria-label": label, title: label, on: { change: (event) => onChange({ [name]: event.target.value }) } });
  }

  return {
    element,
    focus() {
      words.focus();
      words.select();
    },
    /** @param {string[]} names everyone who has submitted jobs. */
    showUsers(names) {
      const chosen = user.value;
      user.replaceChildren(el("option", { value: "" }, "Everyone"), ...names.map((name) => el("option", { value: name }, name)));
      user.value = chosen;
    },
    update(wanted) {
      if (document.activeElement !== words) words.value = wanted.q;
      if (wanted.user && ![...user.options].some((option) => option.value === wanted.user)) {
        user.append(el("option", { value: wanted.user }, wanted.user));
      }
      user.value = wanted.user;
      from.value = wanted.from;
      to.value = wanted.to;
      sort.value = wanted.sort;
      clear.hidden = Object.entries(EVERY_JOB).every(([name, value]) => name === "show" || wanted[name] === value);
    },
    close: () => clearTimeout(timer),
  };
}
