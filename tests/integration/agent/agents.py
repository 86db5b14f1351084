"""Agents with a real Blender, in the test's own process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from agent.blender.locate import find_blender
from agent.daemon import Agent
from agent.settings import AgentSettings

#: Samples: minutes of work, and the most a job may ask for.
FOREVER = 1_000_000

#: Samples: a frame takes a second or more, several reports long.
A_WHILE = 2_000

BLENDER = find_blender("bpy")


@contextlib.asynccontextmanager
async def agent_of(settings: AgentSettings) -> AsyncIterator[tuple[Agent, "asyncio.Task[None]"]]:
    """An agent that runs; killed at the end unless it has stopped by itself."""
    agent = Agent(settings, [BLENDER])
    task = asyncio.create_task(agent.run())
    try:
        yield agent, task
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def blender_pid(agent: Agent) -> int:
    session = agent._slots[0]._renderer._session
    assert session is not None
    return session._process._process.pid


async def waiting_frames(settings: AgentSettings) -> list[Path]:
    """Return the notes of frames that wait for delivery."""
    return await asyncio.to_thread(lambda: sorted(settings.folder.glob("coordinators/*/frames/*/*/note.json")))
