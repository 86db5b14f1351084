"""Take the picture of a job's page that README shows, from a farm that runs: ``make demo`` in another terminal, then

python docs/take_screenshots.py http://127.0.0.1:8420 rf_admin_… [JOB]

That of the list of jobs is docs/busy_farm.py's.
"""

import argparse
import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

IMAGES = Path(__file__).parent / "images"
CHROMIUM = "/usr/bin/chromium"

#: A job's page is taken with its first rows of frames.
TALL: ViewportSize = {"width": 1360, "height": 1250}

#: More pixels than shown, for sharp text on today's displays.
SCALE = 1.5

#: So many colours a picture has.
COLOURS = 256

#: So long it takes until all thumbnails have faded in, in milliseconds.
SETTLE_MS = 1500


def take_screenshots(url: str, token: str, job: int | None, folder: Path) -> None:
    """Sign in and save job.png (of ``job``, or of the newest one that is rendered) to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=TALL, device_scale_factor=SCALE, color_scheme="dark", locale="en-GB")
        page.goto(f"{url.rstrip('/')}/#token={token}")
        expect(page.locator(".job-name").first).to_be_visible()
        if job is None:
            page.locator(".job-row[data-state=running] .job-name").first.click()
        else:
            page.locator(f".job-name[href='#/jobs/{job}']").click()
        # The film shows its newest frame, the map and the sheet of frames are below it.
        expect(page.locator(".film-canvas")).to_be_visible()
        expect(page.locator(".sheet img").first).to_be_visible()
        save(page, folder / "job.png")
        browser.close()


def save(page: Page, path: Path) -> None:
    """Save what the window shows, once all pictures in it are there."""
    page.evaluate("Promise.allSettled([...document.images].map(image => image.decode()))")
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLE_MS)
    # Few colours are enough for a page, and a README is loaded often.
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    print(path)  # noqa: T201 - what a script for the terminal is for


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="address of the coordinator")
    parser.add_argument("token", help="an admin token")
    parser.add_argument(
        "job", type=int, nargs="?", help="the job to show; the newest one that is rendered when left out"
    )
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where the pictures go (docs/images)")
    arguments = parser.parse_args()
    take_screenshots(arguments.url, arguments.token, arguments.job, arguments.folder)


if __name__ == "__main__":
    main()
