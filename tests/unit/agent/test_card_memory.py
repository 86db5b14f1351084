"""What a slot's Blender takes of its cards while it renders."""

import asyncio
import os
from collections.abc import Callable

import pytest

from agent.card_memory import CardMemory
from agent.gpus import Gpus
from tests.fakes.nvml import GIBIBYTE, FakeCard, FakeNvml

ME = os.getpid()


class Looks:
    """Lets a test change the cards between two looks; the frame ends after the last change."""

    def __init__(self, *changes: Callable[[], None]) -> None:
        self._changes = list(changes)
        self.done = asyncio.Event()

    async def sleep(self, _seconds: float) -> None:
        if not self._changes:
            self.done.set()
            await asyncio.Event().wait()
        self._changes.pop(0)()

    async def frame(self) -> str:
        await self.done.wait()
        return "rendered"


def taking(card: FakeCard, gibibytes: int, *, told: bool = True) -> Callable[[], None]:
    """Return what has Blender take so much of a card."""

    def change() -> None:
        card.used = (gibibytes + 1) * GIBIBYTE
        card.processes = {ME: gibibytes * GIBIBYTE if told else None, 1: GIBIBYTE}

    return change


async def peak(looks: Looks, *fakes: FakeCard, shared: bool = False) -> int | None:
    """Return the peak in GiB."""
    gpus = Gpus(FakeNvml(*fakes).load)
    memory = CardMemory(gpus, gpus.cards, shared=shared, sleep=looks.sleep)
    await memory.note_others()
    result, taken = await memory.peak_of(ME, looks.frame())
    assert result == "rendered"
    return None if taken is None else taken // GIBIBYTE


async def test_the_most_that_the_process_had_while_it_rendered() -> None:
    card = FakeCard()
    assert await peak(Looks(taking(card, 2), taking(card, 7), taking(card, 3)), card) == 7


async def test_fullest_of_several_cards_counts() -> None:
    first, second = FakeCard(bus=1), FakeCard(bus=2)
    assert await peak(Looks(taking(first, 2), taking(second, 5)), first, second) == 5


async def test_driver_that_does_not_tell_of_processes() -> None:
    card = FakeCard(used=GIBIBYTE)
    assert await peak(Looks(taking(card, 6, told=False), taking(card, 4, told=False)), card) == 6
    shared = FakeCard()
    assert await peak(Looks(taking(shared, 6, told=False)), shared, shared=True) is None


async def test_card_that_is_lost_meanwhile_costs_only_the_measurement() -> None:
    card = FakeCard()

    def lose() -> None:
        card.lost = True

    assert await peak(Looks(taking(card, 3), lose), card) == 3


async def test_processors_are_not_asked() -> None:
    memory = CardMemory(Gpus(FakeNvml().load), ())
    assert await memory.peak_of(ME, asyncio.sleep(0, "rendered")) == ("rendered", None)


async def test_frame_that_fails_ends_the_watching() -> None:
    gpus = Gpus(FakeNvml(FakeCard()).load)

    async def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the test's own
        await CardMemory(gpus, gpus.cards).peak_of(ME, fail())
    assert asyncio.all_tasks() == {asyncio.current_task()}
