"""What it costs to drop a project on the page: until all of it has arrived, and until the form is there.

- ``drop``: a file of 500 MB that nobody can compress is picked in headless Chromium: seconds until the farm has it, the
  browser's own work and memory, and the coordinator's; then the same file once more, of which nothing travels;
- ``inspect``: a real scene is picked, and an agent with a real Blender looks into it: seconds until its form is there,
  when the agent has just started, and for another scene after that.

Prints JSON lines.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.bench_http import Process
from benchmarks.bench_page import metrics
from tests.browser.conftest import CHROMIUM, DESKTOP
from tests.e2e.farm import ADMIN_TOKEN, Farm, running_farm

MEGABYTES = 500
PATIENCE_MS = 300_000

MAKE = """
import os, sys, bpy
for path in sys.argv[1:]:
    bpy.context.scene.frame_end += 1
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
sys.stdout.flush()
os._exit(0)
"""


def write_scene(path: Path, size: int) -> None:
    """Write a file that begins as a Blender file does, and that nobody can compress."""
    chance = random.Random(7)
    with path.open("wb") as file:
        file.write(b"BLENDER-v405 not really")
        for _ in range(size // 1_000_000):
            file.write(chance.randbytes(1_000_000))


def begin(page: Page, farm: Farm, path: Path) -> float:
    """Open the page for a new job and pick a file; return when it was picked (seconds)."""
    page.goto("about:blank")
    page.goto(f"{farm.url}/#/new")
    expect(page.get_by_role("heading", name="Drop your .blend here")).to_be_visible()
    began = time.perf_counter()
    page.locator("input[type=file]").first.set_input_files(path)
    return began


def measure_drop(page: Page, farm: Farm, path: Path, again: bool) -> None:
    """Measure a file on its way; no agent is there that would look into it."""
    assert farm.coordinator is not None
    process = Process(farm.url, farm.coordinator.pid)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    cpu = process.cpu_seconds()
    began = begin(page, farm, path)
    expect(page.get_by_role("heading", name="No agent is online")).to_be_visible(timeout=PATIENCE_MS)
    seconds = time.perf_counter() - began
    seen = metrics(session)
    tell(
        "drop again" if again else "drop",
        megabytes=path.stat().st_size // 1_000_000,
        seconds=round(seconds, 2),
        mb_per_second=round(path.stat().st_size / 1e6 / seconds, 1),
        page_task_seconds=round(seen["TaskDuration"], 2),
        page_heap_mib=round(seen["JSHeapUsedSize"] / 1024**2, 1),
        coordinator_cpu_seconds=round(process.cpu_seconds() - cpu, 2),
    )


def measure_inspection(page: Page, farm: Farm, path: Path, which: str) -> None:
    """Measure how long it takes until the form has a scene's own values."""
    began = begin(page, farm, path)
    expect(page.get_by_role("button", name="Render 2")).to_be_visible(timeout=PATIENCE_MS)
    tell("inspect", scene=which, seconds=round(time.perf_counter() - began, 2))


def tell(part: str, **values: object) -> None:
    """Print a line."""
    print(json.dumps({"benchmark": "drop", "part": part, **values}), flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        running_farm(Path(name) / "farm") as farm,
        sync_playwright() as playwright,
    ):
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport=DESKTOP)
        page.goto(f"{farm.url}/#token={ADMIN_TOKEN}")
        expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
        large = folder / "large.blend"
        write_scene(large, arguments.megabytes * 1_000_000)
        for again in (False, True):
            measure_drop(page, farm, large, again)
        scenes = [folder / f"scene{number}.blend" for number in (1, 2)]
        subprocess.run([sys.executable, "-I", "-c", MAKE, *map(str, scenes)], check=True, stdout=subprocess.DEVNULL)
        farm.start_agent("studio-01", "--device", "CPU", "--blender", "bpy")
        for path, which in zip(scenes, ("first", "second"), strict=True):
            measure_inspection(page, farm, path, which)
        browser.close()


if __name__ == "__main__":
    main()
