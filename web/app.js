/** The page's frame: signing in, the routes, the header, and one live connection for all views. */
import { Alerts } from "./alerts.js";
import { api, Refused, SignedOut, Unreachable } from "./api.js";
import { dropAnywhere } from "./components/drop_anywhere.js";
import { alertBell } from "./components/alert_choices.js";
import { el, icon, setAttribute, setText } from "./components/element.js";
import { emptyState } from "./components/notice.js";
import { Fleet } from "./fleet.js";
import { percent } from "./format.js";
import { Live, STATUS } from "./live.js";
import { links, parseRoute } from "./router.js";
import { Draft, PHASE } from "./upload/draft.js";
import { agentsView } from "./views/agents.js";
import { compareView } from "./views/compare.js";
import { connectView } from "./views/connect.js";
import { farmView } from "./views/farm.js";
import { jobView } from "./views/job.js";
import { jobsView } from "./views/jobs.js";
import { newJobView } from "./views/new_job.js";
import { signInProblem, signInView } from "./views/sign_in.js";

const VIEWS = {
  jobs: jobsView,
  job: jobView,
  compare: compareView,
  agents: agentsView,
  farm: farmView,
  new: newJobView,
  connect: connectView,
  missing: missingView,
};
const STATUS_WORDS = {
  [STATUS.CONNECTING]: "Connecting",
  [STATUS.LIVE]: "Live",
  [STATUS.POLLING]: "Updated every few seconds",
  [STATUS.OFFLINE]: "Offline",
};
const TITLE = "Render Farm";
/** Good news is shown this long, in milliseconds. */
const NEWS_MS = 6000;

const root = document.getElementById("app");
const live = new Live();
const fleet = new Fleet(live);
const alerts = new Alerts(live);
/** The job that is being prepared: its upload goes on while its artist looks at other jobs. */
const draft = new Draft();
const main = el("main", { id: "main", tabindex: -1 });
const newJobText = el("span", {}, "New job");
const nav = el(
  "nav",
  { class: "main-nav", "aria-label": "Main" },
  el("a", { href: links.jobs(), "data-view": "jobs" }, "Jobs"),
  el("a", { href: links.agents(), "data-view": "agents" }, "Agents"),
  el("a", { href: links.farm(), "data-view": "farm" }, "Farm"),
  el("a", { href: links.newJob(), "data-view": "new", class: "new-job-link" }, icon("add"), newJobText),
);
const status = el("span", { class: "live-status", role: "status" });
const offline = el("div", { class: "offline", role: "alert", hidden: true });
const problemText = el("span", {});
const problem = el(
  "div",
  { class: "toast", role: "alert", hidden: true },
  problemText,
  el(
    "button",
    { class: "icon-button", type: "button", "aria-label": "Close", on: { click: () => (problem.hidden = true) } },
    icon("close"),
  ),
);
const shell = [
  el(
    "header",
    { class: "top" },
    el("a", { class: "brand", href: links.jobs() }, el("img", { src: "icon.svg", alt: "", width: 28, height: 28 }), TITLE),
    nav,
    status,
    alertBell(alerts, guard, tell),
    el(
      "button",
      { class: "button quiet sign-out", type: "button", title: "Sign out", on: { click: () => guard(signOut) } },
      icon("sign-out"),
      el("span", {}, "Sign out"),
    ),
  ),
  offline,
  main,
  el("footer", { class: "foot" }, el("a", { href: links.extension(), download: "" }, icon("download"), "Get the Blender add-on")),
  problem,
];
offline.append(
  el("span", {}, "The coordinator does not answer. What you see may be out of date; this page tries again by itself."),
  el("button", { class: "button", type: "button", on: { click: () => live.retry() } }, "Try now"),
);

let toastTimer = null;
let view = null;
let viewKey = null;

/** Runs work of a view; what goes wrong is said once, here, in the right place. */
async function guard(work) {
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error instanceof SignedOut) showSignIn();
    else if (error instanceof Unreachable) live.suspect();
    else if (!(error instanceof Refused)) throw error;
    else {
      tell(error.message, true);
    }
  }
}

