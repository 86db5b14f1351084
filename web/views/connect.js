/** Lets in a Blender that asked: the person types the code that it shows. */
import { api, Refused } from "../api.js";
import { el, icon, setText } from "../components/element.js";
import { loadError, loading } from "../components/notice.js";
import { links } from "../router.js";

const ENDINGS = {
  approved: ["completed", "Connected", "You can close this page and go back to Blender."],
  refused: ["cancelled", "Not connected", "Blender was not let in. Press Connect in Blender to try again."],
  expired: ["blocked", "The code has run out", "Nobody approved it in time. Press Connect in Blender for another code."],
};

export function connectView({ guard }, { id }) {
  const element = el("section", { class: "connect" }, loading());

  function ask(request) {
    const name = el("input", { id: "connect-name", name: "name", maxlength: 200, value: request.name, required: true });
    const code = el("input", {
      id: "connect-code",
      class: "connect-code",
      name: "code",
      autocomplete: "off",
      autocapitalize: "characters",
      spellcheck: "false",
      placeholder: "ABCD-EFGH",
      maxlength: 20,
      required: true,
      "aria-describedby": "connect-problem",
    });
    const problem = el("p", { id: "connect-problem", class: "form-problem", role: "alert" });
    const approve = el("button", { class: "button primary", type: "submit" }, "Let it in");
    const refuse = el("button", { class: "button", type: "button" }, "Refuse");
    const form = el(
      "form",
      {},
      el("label", { for: "connect-code" }, "The code that Blender shows"),
      code,
      problem,
      el("label", { for: "connect-name" }, "Its jobs belong to"),
      name,
      el("div", { class: "buttons" }, refuse, approve),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(() => api.approveConnect(id, code.value.trim(), name.value.trim()), problem, code);
    });
    refuse.addEventListener("click", () => send(() => api.refuseConnect(id), problem, code));
    element.replaceChildren(
      el("img", { class: "sign-in-mark", src: "icon.svg", alt: "", width: 56, height: 56 }),
      el("h1", {}, "Connect Blender?"),
      el("p", {}, el("strong", {}, request.name), " wants to submit jobs to this farm, and to see and steer all of its jobs."),
      el("p", {}, "Go on only if you have just pressed Connect in Blender yourself."),
      form,
    );
    code.focus();
  }

  async function send(work, problem, code) {
    setText(problem, "");
    await guard(async () => {
      try {
        show(await work());
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        // Too many wrong codes, or answered elsewhere: then there is nothing to type any more.
        const now = await api.connectRequest(id);
        if (now.state !== "waiting") show(now);
        else {
          setText(problem, error.message);
          code.setAttribute("aria-invalid", "true");
          code.select();
        }
      }
    });
  }

  function show(request) {
    if (request.state === "waiting") {
      ask(request);
      return;
    }
    const [sign, title, words] = ENDINGS[request.state] ?? ENDINGS.refused;
    element.dataset.state = request.state;
    element.replaceChildren(
      el("div", { class: "connect-sign" }, icon(sign)),
      el("h1", { tabindex: -1 }, title),
      el("p", { role: "status" }, words),
      el("a", { class: "button", href: links.jobs() }, "See all jobs"),
    );
  }

  async function refresh() {
    // What the person is typing stays.
    if (element.querySelector("form")) return;
    try {
      show(await api.connectRequest(id));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      element.replaceChildren(loadError(error.message, () => guard(refresh)));
    }
  }

  return { element, title: () => "Connect Blender", refresh, route() {}, close() {} };
}
