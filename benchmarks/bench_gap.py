"""How long a warm slot stands still between two frames: inside a lease, and where one lease ends and the next begins.

A coordinator in a process of its own, an agent in this one with a real Blender, and a job of tiny frames in small
chunks of a fixed size.  A gap lasts from Blender's word that a frame is written until the command for the next one.
Prints one JSON line; both kinds of gaps are of the same run.

The frames take longer to render than to deliver even so: a slot holds two leases, and one counts until it is delivered.
"""

import argparse
import asyncio
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp

from agent import renderer, slot
from agent.blender.locate import find_blender
from agent.blender.output import Progress, Rendered
from agent.blender.session import Session
from agent.daemon import Agent
from agent.events import Checked, WorkDone
from agent.instructions import Work
from agent.renderer import Renderer
from agent.settings import read_settings
from tests.e2e.blender_scripts import make_scene
from tests.e2e.farm import ADMIN_TOKEN, JOIN_TOKEN, Farm

#: The first frames are left out: the coordinator does not know yet how long they take, nor Blender its scene.
WARM_UP = 10

#: Of Cycles, for each pixel: a few tenths of a second a frame.
SAMPLES = 150

#: Seconds for the whole job; if it takes longer, something is wrong.
PATIENCE = 180.0


@dataclass
class Stopwatch:
    """When frames were commanded and done, in seconds of one clock."""

    frames: int
    """How many are awaited."""
    lease_id: str = ""
    """Of what is rendered now."""
    spans: list[tuple[str, float, float]] = field(default_factory=list)
    """The lease, the command to render, the word that it is done."""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def gaps(self, *, border: bool) -> list[float]:
        """Return the seconds between frames of the same lease, or of two."""
        return [
            began - ended
            for (before, _, ended), (after, began, _) in pairwise(self.spans[WARM_UP:])
            if (before != after) is border
        ]

    def timed_session(self) -> type[Session]:
        """Return a session that looks at this watch."""
        watch = self

        class TimedSession(Session):
            async def render(
                self,
                frame: int,
                output: Path,
                preview: Path | None,
                display: Path | None,
                on_progress: Callable[[Progress], None],
                expected_seconds: float | None = None,
            ) -> Rendered:
                began = time.perf_counter()
                rendered = await super().render(frame, output, preview, display, on_progress, expected_seconds)
                watch.spans.append((watch.lease_id, began, time.perf_counter()))
                if len(watch.spans) == watch.frames:
                    watch.done.set()
                return rendered

        return TimedSession

    def attentive_renderer(self) -> type[Renderer]:
        """Return a renderer that says for which lease it works."""
        watch = self

        class AttentiveRenderer(Renderer):
            async def carry_out(self, work: Work, on_progress: Callable[[Progress], None]) -> WorkDone | Checked:
                watch.lease_id = work.lease_id
                return await super().carry_out(work, on_progress)

        return AttentiveRenderer


async def submit(url: str, blend: Path, frames: int, chunk_frames: int | None) -> int:
    """Submit a job for all frames of a scene and return its number."""
    data = await asyncio.to_thread(blend.read_bytes)
    sha256 = hashlib.sha256(data).hexdigest()
    stored = {"path": "shot.blend", "size": len(data), "blobs": [{"sha256": sha256, "size": len(data)}]}
    async with aiohttp.ClientSession(
        f"{url}/api/v1/", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, raise_for_status=True
    ) as http:

        async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
            async with http.post(path, json=body) as answer:
                said: dict[str, Any] = await answer.json()
                return said

        await post("packs", {"main": "shot.blend", "files": [stored], "remap": {}})
        async with http.put(f"blobs/{sha256}", data=data):
            pass
        pack = await post("packs", {"main": "shot.blend", "files": [stored], "remap": {}})
        job = {
            "name": "gap",
            "pack": pack["id"],
            "frames": f"1-{frames}",
            "blender": [4, 2],
            "render": {"scene": "Shot"},
            "output": {"format": "PNG"},
            "video": False,
            "chunk_frames": chunk_frames,
        }
        return int((await post("jobs", job))["id"])


async def measure(frames: int, chunk_frames: int, folder: Path) -> dict[str, object]:
    """Render the job on one slot and return what it shows."""
    blend = await asyncio.to_thread(make_scene, folder / "scene", frames=[1, frames], samples=SAMPLES)
    farm = Farm(folder)
    watch = Stopwatch(frames)
    blender = await asyncio.to_thread(find_blender, None)
    try:
        await asyncio.to_thread(farm.start_coordinator)
        settings = read_settings(
            {}, {"coordinator": farm.url, "join_token": JOIN_TOKEN, "name": "gap", "dir": str(folder / "agent")}
        )
        agent = Agent(settings, [blender])
        await submit(farm.url, blend, frames, chunk_frames)
        with (
            patch.object(renderer, "Session", watch.timed_session()),
            patch.object(slot, "Renderer", watch.attentive_renderer()),
        ):
            running = asyncio.create_task(agent.run())
            async with asyncio.timeout(PATIENCE):
                await watch.done.wait()
            agent.stop()
            await running
    finally:
        await asyncio.to_thread(farm.stop)
    return {
        "benchmark": "gap",
        "blender": ".".join(map(str, blender.version)),
        "frames": frames,
        "chunk_frames": chunk_frames,
        "frame_milliseconds_median": milliseconds([ended - began for _, began, ended in watch.spans])[0],
        **described("inside_a_lease", watch.gaps(border=False)),
        **described("between_leases", watch.gaps(border=True)),
    }


def described(where: str, gaps: Sequence[float]) -> dict[str, object]:
    """Return how many gaps there were and how long they lasted."""
    median, p95 = milliseconds(gaps)
    return {f"{where}_gaps": len(gaps), f"{where}_milliseconds_median": median, f"{where}_milliseconds_p95": p95}


def milliseconds(seconds: Sequence[float]) -> tuple[float, float]:
    """Return median and 95th percentile of durations in seconds."""
    return round(statistics.median(seconds) * 1000, 1), round(statistics.quantiles(seconds, n=20)[-1] * 1000, 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--chunk-frames", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(options.frames, options.chunk_frames, Path(folder)))))


if __name__ == "__main__":
    main()
