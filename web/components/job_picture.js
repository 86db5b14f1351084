/** The large picture of a job: its latest frame while it renders, its video when that is ready. */
import { addresses } from "../api.js";
import { el } from "./element.js";
import { preview } from "./preview.js";

export function jobPicture() {
  const picture = preview("The latest frame");
  const element = el("div", { class: "job-picture" }, picture.element);
  let playing = null;

  return {
    element,
    update(job) {
      const { width, height } = job.output;
      if (width !== null && height !== null) element.style.setProperty("--aspect", String(width / height));
      const address = job.video_ready ? addresses.video(job) : null;
      if (address !== playing) {
        playing = address;
        element.replaceChildren(address === null ? picture.element : video(job, address));
      }
      if (address === null && job.latest_frame !== null) picture.show(addresses.latestPreview(job));
    },
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
