"""PostgreSQL: a few threads and connections; units of work are committed in groups, and run again if they lost a race.

What was committed survives the end of this process.  When the server itself dies, or the power fails, the last half
second may be taken back, as it may on SQLite: an agent's frame is then rendered again.
"""

import asyncio
import random
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import psycopg
from sqlalchemy import Connection, RootTransaction, create_engine, event, make_url, text
from sqlalchemy.pool import ConnectionPoolEntry

from coordinator.db import agents, board, jobs
from coordinator.db.driver import driver_of, set_driver
from coordinator.db.engine import (
    REVOKED,
    WORK,
    Clock,
    Database,
    DatabaseClosed,
    DatabaseFull,
    LookAhead,
    Notice,
    Transaction,
    look_ahead_of,
    settle,
)
from coordinator.db.kept import Kept, forget_everything, forget_what_is_changed, kept_of, set_kept
from coordinator.db.listener import Announcement, Listener, announce
from coordinator.db.migrate import upgrade
from coordinator.db.pipeline import EarlierFailed, Pipeline
from coordinator.db.postgresql_errors import is_disk_full, is_race, lost_connection
from coordinator.db.units import Unit, Writers

P = ParamSpec("P")
R = TypeVar("R")

#: Round trips take time in which others can write.
WRITERS = 8
#: Units of work committed together at most: until then, others do without what they have locked.
GROUP = 64
READERS = 4
#: How often a transaction is run before its failure is believed.
ATTEMPTS = 6
_WAIT_FOR_NOTHING = "SET LOCAL lock_timeout = '1ms'"
#: What writers look for has an index.  Plans of prepared statements are kept for as long as a connection lasts: made
#: while a farm is young, they would read whole tables once these are long.
_INDEXES_ONLY = b"SET enable_seqscan = off; SET jit = off"
#: Any number that nobody else uses: coordinators that start at once migrate one after the other.
_MIGRATION_LOCK = 0x52464D47
#: A connection that breaks without a word is noticed within a minute.
_KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
#: After the other coordinators could not be heard, so many of the newest jobs are told to have changed.
_NEWEST_JOBS = 100