/** Says how something went; what went wrong stays until it is closed. */
function tell(words, isProblem) {
  clearTimeout(toastTimer);
  setText(problemText, words);
  problem.dataset.kind = isProblem ? "problem" : "news";
  problem.hidden = false;
  if (!isProblem) toastTimer = setTimeout(() => (problem.hidden = true), NEWS_MS);
}

/** Goes to another address in place of this one, so that "back" leaves what was looked at instead of repeating it. */
function replaceRoute(hash) {
  location.replace(hash);
}

function showRoute() {
  const route = parseRoute(location.hash);
  if (route.key !== viewKey) {
    view?.close();
    view = VIEWS[route.view]({ live, fleet, guard, replaceRoute, retitle, tell, alerts, draft }, route);
    const isFirst = viewKey === null;
    viewKey = route.key;
    main.replaceChildren(view.element);
    problem.hidden = true;
    window.scrollTo(0, 0);
    guard(view.refresh);
    // Screen readers and the keyboard start at the new content; on the first load they start at the top.
    if (!isFirst) main.focus({ preventScroll: true });
  }
  view.route(route);
  const place = route.view === "job" || route.view === "compare" ? "jobs" : route.view;
  for (const link of nav.children) setAttribute(link, "aria-current", link.dataset.view === place ? "page" : null);
  retitle();
}

function retitle() {
  if (view) document.title = `${view.title()} – ${TITLE}`;
}

function showStatus() {
  status.dataset.status = live.status;
  setText(status, STATUS_WORDS[live.status]);
  offline.hidden = live.status !== STATUS.OFFLINE;
}

function closeView() {
  view?.close();
  view = null;
  viewKey = null;
}

function showFarm() {
  root.replaceChildren(...shell);
  showStatus();
  showRoute();
  guard(() => fleet.refresh());
  live.start();
}

function showSignIn(error = null) {
  live.stop();
  closeView();
  const signIn = signInView({ onSignedIn: showFarm, problem: error && signInProblem(error) });
  root.replaceChildren(el("main", { id: "main", tabindex: -1 }, signIn.element));
  document.title = `Sign in – ${TITLE}`;
  signIn.focus();
}

async function signOut() {
  await api.signOut();
  showSignIn();
}

/**
 * Signs in with the token that a link carries behind its #, as `renderfarm` prints it.  The address is cleaned before
 * anything else happens, so that the token stays out of the history, bookmarks and screenshots.
 */
async function signInByLink() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return false;
  history.replaceState(null, "", links.jobs());
  try {
    await api.signIn(token);
    showFarm();
  } catch (error) {
    showSignIn(error);
  }
  return true;
}

function missingView() {
  const element = emptyState(
    "picture",
    "There is nothing here",
    el("p", {}, "The address may be mistyped."),
    el("a", { class: "button", href: links.jobs() }, "See all jobs"),
  );
  return { element, title: () => "Not found", refresh: async () => {}, route() {}, close() {} };
}

window.addEventListener("hashchange", async () => {
  if (await signInByLink()) return;
  if (view) showRoute();
});
live.addEventListener("status", showStatus);
dropAnywhere(
  () => view !== null,
  (entries) => {
    // Beside the form, files may be those that the scene misses.
    if (draft.misses && !entries.some((entry) => /\.(blend|zip)$/i.test(entry.name))) draft.add(entries);
    else draft.take(entries);
    location.hash = links.newJob();
  },
);
draft.addEventListener("change", () => {
  setText(newJobText, draft.phase === PHASE.UPLOADING ? `Uploading ${percent(draft.progress)}` : "New job");
});
draft.addEventListener("signedout", () => showSignIn());
window.addEventListener("beforeunload", (event) => {
  if (draft.busy) event.preventDefault();
});
live.addEventListener("signedout", () => showSignIn());
live.addEventListener("refresh", () => {
  if (view) guard(view.refresh);
  guard(() => fleet.refresh());
});

// A plain link to #main would be taken for a route.
document.querySelector(".skip-link").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main")?.focus();
});

async function start() {
  if (await signInByLink()) return;
  try {
    await api.whoAmI();
  } catch (error) {
    if (error instanceof SignedOut) {
      showSignIn();
      return;
    }
    // The farm is shown all the same: its banner says what is wrong, and it comes back by itself.
  }
  showFarm();
}

start();
