"""The coordinator's use cases, called from within its database: one after the other, each at its virtual moment."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from benchmarks.virtual_time import Agenda
from coordinator.db.engine import Notice, Transaction, settle
from coordinator.db.kept import kept_of

P = ParamSpec("P")
R = TypeVar("R")


class Coordinator:
    """Calls use cases as the database's writer thread does, each between savepoints, but commits nothing.

    A simulation makes some hundred thousand calls.  Most of their time would go into commits and into changing threads,
    neither of which it measures.
    """

    def __init__(self, outer: Transaction, agenda: Agenda) -> None:
        """``outer`` is the transaction in which everything happens."""
        self.board = outer.board
        self._conn = outer.conn
        self._cursor = outer.conn.connection.cursor()
        self._kept = kept_of(outer.conn)
        self._agenda = agenda
        self._subscribers: list[Callable[[Notice], None]] = []

    def subscribe(self, callback: Callable[[Notice], None]) -> None:
        """Call ``callback`` for each notice from now on."""
        self._subscribers.append(callback)

    def call(self, function: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``function(tx, …)`` and return what it returned; what it raises takes its changes back."""
        tx = Transaction(self._conn, self._agenda.clock(), self.board)
        self._cursor.execute("SAVEPOINT call")
        try:
            result = function(tx, *args, **kwargs)
            tx.flush()
            settle([tx])
        except Exception:
            self._cursor.execute("ROLLBACK TO call")
            self._cursor.execute("RELEASE call")
            if self._kept is not None:
                self._kept.take_back()
            raise
        self._cursor.execute("RELEASE call")
        tx.show()
        for notice in tx.notices:
            for callback in self._subscribers:
                callback(notice)
        return result
