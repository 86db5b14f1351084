"""Queries on blobs that are in the store."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from coordinator.db.schema import blobs


def record(conn: Connection, sha256: str, size: int, stored_at: datetime) -> None:
    """Record a blob; one that is known stays as it is."""
    # Both dialects have ON CONFLICT; SQLAlchemy has it in each of them only.
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    conn.execute(insert(blobs).values(sha256=sha256, size=size, stored_at=stored_at).on_conflict_do_nothing())


def size(conn: Connection, sha256: str) -> int | None:
    """Return the length of a blob, None if it is not there."""
    return conn.execute(select(blobs.c.size).where(blobs.c.sha256 == sha256)).scalar_one_or_none()


def sizes(conn: Connection, digests: Iterable[str]) -> dict[str, int]:
    """Return the lengths of those of a few blobs that are there."""
    rows = conn.execute(select(blobs.c.sha256, blobs.c.size).where(blobs.c.sha256.in_(list(digests))))
    return {row[0]: row[1] for row in rows}
