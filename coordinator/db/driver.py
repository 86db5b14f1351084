"""How a compiled statement reaches its database: at once where it is a call, together where each is a round trip.

The driver of a connection is made when it is opened (``sqlite.py``, ``postgresql.py``), and found by :func:`driver_of`.
"""

import abc
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.pool import ConnectionPoolEntry

from coordinator.db.bulk import Bulk

Rows = Sequence[Sequence[Any]]


class StaleWrite(RuntimeError):
    """A guarded write did not find the one row that was read before: a defect, and nothing was written."""


class Driver(abc.ABC):
    """Runs the text of statements with the values for its places."""

    @abc.abstractmethod
    def rows(self, text: str, values: Sequence[Any]) -> tuple[Rows, Sequence[Any]]:
        """Run a statement; return its rows and what the database calls the type of each column."""

    def ask(self, text: str, values: Sequence[Any]) -> Callable[[], tuple[Rows, Sequence[Any]]]:
        """Run a statement by the time that what is returned is called, which returns what :meth:`rows` does."""
        answer = self.rows(text, values)
        return lambda: answer

    @abc.abstractmethod
    def count(self, text: str, values: Sequence[Any]) -> int:
        """Run a statement and return how many rows it wrote."""

    @abc.abstractmethod
    def must(self, text: str, values: Sequence[Any], bulk: Bulk | None = None, job_id: int | None = None) -> None:
        """Write exactly one row, now or before anything is read or the transaction ends.

        What goes wrong is raised then: StaleWrite, if it is no row or several.  With a ``bulk``, it may be written
        together with others, before what was to be written earlier that has to do with other jobs.
        """

    @abc.abstractmethod
    def many(
        self, text: str, rows: Iterable[Sequence[Any]], bulk: Bulk | None = None, job_ids: Iterable[int | None] = ()
    ) -> None:
        """Run a statement for each of the rows in their order; when, and what is raised when, is as with ``must``.

        With a ``bulk``, each has one of the ``job_ids``.
        """

    def flush(self) -> None:  # noqa: B027 - where nothing waits there is nothing to do
        """Run what waits to be run."""


def set_driver(entry: ConnectionPoolEntry, driver: Driver) -> None:
    """Have a connection that is being opened use a driver."""
    entry.info["driver"] = driver


def driver_of(conn: Connection) -> Driver:
    """Return the driver of a connection."""
    driver: Driver = conn.info["driver"]
    return driver


def check_written(text: str, count: int, expected: int = 1) -> None:
    """Raise StaleWrite unless a statement wrote as many rows as expected."""
    if count != expected:
        raise StaleWrite(f"{count} rows were written where {expected} were to be: {text}")
