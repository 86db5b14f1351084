"""What a warm session saves: the demo's scene rendered by one Blender, and by a new Blender for each frame.

Prints a JSON line for each size, small and full; times are wall seconds.  Both ways go through the agent's own session,
in turns, so that a busy machine slows both.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.blender.locate import Blender, find_blender
from agent.blender.session import Session
from coordinator.protocol import ImageFormat, RenderSpec
from examples.demo import make_scene

PERCENTAGES = (25, 100)


@asynccontextmanager
async def ready_session(blender: Blender, blend: Path, percentage: int, log: Path) -> AsyncIterator[Session]:
    """A Blender with the scene open and set up."""
    session = await Session.start(blender, log)
    try:
        await session.open(blend, {})
        await session.configure(RenderSpec(scene="Scene", percentage=percentage), ImageFormat.PNG, "CPU", None)
        yield session
    finally:
        await session.close()


async def render(session: Session, frame: int, folder: Path) -> None:
    """Render one frame and make sure that it is there."""
    output = folder / f"{frame:04}.png"
    output.unlink(missing_ok=True)
    await session.render(frame, output, folder / "preview.jpg", None, lambda _progress: None)
    assert output.stat().st_size > 0


async def measure(blender: Blender, blend: Path, percentage: int, frames: int, folder: Path) -> dict[str, object]:
    """Render ``frames`` frames both ways at a share of the scene's size."""
    cold: list[float] = []
    warm: list[float] = []
    async with ready_session(blender, blend, percentage, folder / "warm.log") as session:
        for frame in range(1, frames + 1):
            began = time.perf_counter()
            async with ready_session(blender, blend, percentage, folder / "cold.log") as new:
                await render(new, frame, folder)
            cold.append(time.perf_counter() - began)
            began = time.perf_counter()
            await render(session, frame, folder)
            warm.append(time.perf_counter() - began)
    return {
        "benchmark": "session",
        "blender": ".".join(map(str, blender.version)),
        "percentage": percentage,
        "frames": frames,
        "new_blender_seconds_per_frame": round(statistics.median(cold), 3),
        "warm_session_seconds_per_frame": round(statistics.median(warm), 3),
        "times_faster": round(statistics.median(cold) / statistics.median(warm), 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=8)
    frames = parser.parse_args().frames
    blender = find_blender(None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        blend = make_scene(folder / "scene", folder / "scene.log")
        for percentage in PERCENTAGES:
            print(json.dumps(asyncio.run(measure(blender, blend, percentage, frames, folder))))


if __name__ == "__main__":
    main()