@dataclass(eq=False, slots=True)
class _Told:
    """Transactions that were announced.

    The board shows their changes before others can have changed the same: until the commit, these rows are locked.  But
    what is shown because other coordinators changed something was read from the database, perhaps without them.  Then
    they are shown again when their announcement comes back: announcements come in the order of the commits.
    """

    transactions: Sequence[Transaction]
    read: int
    """How many readings for the board were over before they were shown."""


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
            # Those used last have their statements prepared.
            pool_use_lifo=True,
        )
        for name, listener in _LISTENERS.items():
            event.listen(self._engine, name, listener)
        self._snapshots = self._engine.execution_options(
            begin=("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL enable_seqscan = on")
        )
        self._writers = Writers(
            self._write_group,
            name="postgresql-writer",
            threads=WRITERS,
            group=GROUP,
            lane=lambda unit: look_ahead_of(unit.function),
        )
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="postgresql-reader")
        self._closed = False
        self._name = secrets.token_hex(4)
        self._numbers = count()
        self._listener: Listener | None = None
        self._listening = threading.Lock()
        # Transactions whose announcement has not come back, by its number.
        self._unheard: dict[int, _Told] = {}
        # Readings of the database for the board.
        self._begun, self._over = 0, 0

    async def write(
        self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``function(tx, …)``, again if it lost a race; see :meth:`Database.write`."""
        return await self._writers.run(function, *args, **kwargs)

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
        if self._writers.close():
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writers.join()
        self._readers.shutdown()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._engine.dispose()

    def _write_group(self, units: list[Unit]) -> None:
        """Run units that look ahead in the same way, with as few commits as others at work on the same rows allow."""
        look_ahead = look_ahead_of(units[0].function)
        attempts: Counter[Unit] = Counter()
        waiting = deque(units)
        together, ahead = True, look_ahead
        while waiting:
            before = list(waiting)
            try:
                self._be_listening()
                some = waiting if ahead is look_ahead else deque([waiting[0]])
                self._write_some(some, attempts, ahead if together else None, together=together)
                if some is not waiting:
                    waiting.popleft()
                # One that met a lock that was not foreseen waits for it alone, with nothing else locked.
                ahead = look_ahead if len(waiting) < len(before) else None
            except Exception as error:  # noqa: BLE001 - whoever waits shall hear of it
                # It may show what is taken back.
                self.board.invalidate()
                if together and not isinstance(error, CommitUnknown):
                    # Which of them it is that failed is not known.
                    together = False
                    waiting = deque(before)
                    continue
                attempts.update(before)
                if lost_connection(error) and attempts[before[0]] < ATTEMPTS:
                    waiting = deque(before)
                    _pause(attempts[before[0]])
                    continue
                for unit in before[: len(before) - len(waiting)] or [waiting.popleft()]:
                    unit.error = error

    def _write_some(
        self, waiting: deque[Unit], attempts: Counter[Unit], ahead: LookAhead | None, *, together: bool
    ) -> None:
        """Run units in one transaction, as many as need not wait for others, and take them off ``waiting``.

        ``together``, what they write is written when something has to be read, at the end perhaps: an error may be
        anyone's, and is raised here.  Otherwise each of them is over before the next.

        Each of them locks rows in an order that keeps it clear of deadlocks, and so does what looks ``ahead`` for all
        of them; several, one after the other, do not.  So only one that finds nothing locked for it or by those before
        it waits for a lock.  Any other that would have to is taken back, and is left to the next transaction.
        """
        read = self._over
        done: list[Transaction] = []
        with self._engine.connect() as conn, conn.begin() as transaction:
            pipeline, kept = _pipeline(conn), kept_of(conn)
            assert kept is not None  # noqa: S101 - every connection has it
            if ahead is not None:
                ahead(Transaction(conn, self._clock(), self.board), [unit.arguments for unit in waiting])
                pipeline.later(_WAIT_FOR_NOTHING)
            while waiting:
                unit = waiting[0]
                unit.error = None
                tx = Transaction(conn, self._clock(), self.board)
                pipeline.save()
                try:
                    unit.result = unit.run(tx)
                    tx.end(flush=not together)
                except Exception as error:
                    if lost_connection(error) or isinstance(error, EarlierFailed):
                        raise
                    pipeline.take_back()
                    kept.take_back()
                    if is_race(error):
                        if done or ahead is not None:
                            break
                        attempts[unit] += 1
                        if attempts[unit] < ATTEMPTS:
                            _pause(attempts[unit])
                            continue
                    unit.error = DatabaseFull() if is_disk_full(error) else error
                else:
                    pipeline.keep()
                    kept.confirm()
                    if not done and ahead is None:
                        pipeline.later(_WAIT_FOR_NOTHING)
                    tx.show()
                    done.append(tx)
                waiting.popleft()
            # Those who announce something commit one after the other.
            pipeline.later("SET LOCAL lock_timeout TO DEFAULT")
            settle(done)
            self._commit(transaction, _Told(done, read))
        self._publish(done)

    def _commit(self, transaction: RootTransaction, told: _Told) -> None:
        """Commit, and announce that."""
        number = next(self._numbers)
        conn = transaction.connection
        pipeline = _pipeline(conn)
        # What is still to be written must be found good before the commit is sent.
        pipeline.flush()
        if announce(conn, told.transactions, self._name, number):
            self._unheard[number] = told
        try:
            pipeline.later("COMMIT")
            pipeline.flush()
            transaction.commit()
        except Exception as error:
            self._unheard.pop(number, None)
            if lost_connection(error):
                raise CommitUnknown from error
            raise

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
                with self._reading() as conn:
                    board.load(conn, self.board)

    def _connect(self) -> "psycopg.Connection[Any]":
        """Open a connection for good, outside of the pool."""
        borrowed = self._engine.raw_connection()
        connection = cast("psycopg.Connection[Any]", borrowed.driver_connection)
        borrowed.detach()
        return connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Read the database for the board."""
        with self._counting:
            self._begun += 1
        try:
            with self._engine.begin() as conn:
                yield conn
        finally:
            with self._counting:
                self._over += 1

    def _hear(self, announcements: Sequence[Announcement]) -> None:
        """Show on the board what was committed elsewhere, and publish its notices."""
        others = []
        for announcement in announcements:
            if announcement.sender != self._name:
                others.append(announcement)
                continue
            told = self._unheard.pop(announcement.number, None)
            if told is not None and told.read != self._begun:
                for tx in told.transactions:
                    tx.show()
        if not others:
            return
        with self._reading() as conn:
            # As they are by now: what changed them since is announced, too, and shown again.
            board.refresh(
                conn,
                self.board,
                {job_id for other in others for job_id in other.jobs},
                {name for other in others for name in other.users},
                {agent_id for other in others for agent_id in other.agents},
            )
        self._announce(list(dict.fromkeys(chain.from_iterable(other.notices for other in others))))

    def _catch_up(self) -> None:
        """Look at everything: announcements may have been missed."""
        # What was announced meanwhile does not come back.
        self._unheard.clear()
        with self._reading() as conn:
            board.load(conn, self.board)
            job_ids = {job.id for job in (*jobs.workable(conn), *jobs.newest(conn, _NEWEST_JOBS))}
            agent_ids = [agent.id for agent in agents.everyone(conn)]
        changed = [Notice(kind="job", id=job_id) for job_id in sorted(job_ids)]
        changed += [Notice(kind="agent", id=agent_id) for agent_id in agent_ids]
        self._announce([WORK, REVOKED, *changed])


class CommitUnknown(Exception):
    """The connection was lost while a transaction was committed: it may be there or not."""


def _retried(once: Callable[[Callable[[Transaction], R]], R], function: Callable[[Transaction], R]) -> R:
    """Return ``once(function)``, tried until it neither loses a race nor meets a connection that was lost before."""
    for attempt in range(1, ATTEMPTS):
        try:
            return once(function)
        except Exception as error:
            if not is_race(error) and not lost_connection(error):
                raise
            _pause(attempt)
    return once(function)


def _pause(attempt: int) -> None:
    # The two that met must not meet again at the same moment.
    time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - no secret


def _set_up(connection: "psycopg.Connection[Any]", entry: ConnectionPoolEntry) -> None:
    connection.pgconn.exec_(_INDEXES_ONLY)
    set_driver(entry, Pipeline(connection))
    set_kept(entry, Kept(lasting=False))


def _pipeline(conn: Connection) -> Pipeline:
    return cast("Pipeline", driver_of(conn))


def _begin(conn: Connection) -> None:
    forget_everything(conn)
    # By us, for psycopg would make a round trip of it.
    for statement in conn.get_execution_options().get("begin", ("BEGIN",)):
        _pipeline(conn).later(statement)


def _flush(conn: Connection, *_: object) -> None:
    _pipeline(conn).flush()


def _execute(conn: Connection, _cursor: object, statement: str, *_: object) -> None:
    _pipeline(conn).flush()
    forget_what_is_changed(conn, statement)


def _forget(conn: Connection) -> None:
    if not conn.invalidated:
        _pipeline(conn).forget()


#: What SQLAlchemy itself runs on a connection comes after all that waits to be run on it.
_LISTENERS: Mapping[str, Callable[..., None]] = {
    "connect": _set_up,
    "begin": _begin,
    "before_cursor_execute": _execute,
    "commit": _flush,
    "rollback": _forget,
}
