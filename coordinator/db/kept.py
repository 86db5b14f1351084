"""Rows that a connection need not read again, because no other connection can have changed them.

A lease reads its agent and its job, some sixty columns, to change a few: that is a good part of what it costs.  How
long rows are kept depends on the database:

- SQLite has one writer, and a farm one coordinator on its file: what that has read or written stays as it is until it
  changes it itself.
- On PostgreSQL it is what a transaction has locked that stays as it is, until the end of that transaction.  Several
  units of work are done in one, and what many of them will need is read ahead in one round trip (:meth:`Shelf.ask`).
"""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.pool import ConnectionPoolEntry

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: More rows than this are only those of jobs, agents and leases that are no longer at work.
MOST = 10_000

_Key = tuple["Shelf[Any, Any]", Hashable]


class Kept:
    """What is kept of one connection."""

    def __init__(self, *, lasting: bool) -> None:
        """Begin with nothing; what is kept is lasting, or for a transaction each time."""
        self.lasting = lasting
        self.values: dict[_Key, Any] = {}
        self.asked: dict[_Key, Callable[[], Any]] = {}
        """What is being read; whoever needs it first waits for that."""
        self._new: set[_Key] = set()
        """What was read or written since the last :meth:`confirm`."""
        self._version: int | None = None

    def put(self, key: _Key, value: object) -> None:
        """Keep what was just read or written."""
        if len(self.values) >= MOST:
            self.forget_all()
        self.values[key] = value
        self._new.add(key)

    def confirm(self) -> None:
        """What was read and written until now will not be taken back alone."""
        self._new.clear()

    def take_back(self) -> None:
        """Forget what was read and written since the last :meth:`confirm`."""
        for key in self._new:
            self.values.pop(key, None)
        self._new.clear()

    def forget_all(self) -> None:
        """Forget everything: it may have been changed."""
        self.values.clear()
        self.asked.clear()
        self._new.clear()

    def begin(self, version: int) -> None:
        """Forget everything if the file is at another ``version`` than before: another process has written to it."""
        if version != self._version:
            self.forget_all()
            self._version = version


class Shelf(Generic[K, V]):
    """Where rows of one kind are kept, of every connection that keeps some; of one that does not they are read."""

    def get(self, conn: Connection, key: K, read: Callable[[], V]) -> V:
        """Return what is kept; else what ``read`` returns, which is kept."""
        kept = kept_of(conn)
        if kept is None:
            return read()
        full = (self, key)
        try:
            value: V = kept.values[full]
        except KeyError:
            answer = kept.asked.pop(full, None)
            value = read() if answer is None else answer()
            kept.put(full, value)
        return value

    def peek(self, conn: Connection, key: K) -> V | None:
        """Return what is kept, None if nothing is."""
        kept = kept_of(conn)
        if kept is None:
            return None
        full = (self, key)
        if full in kept.asked:
            kept.put(full, kept.asked.pop(full)())
        found: V | None = kept.values.get(full)
        return found

    def ask(self, conn: Connection, key: K, ask: Callable[[], Callable[[], V]]) -> None:
        """Read ahead: what ``ask`` returns tells the value once it is needed; nothing is done if that is kept."""
        kept = kept_of(conn)
        full = (self, key)
        if kept is not None and full not in kept.values and full not in kept.asked:
            kept.asked[full] = ask()

    def put(self, conn: Connection, key: K, value: V) -> None:
        """Keep what was just read or written."""
        kept = kept_of(conn)
        if kept is not None:
            full = (self, key)
            kept.asked.pop(full, None)
            kept.put(full, value)

    def change(self, conn: Connection, key: K, change: Callable[[V], V]) -> None:
        """Keep what ``change`` makes of what is kept, if anything is."""
        kept = kept_of(conn)
        if kept is not None:
            full = (self, key)
            if full in kept.asked:
                # It is read as it was before.
                kept.put(full, kept.asked.pop(full)())
            if full in kept.values:
                kept.put(full, change(kept.values[full]))

    def forget(self, conn: Connection, key: K) -> None:
        """Have it read again."""
        kept = kept_of(conn)
        if kept is not None:
            kept.values.pop((self, key), None)
            kept.asked.pop((self, key), None)


def set_kept(entry: ConnectionPoolEntry, kept: Kept) -> None:
    """Keep rows of a connection that is being opened."""
    entry.info["kept"] = kept


def kept_of(conn: Connection) -> Kept | None:
    """Return what is kept of a connection; None where nothing is."""
    kept: Kept | None = conn.info.get("kept")
    return kept


def is_lasting(conn: Connection) -> bool:
    """Tell whether what is kept of a connection is so beyond a transaction."""
    kept = kept_of(conn)
    return kept is not None and kept.lasting


def forget_everything(conn: Connection) -> None:
    """Forget everything that is kept of a connection, for whatever may have been changed."""
    kept = kept_of(conn)
    if kept is not None:
        kept.forget_all()


def forget_what_is_changed(conn: Connection, statement: str) -> None:
    """Forget everything, unless a statement of SQLAlchemy's own only reads: which rows it changes is not known."""
    if not statement.lstrip().startswith(("SELECT", "BEGIN", "PRAGMA")):
        forget_everything(conn)
