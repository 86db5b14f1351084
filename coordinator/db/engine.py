"""What the rest of the coordinator knows of its database: run a function in a transaction, hear of changes.

The functions are synchronous and see a :class:`Transaction`; the :class:`Database` runs them away from the event loop.
SQLite has one writer thread and some readers beside it (``sqlite.py``), PostgreSQL a pool (``postgresql.py``).
"""

import abc
import asyncio
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Concatenate, Literal, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import Connection

from coordinator.db import users
from coordinator.db.driver import driver_of
from coordinator.db.statement import Command
from coordinator.domain.board import Board
from coordinator.domain.model import Agent, Job, User

P = ParamSpec("P")
R = TypeVar("R")

Clock = Callable[[], datetime]
"""Tells the time: aware, in UTC."""

log = logging.getLogger(__name__)


class Notice(NamedTuple):
    """Something changed; published after the commit, by every coordinator that shares the database."""

    kind: Literal["work", "job", "frame", "agent", "token", "inspection", "storage", "video", "news"]
    """``work``: chunks became pending, waiting lease requests should look again; ``token``: some were revoked;
    ``inspection``: a pack waits to be looked into; ``storage``: something may be removed
    from the store; ``video``: one waits to be made; ``news``: something waits to be told outside."""
    id: int | None = None
    """The job of a ``job`` or ``frame`` notice, the agent of an ``agent`` notice; of a ``work``
    notice, one that may work again."""
    frame: int | None = None
    state: str | None = None
    """Of a ``frame`` notice: ``finished`` or ``failed``."""


WORK = Notice(kind="work")
REVOKED = Notice(kind="token")
INSPECTION = Notice(kind="inspection")
STORAGE = Notice(kind="storage")
VIDEO = Notice(kind="video")
NEWS = Notice(kind="news")


@dataclass(frozen=True)
class Transaction:
    """An open transaction, its time, and what follows from it once it is committed."""

    conn: Connection
    now: datetime
    """One time for everything that happens in it."""
    board: Board
    """A hint of who is next; it shows the changes of a transaction only when that is over."""
    notices: dict[Notice, None] = field(default_factory=dict)
    """Those to publish, each once, in order."""
    changed_jobs: dict[int, Job | None] = field(default_factory=dict)
    """Jobs as this transaction leaves them, by id; None for one that it removes."""
    changed_users: dict[str, User] = field(default_factory=dict)
    changed_agents: dict[int, Agent] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)
    """What is counted for those who watch the farm, by its kind."""
    rows: dict[Command, list[Mapping[str, object]]] = field(default_factory=dict)
    """Those to be written later."""
    charges: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def notify(self, notice: Notice) -> None:
        """Publish ``notice`` after the commit; the same notice twice is published once."""
        self.notices[notice] = None

    def write_later(self, command: Command, values: Mapping[str, object]) -> None:
        """Run a command before the transaction ends, with all others of its kind: for what is not read in it."""
        self.rows.setdefault(command, []).append(values)

    def charge(self, user: str, seconds: float) -> None:
        """Add slot-seconds, which may be negative, to what a user was given, before the commit.

        Every lease of a user's jobs changes this one row: it is locked as late, and so as briefly, as can be.
        """
        self.charges[user] += seconds

    def flush(self) -> None:
        """Write what was gathered; who reads that does so before."""
        self.end(flush=True)

    def end(self, *, flush: bool) -> None:
        """Have written what was gathered, now with ``flush``, and by the end of the transaction otherwise."""
        write_gathered([self])
        if flush:
            driver_of(self.conn).flush()

    def show(self) -> None:
        """Show on the board what this transaction has changed."""
        for user in self.changed_users.values():
            self.board.put_user(user)
        for name, seconds in self.charges.items():
            self.board.charge(name, seconds)
        for agent in self.changed_agents.values():
            self.board.put_agent(agent)
        for job_id, job in self.changed_jobs.items():
            if job is None:
                self.board.remove_job(job_id)
            else:
                self.board.put_job(job)


def write_gathered(transactions: Sequence[Transaction]) -> None:
    """Write what units of work that are committed together have gathered, all of a kind at once."""
    gathered: dict[Command, list[Mapping[str, object]]] = {}
    for tx in transactions:
        for command, rows in tx.rows.items():
            gathered.setdefault(command, []).extend(rows)
        tx.rows.clear()
    for command, rows in gathered.items():
        if len(rows) == 1:
            command.must(transactions[0].conn, **rows[0])
        else:
            command.many(transactions[0].conn, rows)


