"""Calls that are written as one group, and what is kept of rows meanwhile."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from coordinator.db import agents, blobs, chunks, jobs, leases, set_asides
from coordinator.db.engine import Database, Transaction, look_ahead_of, looks_ahead
from coordinator.db.kept import Shelf, kept_of
from coordinator.db.postgresql import WRITERS

P = ParamSpec("P")
T = TypeVar("T")

#: How what is kept is read anew, by its shelf.
_READ: dict[Shelf[Any, Any], Callable[[Connection, Any], object]] = {
    agents._LOCKED: agents.get,
    jobs._LOCKED: jobs.get,
    leases._ROWS: lambda conn, lease_id: leases._GET.one_or_none(conn, id=lease_id),
    leases._PLACES: lambda conn, lease_id: leases._PLACE.one_or_none(conn, id=lease_id),
    leases._SEEN: lambda conn, key: leases._LIVE_OF_SLOT.all(conn, agent_id=key[0], slot=key[1]),
    leases._OF_JOBS: lambda conn, key: leases._LIVE_OF_SLOT_AND_JOB.all(
        conn, agent_id=key[0], slot=key[1], job_id=key[2]
    ),
    chunks._FIRST: lambda conn, job_id: chunks._PENDING.one_or_none(conn, job_id=job_id),
    chunks._HELD: lambda conn, lease_id: chunks._OF_LEASE.all(conn, lease_id=lease_id),
    set_asides._SEEN: set_asides.of_agent,
}


def check_kept(tx: Transaction) -> int:
    """Raise AssertionError unless all that is kept is what is in the tables; return how much it is."""
    kept = kept_of(tx.conn)
    assert kept is not None
    tx.flush()
    for (shelf, key), value in list(kept.values.items()):
        if shelf is blobs._SIZES:
            # They do not change within a transaction.
            continue
        true = _READ[shelf](tx.conn, key)
        assert _plain(value) == _plain(true), f"{value} is kept of {key}, and in the tables is {true}"
    return len(kept.values)


@cache
def checked(function: Callable[Concatenate[Transaction, P], T]) -> Callable[Concatenate[Transaction, P], T]:
    """Return a function that joins the groups of another one, and calls it once what is kept there is found true."""

    def check(tx: Transaction, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # With none of its kind beside it, it has a group of its own on PostgreSQL, in which nothing is kept.
        check_kept(tx)
        return function(tx, *args, **kwargs)

    ahead = look_ahead_of(function)
    assert ahead is not None
    return looks_ahead(ahead)(check)


async def in_one_group(database: Database, calls: Sequence[Awaitable[Any]]) -> list[Any]:
    """Return what calls return or raise that wait to be written while every thread that writes is busy."""
    begun, go_on = threading.Semaphore(0), threading.Event()

    def be_busy(_: Transaction) -> None:
        begun.release()
        go_on.wait(20)

    busy = []
    for _ in range(WRITERS if database.kind == "postgresql" else 1):
        busy.append(asyncio.ensure_future(database.write(be_busy)))
        assert await asyncio.to_thread(begun.acquire, timeout=20)
    waiting = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)  # each gets as far as the queue
    go_on.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.gather(*busy)
    return results


def _plain(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else value
