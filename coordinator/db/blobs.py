"""Queries on blobs that are in the store."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Connection, bindparam, select

from coordinator.db.kept import Shelf, is_lasting
from coordinator.db.schema import blobs
from coordinator.db.schema.base import Digest
from coordinator.db.statement import Command, Query, bound, scalars
from coordinator.db.types import Instant
from coordinator.db.upsert import DIALECTS, insert_into

#: So many blobs are looked up by one statement.
_AT_ONCE = 50


def _record(dialect: str) -> Command:
    insert = insert_into(blobs, dialect)
    columns = ("sha256", "size", "stored_at", "touched_at")
    return Command(
        insert.values(bound(columns)).on_conflict_do_update(
            index_elements=[blobs.c.sha256],
            set_={"touched_at": insert.excluded.touched_at, "condemned_at": None},
            # One that is fresh is only locked.
            where=blobs.c.condemned_at.is_not(None) | (blobs.c.touched_at < bindparam("stale", type_=Instant)),
        )
    )


_RECORD = {dialect: _record(dialect) for dialect in DIALECTS}
_STORED_SIZE = scalars(select(blobs.c.size).where(blobs.c.sha256 == bindparam("sha256")), int)
_SIZE = scalars(select(blobs.c.size).where(blobs.c.sha256 == bindparam("sha256"), blobs.c.condemned_at.is_(None)), int)

_SIZES: Shelf[frozenset[str], list[tuple[str, int]]] = Shelf()

#: A blob that is uploaded again is touched when it was not for so long.
_STALE = timedelta(minutes=10)


def record_many(conn: Connection, stored: Collection[tuple[str, int]], stored_at: datetime) -> None:
    """Record blobs, each with its length, locked until the transaction ends.

    Those that are known keep their length, and are not to be removed any more.
    """
    # In one order everywhere: two transactions that record the same ones must not wait for each other.
    rows = [
        {"sha256": sha256, "size": size, "stored_at": stored_at, "touched_at": stored_at, "stale": stored_at - _STALE}
        for sha256, size in sorted(stored)
    ]
    _RECORD[conn.dialect.name].many(conn, rows)


def size(conn: Connection, sha256: str) -> int | None:
    """Return the length of a blob, None if it is not there or to be removed: it is to be uploaded again then."""
    return _SIZE.one_or_none(conn, sha256=sha256)


def stored_size(conn: Connection, sha256: str) -> int | None:
    """Return the length of a blob that something refers to, None if it is not there."""
    return _STORED_SIZE.one_or_none(conn, sha256=sha256)


def sizes(conn: Connection, digests: Collection[str]) -> dict[str, int]:
    """Return the lengths of those of a few blobs that are there and not to be removed."""
    if not digests:
        return {}
    query, values = _sizes_of(digests)
    # What is in the store is not for ever.
    known = None if is_lasting(conn) else _SIZES.peek(conn, frozenset(digests))
    # And what is not there may just have come.
    if known is None or len(known) < len(set(digests)):
        known = query.all(conn, **values)
    return dict(known)


def ask_for_sizes(conn: Connection, digests: Collection[str]) -> None:
    """Have :func:`sizes` answered with what is read next."""
    query, values = _sizes_of(digests)
    _SIZES.ask(conn, frozenset(digests), lambda: query.ask(conn, **values))


def _sizes_of(digests: Collection[str]) -> tuple[Query[tuple[str, int]], dict[str, object]]:
    return _sizes(len(digests)), {f"sha256_{number}": sha256 for number, sha256 in enumerate(digests)}


def lacking(conn: Connection, digests: Sequence[str]) -> list[str]:
    """Return those of many blobs that are not there, in their order."""
    there: set[str] = set()
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        # Always as many, so that one statement is compiled for all lengths.
        there |= sizes(conn, [*some, *[some[0]] * (_AT_ONCE - len(some))]).keys()
    return [sha256 for sha256 in digests if sha256 not in there]


@cache
def _sizes(count: int) -> Query[tuple[str, int]]:
    """Return the query for so many blobs."""
    wanted = [bindparam(f"sha256_{number}", type_=Digest) for number in range(count)]
    query = select(blobs.c.sha256, blobs.c.size).where(blobs.c.sha256.in_(wanted), blobs.c.condemned_at.is_(None))
    return Query(query, lambda values: (values[0], values[1]))
