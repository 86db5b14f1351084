"""Queries on blobs that are in the store."""

from collections.abc import Collection
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from coordinator.db.kept import Shelf, is_lasting
from coordinator.db.schema import blobs
from coordinator.db.schema.base import Digest
from coordinator.db.statement import Command, Query, bound, scalars

# Both dialects have ON CONFLICT; SQLAlchemy has it in each of them only.
_RECORD = {
    dialect: Command(insert(blobs).values(bound(blobs.c.keys())).on_conflict_do_nothing())
    for dialect, insert in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
}
_SIZE = scalars(select(blobs.c.size).where(blobs.c.sha256 == bindparam("sha256")), int)
_SIZES: Shelf[frozenset[str], list[tuple[str, int]]] = Shelf()


def record(conn: Connection, sha256: str, size: int, stored_at: datetime) -> None:
    """Record a blob; one that is known stays as it is."""
    _RECORD[conn.dialect.name].run(conn, sha256=sha256, size=size, stored_at=stored_at)


def record_many(conn: Connection, stored: Collection[tuple[str, int]], stored_at: datetime) -> None:
    """Record blobs, each with its length; those that are known stay as they are."""
    # In one order everywhere: two transactions that record the same ones must not wait for each other.
    rows = [{"sha256": sha256, "size": size, "stored_at": stored_at} for sha256, size in sorted(stored)]
    _RECORD[conn.dialect.name].many(conn, rows)


def size(conn: Connection, sha256: str) -> int | None:
    """Return the length of a blob, None if it is not there."""
    return _SIZE.one_or_none(conn, sha256=sha256)


def sizes(conn: Connection, digests: Collection[str]) -> dict[str, int]:
    """Return the lengths of those of a few blobs that are there."""
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


@cache
def _sizes(count: int) -> Query[tuple[str, int]]:
    """Return the query for so many blobs."""
    wanted = [bindparam(f"sha256_{number}", type_=Digest) for number in range(count)]
    query = select(blobs.c.sha256, blobs.c.size).where(blobs.c.sha256.in_(wanted))
    return Query(query, lambda values: (values[0], values[1]))
