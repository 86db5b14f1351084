"""SQLite: one writer thread that groups transactions, and readers beside it.

SQLite has one writer at a time.  Many threads that fight for that place lose most of their time; one thread that
commits whatever waits in one go is several times as fast as one commit each.  A unit of a group that fails has nearly
always written nothing; if it has, the group is taken back and done once more with savepoints between the units, and
only that unit's changes are missing.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from coordinator.db import board
from coordinator.db.bulk import Bulk
from coordinator.db.driver import Driver, Rows, check_written, driver_of, set_driver
from coordinator.db.engine import Clock, Database, DatabaseClosed, DatabaseFull, Transaction, settle, write_gathered
from coordinator.db.kept import Kept, forget_what_is_changed, set_kept
from coordinator.db.migrate import upgrade
from coordinator.db.statement import driver_error
from coordinator.db.units import Unit, Writers

P = ParamSpec("P")
R = TypeVar("R")

#: Units of work committed together at most; bounds how long the first of them waits: some 40 ms.
GROUP = 128
READERS = 4
#: What each connection remembers of the file, in KiB: a farm's live rows and the upper pages of its indexes.
CACHE_KIBIBYTES = 32 * 1024
#: How long to wait for another process (``renderfarm token create``) that writes.
BUSY_SECONDS = 15.0


class SqliteDriver(Driver):
    """Runs each statement when it is told to: that is a call, and no round trip."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take the connection."""
        self._connection = connection

    def rows(self, text: str, values: Sequence[Any]) -> tuple[Rows, Sequence[None]]:
        """Run a statement; see :meth:`Driver.rows`."""
        rows = self._execute(text, values).fetchall()
        return rows, [None] * len(rows[0]) if rows else ()

    def count(self, text: str, values: Sequence[Any]) -> int:
        """Run a statement; see :meth:`Driver.count`."""
        return self._execute(text, values).rowcount

    def must(
        self,
        text: str,
        values: Sequence[Any],
        bulk: Bulk | None = None,  # noqa: ARG002 - to SQLite one statement is as good as another
        job_id: int | None = None,  # noqa: ARG002 - needed for that only
    ) -> None:
        """Write one row; see :meth:`Driver.must`."""
        check_written(text, self._execute(text, values).rowcount)

    def many(
        self,
        text: str,
        rows: Iterable[Sequence[Any]],
        bulk: Bulk | None = None,  # noqa: ARG002 - to SQLite one statement is as good as another
        job_ids: Iterable[int | None] = (),  # noqa: ARG002 - needed for that only
    ) -> None:
        """Run a statement for each of the rows; see :meth:`Driver.many`."""
        try:
            self._connection.executemany(text, rows)
        except sqlite3.Error as error:
            error.add_note(text)
            raise

    @property
    def changes(self) -> int:
        """How many rows were written since the connection was opened."""
        return self._connection.total_changes

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open: some errors have SQLite take it back by itself."""
        return self._connection.in_transaction

    def run(self, text: str) -> None:
        """Run a statement without values."""
        self._execute(text, ())

    def _execute(self, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(text, values)
        except sqlite3.Error as error:
            error.add_note(text)
            raise


class SqliteDatabase(Database):
    """A database in one file."""

    kind = "sqlite"

    def __init__(self, url: str, clock: Clock) -> None:
        """Open ``sqlite:///PATH``; its folder must exist.

        Raises:
            ValueError: the URL names no file.
        """
        super().__init__(clock)
        path = make_url(url).database
        if not path or path == ":memory:" or path.startswith("file:"):
            raise ValueError(f"the database URL {url!r} names no file; write sqlite:///PATH")
        self._url = url
        self._kept = Kept(lasting=True)
        self._writing = _engine(url, writes=True, kept=self._kept)
        self._reading = _engine(url, writes=False)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._closed = False
        self._writer = Writers(self._write_group, name="sqlite-writer", threads=1, group=GROUP)

    async def write(
        self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``function(tx, …)`` in the writer thread; see :meth:`Database.write`."""
        return await self._writer.run(function, *args, **kwargs)

    async def read(self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``function(tx, …)`` over a snapshot; see :meth:`Database.read`."""
        if self._closed:
            raise DatabaseClosed

        def run() -> R:
            with self._reading.begin() as conn:
                return function(Transaction(conn, self._clock(), self.board), *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def migrate(self) -> None:
        """Bring the schema up to date; see :meth:`Database.migrate`."""
        # A table that others refer to is built anew under its name, which SQLite lets happen only while it does not
        # watch references; and that can't be changed within a transaction.
        engine = _engine(self._url, writes=True, references=False)
        try:
            # BEGIN IMMEDIATE lets one coordinator in; the next one finds the work done.
            with engine.begin() as conn:
                upgrade(conn)
        finally:
            engine.dispose()

    async def close(self) -> None:
        """Finish what was begun; see :meth:`Database.close`."""
        self._closed = True
        if self._writer.close():
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.join()
        self._readers.shutdown()
        self._writing.dispose()
        self._reading.dispose()

    def _write_group(self, units: list[Unit]) -> None:
        """Commit units together; what one raises goes to its own caller, what the commit raises to all of them."""
        try:
            self._publish(self._commit(units, savepoints=False))
        except _HalfWritten:
            self._publish(self._commit(units, savepoints=True))

    def _commit(self, units: Sequence[Unit], *, savepoints: bool) -> list[Transaction]:
        """Commit units together, and return the transactions of those that raised nothing.

        Without ``savepoints``, which cost a unit as much as half of what it writes, one can be taken back alone only if
        it has written nothing.

        Raises:
            _HalfWritten: one has; nothing is committed.
        """
        done: list[Transaction] = []
        try:
            with self._writing.begin() as conn:
                ((version,),), _ = driver_of(conn).rows("PRAGMA data_version", ())
                self._kept.begin(version)
                if not self.board.loaded:
                    board.load(conn, self.board)
                for unit in units:
                    unit.error = None
                    self._write_unit(conn, unit, done, savepoint=savepoints)
                self._write_gathered(done)
                settle(done)
        except Exception as error:
            # The disk is full, say: no unit of the group is in the file.
            self.board.invalidate()
            self._kept.forget_all()
            if _is_full(error):
                raise DatabaseFull from error
            raise
        return done

    def _write_gathered(self, done: Sequence[Transaction]) -> None:
        """Write what units have gathered; with savepoints, each has written its own."""
        try:
            write_gathered(done)
        except Exception as error:
            if _is_full(error):
                raise
            raise _HalfWritten from error

    def _write_unit(self, conn: Connection, unit: Unit, done: list[Transaction], *, savepoint: bool) -> None:
        """Run one unit of a group."""
        tx = Transaction(conn, self._clock(), self.board)
        driver = cast("SqliteDriver", driver_of(conn))
        before = driver.changes
        if savepoint:
            driver.run("SAVEPOINT unit")
        try:
            unit.result = unit.run(tx)
            if savepoint:
                tx.flush()
        except Exception as error:
            if _is_full(error) or not driver.in_transaction:
                # SQLite may have taken back the whole group, savepoints and all.
                raise
            if savepoint:
                driver.run("ROLLBACK TO unit")
                driver.run("RELEASE unit")
            elif driver.changes != before:
                raise _HalfWritten from error
            self._kept.take_back()
            unit.error = error
        else:
            if savepoint:
                driver.run("RELEASE unit")
            self._kept.confirm()
            tx.show()
            done.append(tx)


class _HalfWritten(Exception):
    """A unit of a group failed after it had written something, with nothing to go back to but the group's begin."""


def _is_full(error: Exception) -> bool:
    original = driver_error(error)
    return isinstance(original, sqlite3.Error) and original.sqlite_errorname == "SQLITE_FULL"


def _engine(url: str, *, writes: bool, references: bool = True, kept: Kept | None = None) -> Engine:
    """Return an engine whose connections are set up for writing or for reading, and watch ``references`` or not.

    The one connection of an engine that is given ``kept`` keeps its rows there.
    """
    engine = create_engine(
        make_url(url).set(drivername="sqlite+pysqlite"),
        poolclass=QueuePool,
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS, "cached_statements": 512},
        pool_size=1 if writes else READERS,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        set_driver(entry, SqliteDriver(connection))
        if kept is not None:
            kept.forget_all()
            set_kept(entry, kept)
        # Transactions are begun by us, below, and not by the driver's guess at the first INSERT.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        # Power loss may take back the last commits, never tear one: an agent's frame is then rendered again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if references else 'OFF'}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        if not writes:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        # A deferred writer that finds its snapshot stale can only fail; taking the place at once can wait for it.
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    if kept is not None:

        @event.listens_for(engine, "before_cursor_execute")
        def forget(conn: Connection, _cursor: object, statement: str, *_: object) -> None:
            forget_what_is_changed(conn, statement)

    return engine
