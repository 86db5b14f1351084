"""What the page costs a browser: until it is there, and while frames come in.

A coordinator has a job of 100,000 frames, of which most are finished; and another one has 10,000 jobs, of which a few
are rendered.  Headless Chromium opens the job's page and the list of jobs, and then agents deliver frames at a steady
rate while the page's own animation frames are counted.  Prints a JSON line for each of both views.

Frames per second are those of this machine while others use it: an empty page, and one with nothing but an icon that
turns, are counted in the same run, and no page can be better than these.  What is the page's own is the processor time
that its main thread takes for each picture: below 16.7 ms, the display can have 60 of them a second.
"""

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tests.browser.conftest import CHROMIUM, DESKTOP
from tests.browser.people import Artist, PretendAgent
from tests.e2e.farm import ADMIN_TOKEN, JOIN_TOKEN, Farm, running_farm

FRAMES = 100_000
FINISHED = 60_000
JOBS = 10_000
RUNNING_JOBS = 5
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

#: The least that moves: what drawing costs this machine, which does it without a graphics card.
_TURNING = """<style>
    @keyframes turn { to { transform: rotate(1turn) } }
    i { display: block; width: 16px; height: 16px; background: grey; animation: turn 2.4s linear infinite }
</style><i></i>"""


def random_frames(finished: int) -> list[tuple[int, float, str]]:
    """Return number, time and digest of frames: times between half a second and eight, digests that differ."""
    chance = random.Random(7)
    return [(number, 0.5 + chance.random() * 7.5, chance.randbytes(32).hex()) for number in range(2, finished + 1)]


def fill(farm: Farm, job: int, rows: Sequence[tuple[int, float, str]], frames: int) -> None:
    """Have a job's frames from the second on be finished, as the first is; the coordinator must not run."""
    finished = len(rows) + 1
    with sqlite3.connect(farm.database.removeprefix("sqlite:///")) as database:
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
        if left:
            database.execute("UPDATE chunks SET first = ?, frame_count = ? WHERE job_id = ?", (finished + 1, left, job))
        else:
            database.execute("DELETE FROM chunks WHERE job_id = ?", (job,))
        database.execute("UPDATE jobs SET finished = ?, pending = ? WHERE id = ?", (finished, left, job))


def prepare(farm: Farm, frames: int, rows: Sequence[tuple[int, float, str]]) -> int:
    """Submit the job, have one frame rendered and others be as that one; return the job.

    The coordinator is stopped for it, and is to be started again.
    """
    artist = Artist(farm.url, ADMIN_TOKEN)
    job = artist.submit("Epic", frames=f"1-{frames}", chunk_frames=10_000)
    agent = PretendAgent(farm.url, JOIN_TOKEN, "studio-01")
    agent.register()
    agent.take_work()
    agent.finish(1)
    agent.leave()
    farm.stop()
    fill(farm, job, rows, frames)
    return job


def prepare_list(farm: Farm, jobs: int) -> None:
    """Have one job rendered and copied until there are so many, and submit a few that are to be rendered."""
    artist = Artist(farm.url, ADMIN_TOKEN)
    done = artist.submit("Done long ago", frames="1", video=False)
    agent = PretendAgent(farm.url, JOIN_TOKEN, "studio-01")
    agent.register()
    agent.render_all(1)
    agent.leave()
    farm.stop()
    with sqlite3.connect(farm.database.removeprefix("sqlite:///")) as database:
        # 1, 2, … as many as there are to be copies.
        copies = jobs - RUNNING_JOBS - 1
        numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
        for table, key, changed in (
            ("jobs", "id", {"id": f"{done} + n", "name": "one.name || ' ' || n"}),
            ("frames", "job_id", {"job_id": f"{done} + n"}),
        ):
            names = [column[0] for column in database.execute(f"SELECT * FROM {table} LIMIT 0").description]  # noqa: S608 - our own names
            columns = ", ".join(changed.get(name, f"one.{name}") for name in names)
            database.execute(
                f"INSERT INTO {table} {numbers} SELECT {columns} FROM numbers, {table} AS one WHERE one.{key} = ?",  # noqa: S608 - our own names
                (copies, done),
            )
    farm.start_coordinator()
    for number in range(RUNNING_JOBS):
        artist.submit(f"Shot {number}", frames="1-5000", chunk_frames=5000)


class Deliveries:
    """Frames that come in at a steady rate, in a thread."""

    def __init__(self, url: str, rate: float, agents: int = 1) -> None:
        """Take work of the farm at ``url``, with so many agents."""
        self._agents = [PretendAgent(url, JOIN_TOKEN, f"studio-{number + 2:02}") for number in range(agents)]
        self._numbers = {}
        for agent in self._agents:
            agent.register()
            self._numbers[agent.name] = iter(agent.take_work().frames)
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
            agent = self._agents[self.count % len(self._agents)]
            agent.finish(next(self._numbers[agent.name]))
            self.count += 1
            due += self._period


