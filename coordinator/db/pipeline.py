"""PostgreSQL's driver: statements are prepared by name, and what is only written goes with the next read.

psycopg's cursors take some 25 µs of this process's time for each statement, and a round trip as long again; a lease
takes a dozen of them, most of which only write.  Here they are handed to libpq itself, which psycopg wraps
(``psycopg.pq``), in its pipeline mode: 2 µs each.  Everything else uses psycopg's connection as ever.
"""

import re
import select
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from coordinator.db.driver import Driver, Rows, check_written

#: Statements sent before their results are read: neither side's buffers may fill up.
_AT_ONCE = 200
_SAVE, _KEEP, _TAKE_BACK = "SAVEPOINT unit", "RELEASE unit", "ROLLBACK TO unit"

_WRITERS: Mapping[type, Callable[[Any], bytes | None]] = {
    type(None): lambda _: None,
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: b"%d" % value,
    float: lambda value: repr(value).encode(),
    str: str.encode,
}
_READERS: Mapping[int, Callable[[bytes], Any]] = {
    psycopg.adapters.types[name].oid: reader
    for reader, names in (
        (lambda raw: raw == b"t", ("bool",)),
        (int, ("int2", "int4", "int8")),
        (float, ("float4", "float8")),
        (bytes.decode, ("text", "varchar")),
    )
    for name in names
}


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement that waits, or is just being run."""

    text: str
    values: Sequence[bytes | None]
    guarded: bool
    """It must write one row."""


class Pipeline(Driver):
    """The statements of one connection."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """Take a connection that has just been opened."""
        # It would take back with its own what is prepared here.
        connection.prepare_threshold = None
        self._pgconn: PGconn = connection.pgconn
        self._waiting: list[_Statement] = []
        self._names: dict[str, bytes] = {}
        self._numbers = count()
        self._poll = select.poll()
        self._poll.register(self._pgconn.socket, select.POLLIN)

    def rows(self, text: str, values: Sequence[Any]) -> tuple[Rows, Sequence[int]]:
        """Run a statement, after all that waits; see :meth:`Driver.rows`."""
        result = self._run(text, values)
        columns = range(result.nfields)
        types = [result.ftype(column) for column in columns]
        read = [_READERS[kind] for kind in types]
        rows = []
        for number in range(result.ntuples):
            raw = [result.get_value(number, column) for column in columns]
            rows.append([None if value is None else read[column](value) for column, value in enumerate(raw)])
        return rows, types

    def count(self, text: str, values: Sequence[Any]) -> int:
        """Run a statement, after all that waits; see :meth:`Driver.count`."""
        return self._run(text, values).command_tuples or 0

    def must(self, text: str, values: Sequence[Any]) -> None:
        """Run a statement with the next read; see :meth:`Driver.must`."""
        self._wait_with(text, values, guarded=True)

    def many(self, text: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of the rows with the next read; see :meth:`Driver.many`."""
        for values in rows:
            self._wait_with(text, values)

    def later(self, text: str) -> None:
        """Run a statement without values with the next read."""
        self._wait_with(text, ())

    def flush(self) -> None:
        """Run what waits."""
        if self._waiting:
            self._exchange()

    def forget(self) -> None:
        """Run nothing of what waits: the transaction is being taken back."""
        self._waiting.clear()

    def save(self) -> None:
        """Begin a part of the transaction that can be taken back alone."""
        self.later(_SAVE)

    def keep(self) -> None:
        """End that part."""
        self.later(_KEEP)

    def take_back(self) -> None:
        """Take back what was run, and waits to be run, since :meth:`save`, and end that part."""
        texts = [statement.text for statement in self._waiting]
        if _SAVE in texts:
            # Nothing of it was sent.
            del self._waiting[texts.index(_SAVE) :]
        else:
            self._waiting.clear()
            self.later(_TAKE_BACK)
            self.later(_KEEP)

    def _wait_with(self, text: str, values: Sequence[Any], *, guarded: bool = False) -> None:
        self._waiting.append(_Statement(text, [_WRITERS[type(value)](value) for value in values], guarded))
        if len(self._waiting) >= _AT_ONCE:
            self._exchange()

    def _run(self, text: str, values: Sequence[Any]) -> PGresult:
        self._waiting.append(_Statement(text, [_WRITERS[type(value)](value) for value in values], guarded=False))
        return self._exchange()

    def _exchange(self) -> PGresult:
        """Run everything that waits in one round trip, and return the result of the last of it."""
        statements, self._waiting = self._waiting, []
        pgconn = self._pgconn
        new: dict[str, bytes] = {}
        pgconn.enter_pipeline_mode()
        try:
            for statement in statements:
                name = self._names.get(statement.text) or new.get(statement.text)
                if name is None:
                    name = new[statement.text] = b"farm_%d" % next(self._numbers)
                    pgconn.send_prepare(name, _numbered(statement.text))
                pgconn.send_query_prepared(name, statement.values)
            pgconn.pipeline_sync()
            self._push()
            results = iter(list(self._results()))
        finally:
            if pgconn.status == ConnStatus.OK:
                pgconn.exit_pipeline_mode()
        return self._judged(statements, new, results)

    def _judged(self, statements: Sequence[_Statement], new: dict[str, bytes], results: Iterator[PGresult]) -> PGresult:
        """Return the last result, unless a statement failed; keep the ``new`` names of those that were prepared."""
        for statement in statements:
            if statement.text in new:
                self._check(statement, next(results))
                self._names[statement.text] = new.pop(statement.text)
            result = next(results)
            self._check(statement, result)
            if statement.guarded:
                check_written(statement.text, result.command_tuples or 0)
        return result

    def _check(self, statement: _Statement, result: PGresult) -> None:
        if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            error = errors.error_from_result(result)
            error.add_note(statement.text)
            raise error

    def _push(self) -> None:
        """Send what libpq has gathered."""
        while self._pgconn.flush():
            self._poll.modify(self._pgconn.socket, select.POLLIN | select.POLLOUT)
            for _, happened in self._poll.poll():
                if happened & ~select.POLLOUT:
                    self._pgconn.consume_input()
            self._poll.modify(self._pgconn.socket, select.POLLIN)

    def _results(self) -> Iterator[PGresult]:
        """Yield a result for each thing that was sent."""
        while True:
            # libpq would wait, too, but without letting any other thread run.
            while self._pgconn.is_busy():
                self._poll.poll()
                self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is None:
                # The end of one thing's results; a connection that is lost has no others.
                if self._pgconn.status != ConnStatus.OK:
                    raise psycopg.OperationalError("the connection is lost")
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return
            else:
                yield result


@cache
def _numbered(text: str) -> bytes:
    """Return a statement with its places numbered, as PostgreSQL itself has them, for SQLAlchemy's %s."""
    numbers = count(1)
    return re.sub("%[s%]", lambda found: f"${next(numbers)}" if found[0] == "%s" else "%", text).encode()
