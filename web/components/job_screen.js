/** The large picture of a job: its frames as a film while they come, and its MP4 when that is ready. */
import { addresses } from "../api.js";
import { el, setAttribute } from "./element.js";
import { FilmPlayer } from "./film_player.js";

/** @param {(frame: number) => void} open shows a frame large. */
export function jobScreen(first, frames, open) {
  const player = new FilmPlayer(first, frames, open);
  const body = el("div", { class: "job-screen-body" }, player.element);
  const modes = el(
    "div",
    { class: "segments job-screen-modes", role: "group", "aria-label": "What is shown", hidden: true },
    mode("film", "MP4"),
    mode("frames", "Frames"),
  );
  const element = el("div", { class: "job-screen" }, body, modes);
  let job = first;
  let chosen = "film";
  let playing = null;

  const { width, height } = job.output;
  if (width !== null && height !== null) element.style.setProperty("--aspect", String(width / height));

  function mode(name, label) {
    const button = el("button", { type: "button", "aria-pressed": "false" }, label);
    button.addEventListener("click", () => {
      chosen = name;
      show();
    });
    return button;
  }

  function show() {
    modes.hidden = !job.video_ready;
    const address = job.video_ready && chosen === "film" ? addresses.video(job) : null;
    for (const [index, button] of [...modes.children].entries()) {
      setAttribute(button, "aria-pressed", String((index === 0) === (address !== null)));
    }
    if (address === playing) return;
    playing = address;
    if (address === null) body.replaceChildren(player.element);
    else {
      player.pause();
      body.replaceChildren(video(job, address));
    }
  }

  return {
    element,
    update(next) {
      job = next;
      player.update(job);
      show();
    },
    close: () => player.close(),
  };
}

function video(job, address) {
  return el("video", {
    src: address,
    poster: job.latest_frame === null ? null : addresses.latestPreview(job),
    controls: true,
    loop: true,
    playsinline: true,
    preload: "metadata",
    "aria-label": `The video of ${job.name}`,
  });
}
