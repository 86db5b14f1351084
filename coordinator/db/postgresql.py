"""PostgreSQL: a small pool of threads and connections; transactions that lost a race are run again."""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

import psycopg
from sqlalchemy import create_engine, make_url, text

from coordinator.db.engine import Clock, Database, DatabaseClosed, DatabaseFull, Transaction
from coordinator.db.migrate import upgrade
from coordinator.db.statement import driver_error

P = ParamSpec("P")
R = TypeVar("R")

WRITERS = 8
READERS = 4
#: How often a transaction is run before its failure is believed.
ATTEMPTS = 6
#: serialization_failure, deadlock_detected and unique_violation: another transaction was faster.  Run again, this one
#: sees what the other has done, such as the agent that has just taken the same name.
_RETRIED = {"40001", "40P01", "23505"}
_DISK_FULL = "53100"
#: Any number that nobody else uses: coordinators that start at once migrate one after the other.
_MIGRATION_LOCK = 0x52464D47


class PostgresDatabase(Database):
    """A database on a PostgreSQL server.

    Writers run at READ COMMITTED and lock what they decide on, the agent before the job and the job before its chunks
    and leases; readers see one snapshot.
    """

    kind = "postgresql"

    def __init__(self, url: str, clock: Clock) -> None:
        """Open ``postgresql://USER:PASSWORD@HOST/NAME``; connects at first use."""
        super().__init__(clock)
        self._engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=WRITERS + READERS,
            max_overflow=0,
            # A server that was restarted must cost no request.
            pool_pre_ping=True,
            paramstyle="format",
        )
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="postgresql-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="postgresql-reader")
        self._closed = False

    async def write(
        self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``function(tx, …)``, again if it lost a race; see :meth:`Database.write`."""
        if self._closed:
            raise DatabaseClosed

        def once() -> R:
            with self._engine.begin() as conn:
                tx = Transaction(conn, self._clock(), self.board)
                result = function(tx, *args, **kwargs)
                tx.flush()
            self._publish(tx.notices)
            return result

        try:
            return await asyncio.get_running_loop().run_in_executor(self._writers, _retried, once)
        except Exception as error:
            if _sqlstate(error) == _DISK_FULL:
                raise DatabaseFull from error
            raise

    async def read(self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``function(tx, …)`` over a snapshot; see :meth:`Database.read`."""
        if self._closed:
            raise DatabaseClosed

        def run() -> R:
            with self._snapshots.begin() as conn:
                return function(Transaction(conn, self._clock(), self.board), *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def migrate(self) -> None:
        """Bring the schema up to date; see :meth:`Database.migrate`."""
        with self._engine.begin() as conn:
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            upgrade(conn)

    async def close(self) -> None:
        """Finish what was begun; see :meth:`Database.close`."""
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writers.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


def _retried(once: Callable[[], R]) -> R:
    """Run ``once`` until it does not lose a race."""
    for attempt in range(1, ATTEMPTS):
        try:
            return once()
        except Exception as error:
            if _sqlstate(error) not in _RETRIED:
                raise
            # The two that met must not meet again at the same moment.
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - no secret
    return once()


def _sqlstate(error: Exception) -> str | None:
    """Return PostgreSQL's code of what went wrong, None if something else did."""
    original = driver_error(error)
    return original.sqlstate if isinstance(original, psycopg.Error) else None
