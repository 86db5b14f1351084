"""What a frame takes of its slot's cards."""

import asyncio
import itertools
import os
from collections.abc import Callable

import pytest

from agent.card_meter import CardMeter, CardUse
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


async def use(looks: Looks, *fakes: FakeCard, sharers: int = 1) -> CardUse:
    """Return what a frame takes; between two looks a second passes."""
    gpus, seconds = Gpus(FakeNvml(*fakes).load), itertools.count()
    meter = CardMeter(gpus, gpus.cards, sharers=sharers, sleep=looks.sleep, clock=lambda: float(next(seconds)))
    await meter.note_others()
    result, taken = await meter.measure(ME, looks.frame())
    assert result == "rendered"
    return taken


async def peak(looks: Looks, *fakes: FakeCard, sharers: int = 1) -> int | None:
    """Return the peak in GiB."""
    taken = (await use(looks, *fakes, sharers=sharers)).peak_bytes
    return None if taken is None else taken // GIBIBYTE


def counting(card: FakeCard, joules: int) -> Callable[[], None]:
    """Return what has a card take so much energy, by its own count."""

    def change() -> None:
        assert card.millijoules is not None
        card.millijoules += joules * 1000

    return change


def drawing(card: FakeCard, watts: int | None) -> Callable[[], None]:
    """Return what has a card draw so much from now on."""

    def change() -> None:
        card.milliwatts = None if watts is None else watts * 1000

    return change


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
    assert await peak(Looks(taking(shared, 6, told=False)), shared, sharers=2) is None


async def test_card_that_is_lost_meanwhile_costs_only_the_measurement() -> None:
    card = FakeCard()

    def lose() -> None:
        card.lost = True

    assert await peak(Looks(taking(card, 3), lose), card) == 3


async def test_processors_are_not_asked() -> None:
    meter = CardMeter(Gpus(FakeNvml().load), ())
    assert await meter.measure(ME, asyncio.sleep(0, "rendered")) == ("rendered", CardUse(None, None))


async def test_energy_is_what_the_cards_have_counted_together() -> None:
    first, second = FakeCard(bus=1), FakeCard(bus=2)
    assert (await use(Looks(counting(first, 300), counting(second, 50)), first, second)).joules == 350.0
    # Who shares a card cannot tell whose work it did.
    shared = FakeCard()
    assert (await use(Looks(counting(shared, 300)), shared, sharers=2)).joules == 150.0


async def test_energy_of_a_card_that_does_not_count_is_its_power_over_time() -> None:
    card = FakeCard(millijoules=None, milliwatts=100_000)
    looks = Looks(drawing(card, 300), drawing(card, None), drawing(card, 200))
    # Looked at by the clock: 100 W at 0 s, 300 at 1, nothing told at 2, 200 at 3, and at the end.
    assert (await use(looks, card)).joules == 200 + 2 * 250 + 200


async def test_energy_that_is_not_known_is_not_told() -> None:
    silent = FakeCard(millijoules=None, milliwatts=None)
    assert (await use(Looks(), silent)).joules is None
    told = FakeCard(bus=2)
    assert (await use(Looks(counting(told, 9)), told, silent)).joules is None  # of one card of two
    anew = FakeCard()

    def reload() -> None:
        anew.millijoules = 7

    assert (await use(Looks(reload), anew)).joules is None


async def test_frame_that_fails_ends_the_watching() -> None:
    gpus = Gpus(FakeNvml(FakeCard()).load)

    async def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the test's own
        await CardMeter(gpus, gpus.cards).measure(ME, fail())
    assert asyncio.all_tasks() == {asyncio.current_task()}
