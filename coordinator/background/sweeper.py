"""Remove what is of no more use: files nobody needs, the rows that told of them, sessions that have ended.

Everything is done in small steps, and after each the sweeper rests as long as the step took: who waits for the database
waits for a step at most, and the sweeper has no more than half of it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from coordinator.db.engine import Database, Transaction
from coordinator.domain.lifetime import Lifetime
from coordinator.services import accounts, connecting, inspections, retention, sweeping
from coordinator.store import BlobStore

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

#: What broken uploads left, and files of which nothing is known, are removed when they are so old.
_UNFINISHED_SECONDS = 24 * 3600.0
#: The store's folders by the first byte of a name.
_PARTS = 256
#: How many of them are compared with the database each hour: all of them within a day.
_PARTS_AT_ONCE = 11
_HOUR = 3600.0
_LONGEST_REST = 1.0


class Sweeper:
    """Keeps the store, the tables and the list of tokens free of what is of no more use."""

    def __init__(self, database: Database, store: BlobStore, lifetime: Lifetime) -> None:
        """Sweep these."""
        self.interval_seconds = _HOUR
        self._database = database
        self._store = store
        self._lifetime = lifetime
        self._everything_at = 0.0
        self._part = 0

    async def run_once(self) -> int:
        """Do all there is to do now, and return how many blobs were removed.

        Once an hour everything is looked at; other times, what people and retention have taken from jobs.
        """
        await self._database.write(accounts.forget_expired)
        await self._database.write(inspections.forget_old)
        await self._database.write(connecting.forget_old)
        await self.retire()
        await self.remove_rows()
        if time.monotonic() >= self._everything_at:
            await self.look_at_everything()
            self._everything_at = time.monotonic() + _HOUR
        removed = await self.remove_blobs()
        await self._store.sweep(_UNFINISHED_SECONDS)
        soon = await self._database.read(sweeping.next_removal_seconds, self._lifetime)
        self.interval_seconds = _HOUR if soon is None else min(_HOUR, soon + 1.0)
        return removed

    async def retire(self) -> None:
        """Take their files from jobs that are past their time, or over a quota."""
        while counts := await self._database.read(retention.count_some):
            await self._step(retention.note_counts, counts)
        while due := await self._database.read(retention.due, self._lifetime):
            gone = [await self._step(retention.sweep, job) for job in due]
            log.info("the files of %d jobs are removed, which were old or over a quota", sum(gone))
            if not any(gone):
                break

    async def remove_rows(self) -> None:
        """Remove what is known of files that were taken from jobs."""
        while await self._step(sweeping.remove_rows, self._lifetime):
            pass

    async def look_at_everything(self) -> None:
        """Condemn whatever nothing refers to, also what got there by a crash, or long ago."""
        while packs := await self._database.read(sweeping.idle_packs, self._lifetime):
            for pack_id in packs:
                await self._step(sweeping.drop_pack, pack_id, self._lifetime)
            await self.remove_rows()
        last: str | None = ""
        while last is not None:
            last, useless = await self._database.read(sweeping.page, last, self._lifetime)
            await self._in_slices(useless, sweeping.condemn_unused, self._lifetime)
        for _ in range(_PARTS_AT_ONCE):
            found = await self._store.names(self._part, _UNFINISHED_SECONDS)
            await self._in_slices(await self._database.read(sweeping.unknown, found), sweeping.adopt)
            self._part = (self._part + 1) % _PARTS

    async def remove_blobs(self) -> int:
        """Remove the blobs that were condemned a while ago; return how many were dealt with."""
        removed = 0
        while some := await self._step(sweeping.remove_blobs, self._store.remove, self._lifetime):
            removed += some
        return removed

    async def _in_slices(
        self,
        things: Sequence[R],
        function: Callable[Concatenate[Transaction, Sequence[R], P], object],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        for start in range(0, len(things), sweeping.ROWS):
            await self._step(function, things[start : start + sweeping.ROWS], *args, **kwargs)

    async def _step(self, function: Callable[Concatenate[Transaction, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        began = time.monotonic()
        result = await self._database.write(function, *args, **kwargs)
        await asyncio.sleep(min(time.monotonic() - began, _LONGEST_REST))
        return result
