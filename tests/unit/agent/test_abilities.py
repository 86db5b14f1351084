"""A Blender is asked once what it can do; one that dies of it is told of."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.blender.abilities import find_abilities
from agent.blender.locate import Blender
from agent.blender.output import Described
from agent.blender.session import Limits, SessionError
from agent.gpus import Card, Gpus
from tests.fakes.nvml import FakeCard, FakeNvml
from tests.unit.agent.blenders import DESCRIBED, child

LIMITS = Limits(start=20.0, describe=20.0, close=5.0)


async def ask(
    folder: Path,
    blender: Blender,
    cards: Sequence[Card] = (),
    limits: Limits = LIMITS,
    environment: dict[str, str] | None = None,
) -> Described:
    return await find_abilities(blender, cards, environment or {}, folder, folder / "log", limits)


def times_asked(folder: Path) -> int:
    return (folder / "asked").read_text().count("\n")


async def test_it_is_asked_again_only_when_something_changed(tmp_path: Path) -> None:
    blender = await asyncio.to_thread(child, tmp_path, DESCRIBED)
    first = await ask(tmp_path, blender)
    assert [device.id for device in first.devices] == ["CUDA_RTX 4090_0000:01:00"]
    assert await ask(tmp_path, blender) == first
    assert await asyncio.to_thread(times_asked, tmp_path) == 1

    (card,) = Gpus(FakeNvml(FakeCard()).load).cards
    (updated,) = Gpus(FakeNvml(FakeCard(), driver="570.1").load).cards
    await ask(tmp_path, blender, [card])
    await ask(tmp_path, blender, [updated])
    await ask(tmp_path, blender, [updated], environment={"CUDA_VISIBLE_DEVICES": "0"})
    assert await asyncio.to_thread(times_asked, tmp_path) == 4

    await asyncio.to_thread(os.utime, blender.path, (1, 1))
    await ask(tmp_path, blender)
    (remembered,) = await asyncio.to_thread(memories, tmp_path)
    await asyncio.to_thread(remembered.write_text, "{")
    await ask(tmp_path, blender)
    assert await asyncio.to_thread(times_asked, tmp_path) == 6


def memories(folder: Path) -> list[Path]:
    return list(folder.glob("abilities-*.json"))


@pytest.mark.parametrize(
    ("body", "limits", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", LIMITS, "crashed"),
        ("time.sleep(100)", Limits(start=20.0, describe=0.2, close=0.2), "timeout"),
        ('say(event="described", engines=[], denoisers=[], devices=[{"type": "TPU"}])', LIMITS, "crashed"),
    ],
)
async def test_one_that_dies_of_it_is_asked_again_the_next_time(
    tmp_path: Path, body: str, limits: Limits, code: str
) -> None:
    blender = await asyncio.to_thread(child, tmp_path, f"commands.readline()\n{body}\n")
    with pytest.raises(SessionError) as raised:
        await ask(tmp_path, blender, limits=limits)
    assert raised.value.code == code
    assert not await asyncio.to_thread(memories, tmp_path)


async def test_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    blender = await asyncio.to_thread(child, tmp_path, DESCRIBED)
    described = await find_abilities(blender, [], {}, tmp_path / "nowhere", tmp_path / "log", LIMITS)
    assert described.engines == ["CYCLES"]
