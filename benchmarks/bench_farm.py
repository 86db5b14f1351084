"""A job on a farm of one agent against the same animation in plain Blender, as an artist would render it.

Coordinator and agent are processes of their own, started and joined before.  The farm's time is from the submission to
the last frame that the coordinator has recorded, with files sent, Blender started and the scene opened; plain Blender's
is that of ``blender -b FILE -a``, start and end included, with the scene's own settings.  Both render in turns, and
medians are told: ``ratio`` is farm ÷ plain.  A new pack each time has the farm start anew: nothing is warm.

Prints a JSON line for each scene: a hundred short frames, and frames that take long to prepare.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from benchmarks.bench_gap import submit
from benchmarks.scenes import make_heavy, make_light, render_plainly
from tests.e2e.farm import ADMIN_TOKEN, Farm

#: Frames of the scene that takes long to prepare.
HEAVY_FRAMES = 8

#: Seconds between looks at the farm's job: what a measurement may be too long by.
LOOK_SECONDS = 0.05

#: Seconds for a whole job; if it takes longer, something is wrong.
PATIENCE = 1800.0


async def farm_seconds(url: str, blend: Path, frames: int) -> float:
    """Return how long a farm takes for all frames of a scene that it does not know."""
    began = time.perf_counter()
    number = await submit(url, blend, frames, None)
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with (
        aiohttp.ClientSession(url, headers=headers, raise_for_status=True) as http,
        asyncio.timeout(PATIENCE),
    ):
        while True:
            async with http.get(f"/api/v1/jobs/{number}") as answer:
                job = await answer.json()
            assert job["state"] not in ("failed", "cancelled"), job["reason"]
            if job["finished"] == frames:
                return time.perf_counter() - began
            await asyncio.sleep(LOOK_SECONDS)


def measure(name: str, make: Callable[[Path, int], Path], frames: int, rounds: int, folder: Path) -> dict[str, object]:
    """Render a scene both ways, in turns."""
    farm = Farm(folder)
    on_farm: list[float] = []
    plain: list[float] = []
    try:
        farm.start_coordinator()
        farm.start_agent("bench", "--slots", "1")
        for number in range(rounds):
            # Saved anew, so that it is another pack: no session has it open.
            blend = make(folder / f"{number}" / "shot.blend", frames)
            on_farm.append(asyncio.run(farm_seconds(farm.url, blend, frames)))
            began = time.perf_counter()
            render_plainly(blend, folder / f"{number}" / "plain")
            plain.append(time.perf_counter() - began)
            assert len(list((folder / f"{number}" / "plain").iterdir())) == frames
    finally:
        farm.stop()
    return {
        "benchmark": "farm",
        "scene": name,
        "frames": frames,
        "rounds": rounds,
        "farm_seconds": round(statistics.median(on_farm), 2),
        "plain_seconds": round(statistics.median(plain), 2),
        "ratio": round(statistics.median(on_farm) / statistics.median(plain), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=100, help="of the light scene")
    parser.add_argument("--heavy-frames", type=int, default=HEAVY_FRAMES)
    options = parser.parse_args()
    scenes = [("light", make_light, options.frames), ("heavy", make_heavy, options.heavy_frames)]
    for name, make, frames in scenes:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(name, make, frames, options.rounds, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
