"""A slot's calls, where their order alone decides."""

import asyncio
from pathlib import Path
from unittest.mock import Mock

from agent.blender.session import Limits
from agent.card_memory import CardMemory
from agent.events import Fetched, Granted, StopRequested
from agent.slot import SlotRunner
from agent.tasks import Tasks
from agent.tools import Tools
from coordinator.protocol import RegisterResponse
from tests.unit.agent.jobs import grant


async def forever(_: object) -> None:
    """Wait for an answer that does not come."""
    await asyncio.Event().wait()


async def test_work_that_is_stopped_before_it_began_ends_all_the_same(tmp_path: Path) -> None:
    timing = RegisterResponse(agent_id=1, token="", lease_seconds=30, report_seconds=10, poll_seconds=25)
    async with Tasks() as tasks:
        tools = Tools(
            link=Mock(call=forever),
            inputs=Mock(prepare=forever),
            outbox=Mock(),
            tasks=tasks,
            blender=Mock(),
            sandbox=None,
            limits=Limits(),
            threads=None,
            logs=tmp_path,
            sessions=tmp_path,
            timing=timing,
            telemeter=Mock(take=lambda: None),
            card_memory=[CardMemory(Mock(), ())],
        )
        slot = SlotRunner(0, "CPU", tools)
        slot.handle(Granted(grant("one", 1)))
        slot.handle(Fetched("one"))  # the scene is to be opened
        slot.handle(StopRequested())
        async with asyncio.timeout(5):
            await slot.quiet.wait()
        tasks.cancel()
