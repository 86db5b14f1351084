"""How much of its graphics cards' memory a slot's Blender takes at most while it renders a frame."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import psutil

from agent.gpus import Card, Gpus

T = TypeVar("T")

#: Seconds between two looks.  What Cycles keeps on a card it keeps while it samples.
LOOK_SECONDS = 0.25


class CardMemory:
    """Of one slot.  A scene must fit on each of the cards, so the fullest counts."""

    def __init__(
        self,
        gpus: Gpus,
        cards: Sequence[Card],
        *,
        shared: bool = False,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Watch the cards of a slot.

        Args:
            gpus: who is asked.
            cards: none: nothing is measured.
            shared: other slots render on them too.
            sleep: waits for so many seconds.
        """
        self._gpus = gpus
        self._cards = cards
        self._shared = shared
        self._sleep = sleep
        self._before: dict[int, int] = {}
        """What others had of each card before Blender was started, by the card's number."""

    async def note_others(self) -> None:
        """Note what is taken of the cards while the slot has no Blender."""
        used = {card.index: await asyncio.to_thread(self._gpus.memory_used, card) for card in self._cards}
        self._before = {index: taken for index, taken in used.items() if taken is not None}

    async def peak_of(self, pid: int, rendering: Awaitable[T]) -> tuple[T, int | None]:
        """Wait for a frame; return what came of it, and the memory (bytes) its Blender took of the fullest card.

        The drivers tell which process has how much, but not within a container, nor under Windows' display driver.
        Then it is what was taken since before Blender was started; on cards that are shared there is no telling.

        Args:
            pid: the process that was started for Blender; its children count too.
            rendering: ends when the frame is done.
        """
        if not self._cards:
            return await rendering, None
        seen: list[int] = []
        watching = asyncio.ensure_future(self._watch(pid, seen))
        try:
            result = await rendering
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
        return result, max(seen, default=None)

    async def _watch(self, pid: int, seen: list[int]) -> None:
        while True:
            seen += await asyncio.to_thread(self._look, pid)
            await self._sleep(LOOK_SECONDS)

    def _look(self, pid: int) -> list[int]:
        mine = _family(pid)
        return [taken for card in self._cards if (taken := self._taken(card, mine)) is not None]

    def _taken(self, card: Card, mine: set[int]) -> int | None:
        by_process = self._gpus.memory_by_process(card)
        told = [memory for pid, memory in by_process.items() if pid in mine and memory is not None]
        if told:
            return sum(told)
        used = self._gpus.memory_used(card)
        if self._shared or used is None or card.index not in self._before:
            return None
        return max(used - self._before[card.index], 0)


def _family(pid: int) -> set[int]:
    """Return a process and all that it has started, directly or not."""
    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.Error:
        return {pid}  # it has just ended
