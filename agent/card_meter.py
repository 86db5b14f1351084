"""What a frame takes of its slot's graphics cards: memory at most, and energy."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import NamedTuple, TypeVar

import psutil

from agent.gpus import Card, Gpus

T = TypeVar("T")

#: Seconds between two looks.  What Cycles keeps on a card it keeps while it samples.
LOOK_SECONDS = 0.25


class CardUse(NamedTuple):
    """What a frame took; ``None`` where there are no cards, or they do not tell."""

    peak_bytes: int | None = None
    """Memory that its Blender had at most, on the fullest of the cards: a scene must fit on each."""
    joules: float | None = None
    """What the cards took from beginning to end, all of them together."""


class CardMeter:
    """Of one slot."""

    def __init__(
        self,
        gpus: Gpus,
        cards: Sequence[Card],
        *,
        sharers: int = 1,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Watch the cards of a slot.

        Args:
            gpus: who is asked.
            cards: none: nothing is measured.
            sharers: how many slots render on them, this one included.
            sleep: waits for so many seconds.
            clock: seconds that only rise.
        """
        self._gpus = gpus
        self._cards = cards
        self._sharers = sharers
        self._sleep = sleep
        self._clock = clock
        self._before: dict[int, int] = {}
        """What others had of each card before Blender was started, by the card's number."""

    async def note_others(self) -> None:
        """Note what is taken of the cards while the slot has no Blender."""
        used = {card.index: await asyncio.to_thread(self._gpus.memory_used, card) for card in self._cards}
        self._before = {index: taken for index, taken in used.items() if taken is not None}

    async def measure(self, pid: int, rendering: Awaitable[T]) -> tuple[T, CardUse]:
        """Wait for a frame; return what came of it, and what it took of the cards.

        The drivers tell which process has how much memory, but not within a container, nor under Windows' display
        driver.  Then it is what was taken since before Blender was started; on cards that are shared there is no
        telling.  Energy is told of whole cards: slots that share some are charged alike.

        Args:
            pid: the process that was started for Blender; its children count too.
            rendering: ends when the frame is done.
        """
        if not self._cards:
            return await rendering, CardUse()
        seen: list[int] = []
        energy = [_Energy(self._gpus, card, self._clock) for card in self._cards]
        watching = asyncio.ensure_future(self._watch(pid, seen, energy))
        try:
            result = await rendering
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
        taken = [await asyncio.to_thread(meter.joules) for meter in energy]
        told = [joules for joules in taken if joules is not None]
        # Without one of them the rest would pass for all.
        joules = sum(told) / self._sharers if len(told) == len(taken) else None
        return result, CardUse(max(seen, default=None), joules)

    async def _watch(self, pid: int, seen: list[int], energy: Sequence["_Energy"]) -> None:
        while True:
            seen += await asyncio.to_thread(self._look, pid, energy)
            await self._sleep(LOOK_SECONDS)

    def _look(self, pid: int, energy: Sequence["_Energy"]) -> list[int]:
        for meter in energy:
            meter.look()
        mine = _family(pid)
        return [taken for card in self._cards if (taken := self._taken(card, mine)) is not None]

    def _taken(self, card: Card, mine: set[int]) -> int | None:
        by_process = self._gpus.memory_by_process(card)
        told = [memory for pid, memory in by_process.items() if pid in mine and memory is not None]
        if told:
            return sum(told)
        used = self._gpus.memory_used(card)
        if self._sharers > 1 or used is None or card.index not in self._before:
            return None
        return max(used - self._before[card.index], 0)


class _Energy:
    """What a card takes, from the first look on: by its own count, or by its power at each look where it has none."""

    def __init__(self, gpus: Gpus, card: Card, clock: Callable[[], float]) -> None:
        self._gpus = gpus
        self._card = card
        self._clock = clock
        # The last look may still be under way when the frame is done.
        self._lock = threading.Lock()
        self._looked = False
        self._first: float | None = None
        """Its count at the first look (joules)."""
        self._last: tuple[float, float] | None = None
        """When its power was looked at last, and what it was (watts)."""
        self._sum = 0.0

    def look(self) -> None:
        """Take note of what the card tells just now."""
        with self._lock:
            self._look()

    def joules(self) -> float | None:
        """Return what it took until now; None if it does not tell."""
        with self._lock:
            if not self._looked:
                return None  # over before the first look
            if self._first is None:
                self._look()
                return None if self._last is None else self._sum
            counted = self._gpus.joules(self._card)
            # A driver that was started anew counts from 0.
            return counted - self._first if counted is not None and counted >= self._first else None

    def _look(self) -> None:
        if not self._looked:
            self._looked = True
            self._first = self._gpus.joules(self._card)
        if self._first is not None:
            return
        now, watts = self._clock(), self._gpus.watts(self._card)
        if watts is None:
            return
        if self._last is not None:
            then, before = self._last
            self._sum += (before + watts) / 2 * (now - then)
        self._last = now, watts


def _family(pid: int) -> set[int]:
    """Return a process and all that it has started, directly or not."""
    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.Error:
        return {pid}  # it has just ended
