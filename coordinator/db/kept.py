"""Rows that a connection need not read again, because no other connection can have changed them.

SQLite has one writer, and a farm one coordinator on its file: what that has read or written stays as it is until it
changes it itself.  A lease reads its agent and its job, some sixty columns, to change a few: that is a good part of
what it costs.  Where several connections write, as on PostgreSQL, nothing is kept.
"""

from typing import TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.pool import ConnectionPoolEntry

from coordinator.domain.model import Agent, Job

R = TypeVar("R", Job, Agent)

#: More rows than this are only those of jobs and agents that are no longer at work.
MOST = 10_000


class Kept:
    """The kept rows of one connection."""

    def __init__(self) -> None:
        """Begin with none."""
        self._rows: dict[tuple[type, int], Job | Agent] = {}
        self._new: set[tuple[type, int]] = set()
        """Those that were read or written since the last :meth:`confirm`."""
        self._version: int | None = None

    def find(self, kind: type[R], row_id: int) -> R | None:
        """Return a row, None if it is to be read."""
        return cast("R | None", self._rows.get((kind, row_id)))

    def put(self, row: Job | Agent) -> None:
        """Keep a row as it was just read or written."""
        if len(self._rows) >= MOST:
            self.forget_all()
        key = (type(row), row.id)
        self._rows[key] = row
        self._new.add(key)

    def confirm(self) -> None:
        """What was read and written until now will not be taken back alone."""
        self._new.clear()

    def take_back(self) -> None:
        """Forget what was read and written since the last :meth:`confirm`."""
        for key in self._new:
            self._rows.pop(key, None)
        self._new.clear()

    def forget_all(self) -> None:
        """Forget every row: it may have been changed."""
        self._rows.clear()
        self._new.clear()

    def begin(self, version: int) -> None:
        """Forget every row if the file is at another ``version`` than before: another process has written to it."""
        if version != self._version:
            self.forget_all()
            self._version = version


def set_kept(entry: ConnectionPoolEntry, kept: Kept) -> None:
    """Keep rows of a connection that is being opened."""
    entry.info["kept"] = kept


def kept_of(conn: Connection) -> Kept | None:
    """Return the rows that are kept of a connection; None where they are not."""
    return cast("Kept | None", conn.info.get("kept"))


def find(conn: Connection, kind: type[R], row_id: int) -> R | None:
    """Return a row if it is kept."""
    kept = kept_of(conn)
    return None if kept is None else kept.find(kind, row_id)


def keep(conn: Connection, row: R | None) -> R | None:
    """Keep a row that was just read or written, if there is one and rows are kept; return it."""
    kept = kept_of(conn)
    if kept is not None and row is not None:
        kept.put(row)
    return row
