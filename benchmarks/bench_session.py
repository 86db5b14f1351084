"""What a warm session saves: frames rendered by one Blender, and by a new Blender for each.

Prints a JSON line for each scene: a light one, one that takes long to prepare, and those named by ``--scenes`` or by
the environment's RENDERFARM_BENCH_SCENES.  Times are wall seconds; ``ratio`` is warm ÷ new, the warm session's start
included.  Both ways go through the agent's own session, in turns, so that a busy machine slows both.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.blender.locate import Blender, find_blender
from agent.blender.session import Session
from benchmarks.scenes import make_heavy, make_light, scene_of
from coordinator.protocol import ImageFormat, RenderSpec

SCENES_VARIABLE = "RENDERFARM_BENCH_SCENES"

#: So many take five seconds and more to prepare (of a new Blender's frame: the picture itself is nothing beside it).
HEAVY_BALLS = 20


@asynccontextmanager
async def ready_session(blender: Blender, blend: Path, scene: str, log: Path) -> AsyncIterator[Session]:
    """A Blender with the scene open and set up."""
    session = await Session.start(blender, log)
    try:
        await session.open(blend, {})
        await session.configure(RenderSpec(scene=scene), ImageFormat.PNG, "CPU", None)
        yield session
    finally:
        await session.close()


async def render(session: Session, frame: int, folder: Path) -> None:
    """Render one frame and make sure that it is there."""
    output = folder / f"{frame:04}.png"
    output.unlink(missing_ok=True)
    await session.render(frame, output, None, None, lambda _progress: None)
    assert output.stat().st_size > 0


async def measure(name: str, blender: Blender, blend: Path, frames: int, folder: Path) -> dict[str, object]:
    """Render ``frames`` frames both ways, with the scene's own settings; the warm session's start counts."""
    cold: list[float] = []
    warm: list[float] = []
    scene, first = await asyncio.to_thread(scene_of, blend)
    began = time.perf_counter()
    async with ready_session(blender, blend, scene, folder / "warm.log") as session:
        start = time.perf_counter() - began
        for frame in range(first, first + frames):
            began = time.perf_counter()
            async with ready_session(blender, blend, scene, folder / "cold.log") as new:
                await render(new, frame, folder)
            cold.append(time.perf_counter() - began)
            began = time.perf_counter()
            await render(session, frame, folder)
            warm.append(time.perf_counter() - began)
    return {
        "benchmark": "session",
        "scene": name,
        "blender": ".".join(map(str, blender.version)),
        "frames": frames,
        "load_seconds": round(start, 3),
        "new_blender_seconds_per_frame": round(statistics.median(cold), 3),
        "warm_session_seconds_per_frame": round(statistics.median(warm), 3),
        "new_blenders_seconds": round(sum(cold), 2),
        "warm_session_seconds": round(start + sum(warm), 2),
        "ratio": round((start + sum(warm)) / sum(cold), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument(
        "--scenes",
        nargs="*",
        type=Path,
        default=[Path(path) for path in os.environ.get(SCENES_VARIABLE, "").split(os.pathsep) if path],
        help=f"more .blend files to measure with; by default those of {SCENES_VARIABLE}",
    )
    options = parser.parse_args()
    blender = find_blender(None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = {
            "light": make_light(folder / "light.blend", 100),
            "heavy": make_heavy(folder / "heavy.blend", 100, HEAVY_BALLS),
        }
        for title, blend in (own | {scene.stem: scene for scene in options.scenes}).items():
            print(json.dumps(asyncio.run(measure(title, blender, blend, options.frames, folder))), flush=True)
    if not options.scenes:
        print(f"No scenes of your own were measured: name some in {SCENES_VARIABLE}.", file=sys.stderr)


if __name__ == "__main__":
    main()