def settle(transactions: Sequence[Transaction]) -> None:
    """Charge users what units of work say that they were given, all that are committed together at once."""
    charges: dict[str, float] = defaultdict(float)
    for tx in transactions:
        for name, seconds in tx.charges.items():
            charges[name] += seconds
        tx.charges.clear()
    if charges:
        last = transactions[-1]
        for user in users.charge(last.conn, charges):
            last.changed_users[user.name] = user
            last.board.put_user(user)


LookAhead = Callable[[Transaction, Sequence[tuple[Any, ...]]], None]
"""Has what calls of a function will need locked and read, by their arguments; it decides nothing, and may be wrong."""

_look_aheads: dict[Callable[..., Any], LookAhead] = {}


def looks_ahead(ahead: Callable[[Transaction, Any], None]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have ``ahead`` called before several calls of a function are run together, where each read is a round trip."""

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        _look_aheads[function] = ahead
        return function

    return mark


def look_ahead_of(function: Callable[..., Any]) -> LookAhead | None:
    """Return what looks ahead for calls of a function, None if nothing does."""
    return _look_aheads.get(function)


class DatabaseClosed(RuntimeError):
    """The database was used after :meth:`Database.close`."""


class DatabaseFull(Exception):
    """The database's disk has no room for a change; nothing was changed, and the same call may succeed later."""

    def __init__(self) -> None:
        """Say so to people."""
        super().__init__(
            "The disk of the coordinator's database is full: make room there, and the farm goes on by itself."
        )


class Database(abc.ABC):
    """Runs functions in transactions and publishes their notices."""

    kind: ClassVar[Literal["sqlite", "postgresql"]]

    def __init__(self, clock: Clock) -> None:
        self.board = Board()
        self.happened: Counter[str] = Counter()
        """What happened here since the start, as transactions counted it."""
        self._clock = clock
        self._counting = threading.Lock()
        self._subscribers: list[tuple[asyncio.AbstractEventLoop, Callable[[Notice], None]]] = []

    @abc.abstractmethod
    async def write(
        self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``function(tx, …)`` in a transaction; commit, publish its notices, and return what it returned.

        What it raises rolls its changes back, alone, and is raised here; DatabaseFull, if there is no room.  The
        function may be run more than once (serialisation failures): it must have no effect outside of the
        transaction.  Once started it is carried to its end even when the caller is cancelled.
        """

    @abc.abstractmethod
    async def read(self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``function(tx, …)`` over one consistent state of the database that it cannot change."""

    @abc.abstractmethod
    def migrate(self) -> None:
        """Bring the schema up to date.  Blocks; two coordinators may do it at once.

        Raises:
            coordinator.db.migrate.SchemaTooNew: a newer version of the software made it.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Finish what was begun, then let go of every connection and thread."""

    def subscribe(self, callback: Callable[[Notice], None]) -> Callable[[], None]:
        """Call ``callback`` on the running event loop for each notice from now on; returns how to stop that."""
        entry = (asyncio.get_running_loop(), callback)
        self._subscribers.append(entry)

        def unsubscribe() -> None:
            if entry in self._subscribers:
                self._subscribers.remove(entry)

        return unsubscribe

    def _publish(self, transactions: Sequence[Transaction]) -> None:
        """Count what happened in transactions that are committed, and publish their notices."""
        with self._counting:
            for tx in transactions:
                self.happened.update(tx.happened)
        self._announce(list(dict.fromkeys(notice for tx in transactions for notice in tx.notices)))

    def _announce(self, notices: Sequence[Notice]) -> None:
        """Hand notices to the subscribers' event loops; callable from any thread."""
        if notices:
            for loop, callback in list(self._subscribers):
                call_soon(loop, _tell, callback, notices)


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> None:
    """Have an event loop call a function, from any thread."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        # The loop was closed without unsubscribing, as at the end of a process: no one is left to tell.
        log.debug("an event loop that waited for the database is closed")


def _tell(callback: Callable[[Notice], None], notices: Sequence[Notice]) -> None:
    for notice in notices:
        callback(notice)


def open_database(url: str, clock: Clock) -> Database:
    """Return the database at ``url`` (``sqlite:///PATH`` or ``postgresql://…``); its schema may still be old.

    Looks at the file system: on an event loop, call it in a thread.

    Raises:
        ValueError: the URL is of another kind; the text says what is possible.
    """
    from coordinator.db.postgresql import PostgresDatabase
    from coordinator.db.sqlite import SqliteDatabase

    scheme = url.partition(":")[0].partition("+")[0]
    if scheme == "sqlite":
        return SqliteDatabase(url, clock)
    if scheme in ("postgresql", "postgres"):
        return PostgresDatabase(url, clock)
    raise ValueError(
        f"the database URL starts with {scheme!r}; it must be sqlite:///PATH or postgresql://USER@HOST/NAME"
    )
