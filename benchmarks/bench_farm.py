"""A job on a farm of one agent against the same animation in plain Blender, as an artist would render it.

Coordinator and agent are processes of their own, started and joined before.  The farm's time is from the submission to
the last frame that the coordinator has recorded, with files sent, Blender started and the scene opened; plain Blender's
is that of ``blender -b FILE -a``, start and end included, with the scene's own settings.  Both render in turns, and
medians are told: ``ratio`` is farm ÷ plain.  A new pack each time has the farm start anew: nothing is warm.

``cpu_seconds`` are the medians of what each process took of the processors meanwhile, in seconds: they hardly change
with what else the machine does.  All of plain Blender's, the coordinator's and the agent's between the submission and
the last frame, and of the farm's Blender until then, its start included.

Prints a JSON line for each scene: a hundred short frames, and frames that take long to prepare.
"""

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from benchmarks.bench_gap import submit
from benchmarks.scenes import make_heavy, make_light, render_plainly
from tests.e2e.farm import ADMIN_TOKEN, Farm

#: Frames of the scene that takes long to prepare.
HEAVY_FRAMES = 8

#: Seconds between looks at the farm's job.
LOOK_SECONDS = 2.0

#: Seconds for a whole job; if it takes longer, something is wrong.
PATIENCE = 1800.0


def processor_seconds(farm: Farm) -> dict[str, float]:
    """Return what the farm's processes have taken of the processors so far; its Blender is the agent's children."""
    agent = psutil.Process(farm.agents["bench"].pid)
    assert farm.coordinator is not None
    return {
        "coordinator": _taken(psutil.Process(farm.coordinator.pid)),
        "agent": _taken(agent),
        "farm_blender": sum(_taken(child) for child in agent.children(recursive=True)),
    }


def _taken(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _children_taken() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def farm_seconds(url: str, blend: Path, frames: int) -> float:
    """Return how long a farm takes for all frames of a scene that it does not know, by the coordinator's own times.

    Looking often would cost the coordinator as much as the frames do.
    """
    began = time.time()
    number = await submit(url, blend, frames, None)
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with (
        aiohttp.ClientSession(url, headers=headers, raise_for_status=True) as http,
        asyncio.timeout(PATIENCE),
    ):

        async def ask(path: str) -> Any:
            async with http.get(path) as answer:
                return await answer.json()

        while (job := await ask(f"/api/v1/jobs/{number}"))["finished"] < frames:
            assert job["state"] not in ("failed", "cancelled"), job["reason"]
            await asyncio.sleep(LOOK_SECONDS)
        recorded = (await ask(f"/api/v1/jobs/{number}/frames?limit={frames}"))["items"]
        return max(datetime.fromisoformat(frame["finished_at"]).timestamp() for frame in recorded) - began


def measure(name: str, make: Callable[[Path, int], Path], frames: int, rounds: int, folder: Path) -> dict[str, object]:
    """Render a scene both ways, in turns."""
    farm = Farm(folder)
    on_farm: list[float] = []
    plain: list[float] = []
    taken: defaultdict[str, list[float]] = defaultdict(list)
    try:
        farm.start_coordinator()
        farm.start_agent("bench", "--slots", "1")
        for number in range(rounds):
            # Saved anew, so that it is another pack: no session has it open.
            blend = make(folder / f"{number}" / "shot.blend", frames)
            before = processor_seconds(farm)
            on_farm.append(asyncio.run(farm_seconds(farm.url, blend, frames)))
            after = processor_seconds(farm)
            for process in ("coordinator", "agent"):
                taken[process].append(after[process] - before[process])
            # The session of the round before has ended meanwhile.
            taken["farm_blender"].append(after["farm_blender"])
            began, before_plain = time.perf_counter(), _children_taken()
            render_plainly(blend, folder / f"{number}" / "plain")
            plain.append(time.perf_counter() - began)
            taken["plain_blender"].append(_children_taken() - before_plain)
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
        "cpu_seconds": {process: round(statistics.median(seconds), 2) for process, seconds in taken.items()},
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
