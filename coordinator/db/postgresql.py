"""PostgreSQL: a small pool of threads and connections; transactions that lost a race are run again.

What was committed survives the end of this process.  When the server itself dies, or the power fails, the last half
second may be taken back, as it may on SQLite: an agent's frame is then rendered again.
"""

import asyncio
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import psycopg
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.pool import ConnectionPoolEntry

from coordinator.db import agents, board, jobs
from coordinator.db.engine import REVOKED, WORK, Clock, Database, DatabaseClosed, DatabaseFull, Notice, Transaction
from coordinator.db.listener import Announcement, Listener, announce
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
_RACES = {"40001", "40P01", "23505"}
_DISK_FULL = "53100"
#: Any number that nobody else uses: coordinators that start at once migrate one after the other.
_MIGRATION_LOCK = 0x52464D47
#: A connection that breaks without a word is noticed within a minute.
_KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
#: After the other coordinators could not be heard, so many of the newest jobs are told to have changed.
_NEWEST_JOBS = 100


@dataclass(eq=False, slots=True)
class _Told:
    """A transaction that was announced.

    Its changes are shown on the board when it is committed, and again when its announcement comes back: of two
    transactions that changed the same job, the first may get to the board last, but announcements come in the order of
    the commits.
    """

    tx: Transaction
    heard: bool = False
    """Its announcement has come back: what it changed may have been changed again."""


class PostgresDatabase(Database):
    """A database on a PostgreSQL server.

    Writers run at READ COMMITTED and lock what they decide on, the agent before the job and the job before its chunks
    and leases; readers see one snapshot.
    """

    kind = "postgresql"

    def __init__(self, url: str, clock: Clock) -> None:
        """Open ``postgresql://USER:PASSWORD@HOST/NAME``; connects at first use."""
        super().__init__(clock)
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(
            parsed.update_query_dict({key: value for key, value in _KEEPALIVES.items() if key not in parsed.query}),
            # One more reads what other coordinators have changed.
            pool_size=WRITERS + READERS + 1,
            max_overflow=0,
            paramstyle="format",
        )
        event.listen(self._engine, "connect", _set_up)
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="postgresql-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="postgresql-reader")
        self._closed = False
        self._name = secrets.token_hex(4)
        self._numbers = count()
        self._listener: Listener | None = None
        self._listening = threading.Lock()
        # Transactions whose announcement has not come back, by number.
        self._unheard: dict[int, _Told] = {}
        self._showing = threading.Lock()

    async def write(
        self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``function(tx, …)``, again if it lost a race; see :meth:`Database.write`."""
        if self._closed:
            raise DatabaseClosed
        run = asyncio.get_running_loop().run_in_executor
        try:
            return await run(self._writers, _retried, self._write, lambda tx: function(tx, *args, **kwargs))
        except Exception as error:
            if _sqlstate(error) == _DISK_FULL:
                raise DatabaseFull from error
            raise

    async def read(self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``function(tx, …)`` over a snapshot; see :meth:`Database.read`."""
        if self._closed:
            raise DatabaseClosed
        run = asyncio.get_running_loop().run_in_executor
        return await run(self._readers, _retried, self._read, lambda tx: function(tx, *args, **kwargs))

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
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._engine.dispose()

    def _write(self, function: Callable[[Transaction], R]) -> R:
        self._be_listening()
        number = next(self._numbers)
        with self._engine.connect() as conn, conn.begin() as transaction:
            tx = Transaction(conn, self._clock(), self.board)
            result = function(tx)
            tx.flush()
            told = _Told(tx)
            if announce(tx, self._name, number):
                self._unheard[number] = told
            try:
                transaction.commit()
            except Exception as error:
                self._unheard.pop(number, None)
                if _lost_connection(error):
                    raise CommitUnknown from error
                raise
        with self._showing:
            if not told.heard:
                tx.show()
        self._publish(tx.notices)
        return result

    def _read(self, function: Callable[[Transaction], R]) -> R:
        with self._snapshots.begin() as conn:
            return function(Transaction(conn, self._clock(), self.board))

    def _be_listening(self) -> None:
        """Hear of other coordinators' changes from now on, and have a board that shows the farm."""
        if self.board.loaded:
            return
        with self._listening:
            if self._listener is None:
                self._listener = Listener(self._connect, self._hear, self._catch_up)
            if not self.board.loaded:
                self._load_board()

    def _connect(self) -> "psycopg.Connection[Any]":
        """Open a connection for good, outside of the pool."""
        borrowed = self._engine.raw_connection()
        connection = cast("psycopg.Connection[Any]", borrowed.driver_connection)
        borrowed.detach()
        return connection

    def _load_board(self) -> None:
        with self._engine.begin() as conn:
            board.load(conn, self.board)

    def _hear(self, announcements: Sequence[Announcement]) -> None:
        """Show on the board what was committed, here or elsewhere, and publish the notices from elsewhere."""
        others = []
        for announcement in announcements:
            if announcement.sender != self._name:
                others.append(announcement)
                continue
            with self._showing:
                told = self._unheard.pop(announcement.number, None)
                if told is not None:
                    told.heard = True
                    told.tx.show()
        if not others:
            return
        with self._engine.begin() as conn:
            # As they are by now: what changed them since is announced, too, and shown again.
            board.refresh(
                conn,
                self.board,
                {job_id for other in others for job_id in other.jobs},
                {name for other in others for name in other.users},
                {agent_id for other in others for agent_id in other.agents},
            )
        self._publish(list(dict.fromkeys(chain.from_iterable(other.notices for other in others))))

    def _catch_up(self) -> None:
        """Look at everything: announcements may have been missed."""
        # What was announced meanwhile does not come back.
        self._unheard.clear()
        with self._engine.begin() as conn:
            board.load(conn, self.board)
            job_ids = {job.id for job in (*jobs.workable(conn), *jobs.page(conn, (), None, _NEWEST_JOBS))}
            agent_ids = [agent.id for agent in agents.everyone(conn)]
        changed = [Notice(kind="job", id=job_id) for job_id in sorted(job_ids)]
        changed += [Notice(kind="agent", id=agent_id) for agent_id in agent_ids]
        self._publish([WORK, REVOKED, *changed])


class CommitUnknown(Exception):
    """The connection was lost while a transaction was committed: it may be there or not."""


def _retried(once: Callable[[Callable[[Transaction], R]], R], function: Callable[[Transaction], R]) -> R:
    """Return ``once(function)``, tried until it neither loses a race nor meets a connection that was lost before."""
    for attempt in range(1, ATTEMPTS):
        try:
            return once(function)
        except Exception as error:
            if _sqlstate(error) not in _RACES and not _lost_connection(error):
                raise
            # The two that met must not meet again at the same moment.
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - no secret
    return once(function)


def _sqlstate(error: Exception) -> str | None:
    """Return PostgreSQL's code of what went wrong, None if something else did."""
    original = driver_error(error)
    return original.sqlstate if isinstance(original, psycopg.Error) else None


def _lost_connection(error: Exception) -> bool:
    """Tell whether the connection broke, or could not be made: the server was restarted, say."""
    code = _sqlstate(error)
    return isinstance(driver_error(error), psycopg.OperationalError) and (code is None or code.startswith("57P"))


def _set_up(connection: "psycopg.Connection[Any]", _entry: ConnectionPoolEntry) -> None:
    # More than there are statements.
    connection.prepared_max = 1000