def metrics(session: CDPSession) -> dict[str, float]:
    """Return Chromium's own counts: seconds of script and of all tasks, bytes of the script's heap."""
    return {it["name"]: it["value"] for it in session.send("Performance.getMetrics")["metrics"]}


def main_frames(browser: Browser, page: Page, seconds: float) -> dict[str, float]:
    """Return what one picture takes of the renderer's main thread, in ms of processor time: usually, and at most."""
    session = browser.new_browser_cdp_session()
    events: list[dict[str, Any]] = []
    complete: list[object] = []
    session.on("Tracing.dataCollected", lambda told: events.extend(told["value"]))
    session.on("Tracing.tracingComplete", lambda _: complete.append(True))
    session.send("Tracing.start", {"traceConfig": {"includedCategories": ["cc"]}, "transferMode": "ReportEvents"})
    page.evaluate(_COUNT, seconds)
    session.send("Tracing.end")
    while not complete:
        page.wait_for_timeout(20)
    # Script, style, layout and paint of one picture are one of these.
    took = [it["tdur"] / 1000 for it in events if it["name"] == "ProxyMain::BeginMainFrame" and "tdur" in it]
    return {"main_frame_ms": statistics.median(took), "longest_main_frame_ms": max(took)}


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


def open_list(page: Page, farm: Farm, jobs: int) -> dict[str, float]:
    """Open the list of jobs as a bookmark would; return when it was painted and when its rows were there, in ms."""
    page.goto(f"{farm.url}/#token={ADMIN_TOKEN}")
    page.wait_for_selector(".job-name")
    page.goto("about:blank")
    page.goto(f"{farm.url}/#/jobs")
    page.wait_for_selector(".job-row .job-name")
    rows_ms = page.evaluate("performance.now()")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
    counts = Artist(farm.url, ADMIN_TOKEN).api("GET", "farm")["jobs"]
    if sum(counts.values()) != jobs:
        raise SystemExit(f"The farm has {counts} instead of {jobs} jobs.")
    return {"first_paint_ms": paint, "rows_ms": rows_ms}


def watch(
    farm: Farm, open_view: Callable[[Page], dict[str, float]], agents: int, seconds: float, rate: float
) -> dict[str, Any]:
    """Open a view in a browser and have agents deliver frames; return what that cost the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport=DESKTOP)
        session = page.context.new_cdp_session(page)
        # Time of the processor, which others may use as well.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        # What this machine can show at all, whatever else it is busy with.
        empty = page.evaluate(_COUNT, 3)
        page.set_content(_TURNING)
        turning = page.evaluate(_COUNT, 3)
        opened = open_view(page)
        before = metrics(session)
        with Deliveries(farm.url, rate, agents) as deliveries:
            smooth = page.evaluate(_COUNT, seconds)
            after = metrics(session)
            frames = main_frames(browser, page, seconds / 2)
        browser.close()
    return {
        **opened,
        "script_ms": 1000 * before["ScriptDuration"],
        "heap_mib": after["JSHeapUsedSize"] / 1024**2,
        "events_per_second": deliveries.rate,
        **smooth,
        **frames,
        "empty_page_frames_per_second": empty["frames_per_second"],
        "turning_icon_frames_per_second": turning["frames_per_second"],
        "script_share": (after["ScriptDuration"] - before["ScriptDuration"]) / seconds,
        "task_share": (after["TaskDuration"] - before["TaskDuration"]) / seconds,
    }


def measure_job(frames: int, seconds: float, rate: float) -> dict[str, Any]:
    """Return the line of a job's page."""
    finished = frames * FINISHED // FRAMES
    with tempfile.TemporaryDirectory() as folder, running_farm(Path(folder)) as farm:
        job = prepare(farm, frames, random_frames(finished))
        farm.start_coordinator()
        found = watch(farm, lambda page: open_job(page, farm, job, finished), 1, seconds, rate)
    return {"benchmark": "page", "view": "job", "frames": frames, **found}


def measure_list(jobs: int, seconds: float, rate: float) -> dict[str, Any]:
    """Return the line of the list of jobs."""
    with tempfile.TemporaryDirectory() as folder, running_farm(Path(folder)) as farm:
        prepare_list(farm, jobs)
        found = watch(farm, lambda page: open_list(page, farm, jobs), RUNNING_JOBS, seconds, rate)
    return {"benchmark": "page", "view": "jobs", "jobs": jobs, **found}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long frames come in")
    parser.add_argument("--rate", type=float, default=EVENTS_PER_SECOND, help="frames delivered each second")
    arguments = parser.parse_args()
    for line in (
        measure_job(arguments.frames, arguments.seconds, arguments.rate),
        measure_list(arguments.jobs, arguments.seconds, arguments.rate),
    ):
        print(
            json.dumps({name: round(it, 3) if isinstance(it, float) else it for name, it in line.items()}), flush=True
        )


if __name__ == "__main__":
    main()
