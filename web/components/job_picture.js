/** The large picture of a job: its latest frame while it renders, its video when that is ready. */
import { addresses } from "../api.js";
import { el } from "./element.js";
import { preview } from "./preview.js";

export function jobPicture() {
  const picture = preview("The latest frame");
  const element = el("div", { class: "job-picture" }, picture.element);
  let playing = false;

  return {
    element,
    update(job) {
      const { width, height } = job.output;
      if (width !== null && height !== null) element.style.setProperty("--aspect", String(width / height));
      if (job.video_ready && !playing) {
        playing = true;
        element.replaceChildren(video(job));
      } else if (!playing && job.latest_frame !== null) {
        picture.show(addresses.preview(job, job.latest_frame));
      }
    },
  };
}

function video(job) {
  return el("video", {
    src: addresses.video(job),
    poster: job.latest_frame === null ? null : addresses.preview(job, job.latest_frame),
    controls: true,
    loop: true,
    playsinline: true,
    preload: "metadata",
    "aria-label": `The video of ${job.name}`,
  });
}
