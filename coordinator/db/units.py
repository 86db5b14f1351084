"""Units of work that wait to be written, and the threads that write them in groups.

To commit costs much the same for one unit as for many; and the busier a farm is, the more of them wait.
"""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Concatenate, ParamSpec, TypeVar

from coordinator.db.engine import DatabaseClosed, Transaction, call_soon

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(eq=False, slots=True)
class Unit:
    """A call to run in a transaction, who waits for its result, and what came of it."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None

    def run(self, tx: Transaction) -> Any:
        """Call the function."""
        return self.function(tx, *self.arguments, **self.keywords)

    def settle(self) -> None:
        """Tell who waits, on their event loop."""
        if self.future.done():
            # They wait no more.
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writers:
    """Threads, each of which takes what waits and has it written."""

    def __init__(
        self,
        write: Callable[[list[Unit]], None],
        *,
        name: str,
        threads: int,
        group: int,
        lane: Callable[[Unit], Hashable | None] = lambda _: None,
    ) -> None:
        """``write`` gives each unit of a group its result or its error; what it raises is the error of them all.

        Of ``group`` units it has at most.  Units of one ``lane`` make its groups, and one thread at a time is at work
        for a lane: others would wait for what it has locked.  Those without one are written by any thread that is free.
        """
        self._write = write
        self._group = group
        self._lane = lane
        self._waiting: dict[Hashable | None, deque[Unit]] = defaultdict(deque)
        self._turns: deque[Hashable | None] = deque()
        """The lanes with units that wait and no thread at work, in their order."""
        self._at_work: set[Hashable] = set()
        self._changed = threading.Condition(threading.Lock())
        self._closed = False
        self._threads = [
            threading.Thread(target=self._write_until_closed, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Have ``function(tx, …)`` run in a transaction; return what it returned, once that is committed.

        Raises:
            DatabaseClosed: the threads were told to end.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        unit = Unit(function, args, kwargs, loop, future)
        lane = self._lane(unit)
        with self._changed:
            if self._closed:
                raise DatabaseClosed
            waiting = self._waiting[lane]
            waiting.append(unit)
            if len(waiting) == 1 and lane not in self._at_work:
                self._turn(lane)
        return await future

    def close(self) -> bool:
        """Have the threads end when everything is written; False if they were told before."""
        with self._changed:
            if self._closed:
                return False
            self._closed = True
            self._changed.notify_all()
        return True

    def join(self) -> None:
        """Wait for their end."""
        for thread in self._threads:
            thread.join()

    def _write_until_closed(self) -> None:
        while True:
            with self._changed:
                # What a lane has that is at work is left to the thread that is.
                self._changed.wait_for(lambda: self._turns or self._closed)
                if not self._turns:
                    return
                lane = self._turns.popleft()
                waiting = self._waiting[lane]
                units = [waiting.popleft() for _ in range(min(len(waiting), self._group))]
                if lane is not None:
                    self._at_work.add(lane)
                elif waiting:
                    self._turn(lane)
            self._write_group(units)
            if lane is not None:
                with self._changed:
                    self._at_work.remove(lane)
                    if waiting:
                        self._turn(lane)

    def _turn(self, lane: Hashable | None) -> None:
        """Have a thread see to a lane."""
        self._turns.append(lane)
        self._changed.notify()

    def _write_group(self, units: list[Unit]) -> None:
        # Of those that no one waits for any more, none is begun.
        units = [unit for unit in units if not unit.future.cancelled()]
        if not units:
            return
        try:
            self._write(units)
        except Exception as error:  # noqa: BLE001 - whoever waits shall hear of it
            for unit in units:
                unit.error = error
        for loop, settled in groupby(units, key=lambda unit: unit.loop):
            call_soon(loop, _settle, list(settled))


def _settle(units: Sequence[Unit]) -> None:
    for unit in units:
        unit.settle()
