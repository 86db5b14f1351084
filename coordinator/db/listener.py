"""What coordinators that share a PostgreSQL database tell one another: who changed what, after each commit.

An announcement is a NOTIFY, sent within the transaction that it tells of; PostgreSQL delivers it after the commit, to
everyone who listens, in the order of the commits.  Each coordinator has one connection and one thread that listen.
"""

import logging
import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from coordinator.db.engine import Notice, Transaction
from coordinator.db.statement import Command

CHANNEL = "renderfarm"
#: Seconds to wait before connecting again, at first and at most.
BACKOFF = (0.1, 5.0)
#: An announcement has no more of each than these, which keeps it below the 8,000 bytes that PostgreSQL takes.
_NOTICES, _IDS, _NAMES = 25, 100, 4

_NOTIFY = Command(select(func.pg_notify(CHANNEL, bindparam("payload"))))

log = logging.getLogger(__name__)


class Announcement(msgspec.Struct, array_like=True, frozen=True):
    """What one commit changed, or a part of it."""

    sender: str
    """Of the coordinator."""
    number: int
    """Of the commit, among the sender's."""
    notices: list[Notice]
    jobs: list[int]
    users: list[str]
    agents: list[int]


def announce(conn: Connection, transactions: Sequence[Transaction], sender: str, number: int) -> bool:
    """Tell every coordinator, after the commit, what was changed by then; False if there is nothing to tell."""
    rest = Announcement(
        sender,
        number,
        notices=list(dict.fromkeys(notice for tx in transactions for notice in tx.notices)),
        jobs=list({job_id for tx in transactions for job_id in tx.changed_jobs}),
        users=list({name for tx in transactions for name in tx.changed_users}),
        agents=list({agent_id for tx in transactions for agent_id in tx.changed_agents}),
    )
    told = False
    while rest.notices or rest.jobs or rest.users or rest.agents:
        part, rest = _split(rest)
        _NOTIFY.must(conn, payload=msgspec.json.encode(part).decode())
        told = True
    return told


class Listener:
    """Hears announcements, in a thread of its own; connects again when its connection is lost."""

    def __init__(
        self,
        connect: Callable[[], "psycopg.Connection[Any]"],
        heard: Callable[[Sequence[Announcement]], None],
        back: Callable[[], None],
    ) -> None:
        """Take what opens a connection, what is told of announcements in their order, and what is called after a loss.

        Announcements may have been missed when ``back`` is called; it hears of every one from then on.  When either of
        the two fails with an error of the database, that counts as a loss.
        """
        self._connect = connect
        self._heard = heard
        self._back = back
        self._closed = False
        self._connection = self._listening()
        self._end, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="postgresql-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self._waker.send(b"x")
        self._thread.join()
        self._connection.close()
        self._end.close()
        self._waker.close()

    def _listening(self) -> "psycopg.Connection[Any]":
        connection = self._connect()
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _run(self) -> None:
        wait, longest = BACKOFF
        lost = False
        while not self._closed:
            try:
                if lost:
                    self._connection.close()
                    self._connection = self._listening()
                    self._back()
                    lost = False
                    wait = BACKOFF[0]
                self._listen()
            except (psycopg.Error, DBAPIError) as error:
                log.warning("other coordinators are not heard until the database is back: %s", error)
                lost = True
                self._sleep(wait)
                wait = min(2 * wait, longest)

    def _listen(self) -> None:
        """Hear announcements until the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(self._end, selectors.EVENT_READ)
            while not self._closed:
                payloads = [notification.payload for notification in self._connection.notifies(timeout=0)]
                try:
                    self._heard([msgspec.json.decode(payload, type=Announcement) for payload in payloads])
                except msgspec.DecodeError:
                    # Another version of this software sent it: whatever it tells, look at everything.
                    self._back()
                selector.select()

    def _sleep(self, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._end, selectors.EVENT_READ)
            selector.select(seconds)


def _split(whole: Announcement) -> tuple[Announcement, Announcement]:
    """Return what fits into one announcement, and the rest."""
    return (
        Announcement(
            whole.sender,
            whole.number,
            whole.notices[:_NOTICES],
            whole.jobs[:_IDS],
            whole.users[:_NAMES],
            whole.agents[:_IDS],
        ),
        Announcement(
            whole.sender,
            whole.number,
            whole.notices[_NOTICES:],
            whole.jobs[_IDS:],
            whole.users[_NAMES:],
            whole.agents[_IDS:],
        ),
    )
