"""A slot's calls, where their order alone decides."""

import asyncio
from pathlib import Path
from unittest.mock import Mock

from agent.blender.session import Limits
from agent.card_meter import CardMeter
from agent.events import Fetched, Granted, StopRequested
from agent.slot import SlotRunner
from agent.tasks import Tasks
from agent.telemetry import Telemeter
from agent.tools import Tools
from coordinator.protocol import RegisterResponse, Telemetry
from tests.unit.agent.jobs import grant


async def forever(_: object) -> None:
    """Wait for an answer that does not come."""
    await asyncio.Event().wait()


def tools(tasks: Tasks, folder: Path, telemeter: Telemeter) -> Tools:
    """Return what slots share, with calls that are never answered."""
    return Tools(
        link=Mock(call=forever),
        inputs=Mock(prepare=forever),
        outbox=Mock(),
        tasks=tasks,
        blender=Mock(),
        sandbox=None,
        shaders=None,
        limits=Limits(),
        threads=None,
        logs=folder,
        sessions=folder,
        timing=RegisterResponse(agent_id=1, token="", lease_seconds=30, report_seconds=10, poll_seconds=25),
        telemeter=telemeter,
        card_meters=[CardMeter(Mock(), ())] * 2,
    )


async def test_work_that_is_stopped_before_it_began_ends_all_the_same(tmp_path: Path) -> None:
    async with Tasks() as tasks:
        slot = SlotRunner(0, "CPU", tools(tasks, tmp_path, Mock(take=lambda: None)))
        slot.handle(Granted(grant("one", 1)))
        slot.handle(Fetched("one"))  # the scene is to be opened
        slot.handle(StopRequested())
        async with asyncio.timeout(5):
            await slot.quiet.wait()
        tasks.cancel()


async def test_the_first_slot_alone_tells_how_the_machine_is(tmp_path: Path) -> None:
    async with Tasks() as tasks:
        shared = tools(tasks, tmp_path, Mock(take=lambda: Telemetry(cpu_utilization=0.5)))
        assert SlotRunner(1, "CPU", shared)._telemetry() is None
        assert SlotRunner(0, "CPU", shared)._telemetry() == Telemetry(cpu_utilization=0.5)
        tasks.cancel()
