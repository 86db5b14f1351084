"""What the page of a job of 100,000 frames costs a browser: until it is there, and while frames come in.

A coordinator has such a job, of which most frames are finished.  Headless Chromium opens its page, and then an agent
delivers frames at a steady rate while the page's own animation frames are counted.  Prints one JSON line.
"""

import argparse
import json
import random
import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.browser.conftest import CHROMIUM, DESKTOP
from tests.browser.people import Artist, PretendAgent
from tests.e2e.farm import ADMIN_TOKEN, JOIN_TOKEN, Farm, running_farm

FRAMES = 100_000
FINISHED = 60_000
EVENTS_PER_SECOND = 20.0
SECONDS = 10.0

_COUNT = """seconds => new Promise(resolve => {
    const begin = performance.now();
    let last = begin, count = 0, longest = 0;
    function frame(now) {
        count += 1;
        longest = Math.max(longest, now - last);
        last = now;
        if (now - begin < seconds * 1000) requestAnimationFrame(frame);
        else resolve({ frames_per_second: count / ((now - begin) / 1000), longest_frame_ms: longest });
    }
    requestAnimationFrame(frame);
})"""


def fill(farm: Farm, job: int, finished: int, frames: int) -> None:
    """Have a job's first frames be finished, as the one that is; the coordinator must not run."""
    with sqlite3.connect(farm.database.removeprefix("sqlite:///")) as database:
        # Times between half a second and eight, and digests that differ as real ones do.
        chance = random.Random(7)
        rows = [(number, 0.5 + chance.random() * 7.5, chance.randbytes(32).hex()) for number in range(2, finished + 1)]
        database.execute("CREATE TEMPORARY TABLE made (number INTEGER, took REAL, digest TEXT)")
        database.executemany("INSERT INTO made VALUES (?, ?, ?)", rows)
        made_of: dict[str, dict[str, str]] = {
            "blobs": {"sha256": "digest"},
            "frames": {"frame": "number", "seconds": "took", "output_sha256": "digest"},
        }
        for table, changed in made_of.items():
            names = [column[0] for column in database.execute(f"SELECT * FROM {table} LIMIT 0").description]  # noqa: S608 - our own names
            columns = ", ".join(changed.get(name, f"one.{name}") for name in names)
            one = f"(SELECT * FROM {table} LIMIT 1) AS one"  # noqa: S608 - our own names
            database.execute(f"INSERT INTO {table} SELECT {columns} FROM made, {one}")  # noqa: S608 - our own names
        # What is not finished is one chunk, the last one.
        database.execute("DELETE FROM chunks WHERE job_id = ? AND last < ?", (job, frames))
        left = frames - finished
        database.execute("UPDATE chunks SET first = ?, frame_count = ? WHERE job_id = ?", (finished + 1, left, job))
        database.execute("UPDATE jobs SET finished = ?, pending = ? WHERE id = ?", (finished, left, job))


def prepare(farm: Farm, frames: int, finished: int) -> int:
    """Submit the job, have one frame rendered and the others be as that one; return the job."""
    artist = Artist(farm.url, ADMIN_TOKEN)
    job = artist.submit("Epic", frames=f"1-{frames}", chunk_frames=10_000)
    agent = PretendAgent(farm.url, JOIN_TOKEN, "studio-01")
    agent.register()
    agent.take_work()
    agent.finish(1)
    agent.leave()
    farm.stop()
    fill(farm, job, finished, frames)
    farm.start_coordinator()
    return job


class Deliveries:
    """Frames that come in at a steady rate, in a thread."""

    def __init__(self, url: str, rate: float) -> None:
        """Take work of the farm at ``url``."""
        self._agent = PretendAgent(url, JOIN_TOKEN, "studio-02")
        self._agent.register()
        self._numbers = iter(self._agent.take_work().frames)
        self._period = 1.0 / rate
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._deliver)
        self.count = 0

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self.rate = self.count / (time.monotonic() - self._begun)

    def _deliver(self) -> None:
        due = self._begun
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            self._agent.finish(next(self._numbers))
            self.count += 1
            due += self._period


def metrics(session: CDPSession) -> dict[str, float]:
    """Return Chromium's own counts: seconds of script and of all tasks, bytes of the script's heap."""
    return {it["name"]: it["value"] for it in session.send("Performance.getMetrics")["metrics"]}


def open_job(page: Page, farm: Farm, job: int, frames: int) -> dict[str, float]:
    """Open the job's page as a bookmark would; return when it was painted and when its map was there, in ms."""
    page.goto(f"{farm.url}/#token={ADMIN_TOKEN}")
    page.wait_for_selector(".job-name")
    page.goto("about:blank")
    page.goto(f"{farm.url}/#/jobs/{job}")
    page.wait_for_function(
        """finished => document.querySelector(".map-legend [data-kind=finished]")?.textContent.startsWith(finished)""",
        arg=f"{frames:,}",
    )
    map_ms = page.evaluate("performance.now()")
    page.wait_for_selector(".sheet img")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
    size = page.evaluate(
        "performance.getEntriesByType('resource').find(it => it.name.includes('frame-map')).transferSize"
    )
    return {"first_paint_ms": paint, "map_ms": map_ms, "map_bytes": size}


def measure(frames: int, finished: int, seconds: float, rate: float) -> dict[str, Any]:
    """Return the benchmark's line."""
    with tempfile.TemporaryDirectory() as folder, running_farm(Path(folder)) as farm, sync_playwright() as playwright:
        job = prepare(farm, frames, finished)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport=DESKTOP)
        session = page.context.new_cdp_session(page)
        # Time of the processor, which others may use as well.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        # What this machine can show at all, whatever else it is busy with.
        possible = page.evaluate(_COUNT, 3)
        opened = open_job(page, farm, job, finished)
        before = metrics(session)
        with Deliveries(farm.url, rate) as deliveries:
            smooth = page.evaluate(_COUNT, seconds)
        after = metrics(session)
        browser.close()
    return {
        "benchmark": "page",
        "view": "job",
        "frames": frames,
        **opened,
        "script_ms": 1000 * before["ScriptDuration"],
        "heap_mib": after["JSHeapUsedSize"] / 1024**2,
        "events_per_second": deliveries.rate,
        **smooth,
        "empty_page_frames_per_second": possible["frames_per_second"],
        "script_share": (after["ScriptDuration"] - before["ScriptDuration"]) / seconds,
        "task_share": (after["TaskDuration"] - before["TaskDuration"]) / seconds,
    }


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long frames come in")
    parser.add_argument("--rate", type=float, default=EVENTS_PER_SECOND, help="frames delivered each second")
    arguments = parser.parse_args()
    finished = arguments.frames * FINISHED // FRAMES
    line = measure(arguments.frames, finished, arguments.seconds, arguments.rate)
    print(json.dumps({name: round(it, 3) if isinstance(it, float) else it for name, it in line.items()}))


if __name__ == "__main__":
    main()
