"""PostgreSQL's driver: statements are prepared by name, and what is only written goes with the next read.

psycopg's cursors take some 25 µs of this process's time for each statement, and a round trip as long again; a lease
takes a dozen of them, most of which only write.  Here they are handed to libpq itself, which psycopg wraps
(``psycopg.pq``), in its pipeline mode: 2 µs each.  Everything else uses psycopg's connection as ever.
"""

import re
import select
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count, zip_longest
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import ConnStatus, Escaping, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from coordinator.db.bulk import Bulk
from coordinator.db.driver import Driver, Rows, check_written

#: Statements sent before their results are read, at most: both sides keep something of each.
_AT_ONCE = 1000
#: So many that wait are sent between two parts of a transaction, for the server to run while the next part is decided.
_WORTH_SENDING = 100
_SAVE, _KEEP, _TAKE_BACK = "SAVEPOINT unit", "RELEASE unit", "ROLLBACK TO unit"

_WRITERS: Mapping[type, Callable[[Any], bytes | None]] = {
    type(None): lambda _: None,
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: b"%d" % value,
    float: lambda value: repr(value).encode(),
    str: str.encode,
    # What SQLAlchemy wraps bytes in.
    psycopg.Binary: lambda value: b"\\x" + bytes(value.obj).hex().encode(),
}
_READERS: Mapping[int, Callable[[bytes], Any]] = {
    psycopg.adapters.types[name].oid: reader
    for reader, names in (
        (lambda raw: raw == b"t", ("bool",)),
        (int, ("int2", "int4", "int8")),
        (float, ("float4", "float8")),
        (bytes.decode, ("text", "varchar")),
        (Escaping().unescape_bytea, ("bytea",)),
    )
    for name in names
}


@dataclass(slots=True)
class _Statement:
    """A statement that waits, or is run."""

    text: str
    values: Sequence[bytes | None]
    guarded: bool
    """It must write one row."""
    bulk: Bulk | None = None
    """What writes more such rows together."""
    job_id: int | None = None
    """Of the row, if so."""
    rows: int = 1
    """How many it must write."""
    result: PGresult | None = None
    """Once it was run."""


class EarlierFailed(Exception):
    """What a part of the transaction that had ended left to be run has failed."""


class Pipeline(Driver):
    """The statements of one connection."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """Take a connection that has just been opened."""
        # It would take back with its own what is prepared here.
        connection.prepare_threshold = None
        self._pgconn: PGconn = connection.pgconn
        self._waiting: list[_Statement] = []
        self._sent: list[_Statement] = []
        """Those that were sent, in pipeline mode, and not answered."""
        self._new: dict[str, bytes] = {}
        """The names under which some of these are being prepared."""
        self._save_at: int | None = None
        """Where among these the begin of the last part is; None if it was sent."""
        self._names: dict[str, bytes] = {}
        self._numbers = count()
        self._poll = select.poll()
        self._poll.register(self._pgconn.socket, select.POLLIN)

    def rows(self, text: str, values: Sequence[Any]) -> tuple[Rows, Sequence[int]]:
        """Run a statement, after all that waits; see :meth:`Driver.rows`."""
        return self._read(self._run(text, values))

    def ask(self, text: str, values: Sequence[Any]) -> Callable[[], tuple[Rows, Sequence[int]]]:
        """Run a statement with the next read; see :meth:`Driver.ask`."""
        statement = self._wait_with(text, values)

        def answer() -> tuple[Rows, Sequence[int]]:
            if statement.result is None:
                self._exchange()
            assert statement.result is not None  # noqa: S101 - what was taken back unrun is forgotten by who asked
            return self._read(statement.result)

        return answer

    def _read(self, result: PGresult) -> tuple[Rows, Sequence[int]]:
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

    def must(self, text: str, values: Sequence[Any], bulk: Bulk | None = None, job_id: int | None = None) -> None:
        """Run a statement with the next read; see :meth:`Driver.must`."""
        self._wait_with(text, values, guarded=True, bulk=bulk, job_id=job_id)

    def many(
        self, text: str, rows: Iterable[Sequence[Any]], bulk: Bulk | None = None, job_ids: Iterable[int | None] = ()
    ) -> None:
        """Run a statement for each of the rows with the next read; see :meth:`Driver.many`."""
        for values, job_id in zip_longest(rows, job_ids):
            self._wait_with(text, values, bulk=None if job_id is None else bulk, job_id=job_id)

    def later(self, text: str) -> None:
        """Run a statement without values with the next read."""
        self._wait_with(text, ())

    def flush(self) -> None:
        """Run what waits."""
        if self._waiting or self._sent:
            self._exchange()

    def forget(self) -> None:
        """Run nothing of what waits, and ignore what became of the rest: the transaction is being taken back."""
        self._waiting.clear()
        self._save_at = None
        if self._sent:
            # A connection that is lost is found to be when it is used next.
            with suppress(psycopg.OperationalError):
                self._answers()

    def save(self) -> None:
        """Begin a part of the transaction that can be taken back alone."""
        place = len(self._waiting)
        self.later(_SAVE)
        # It may have been sent at once.
        self._save_at = place if self._waiting else None

    def keep(self) -> None:
        """End that part; what of it waits need not be run before the next one begins."""
        if self._save_at is None:
            self.later(_KEEP)
        else:
            # Nothing of it was sent, so nothing of it can be taken back alone any more.
            del self._waiting[self._save_at]
            self._save_at = None
            if len(self._waiting) >= _WORTH_SENDING:
                self._send()

    def take_back(self) -> None:
        """Take back what was run, and waits to be run, since :meth:`save`, and end that part."""
        if self._save_at is not None:
            # Nothing of it was sent.
            del self._waiting[self._save_at :]
            self._save_at = None
        else:
            self._waiting.clear()
            self.later(_TAKE_BACK)
            self.later(_KEEP)

    def _wait_with(
        self,
        text: str,
        values: Sequence[Any],
        *,
        guarded: bool = False,
        bulk: Bulk | None = None,
        job_id: int | None = None,
    ) -> _Statement:
        written = [_WRITERS[type(value)](value) for value in values]
        statement = _Statement(text, written, guarded, bulk, job_id)
        self._waiting.append(statement)
        if len(self._waiting) + len(self._sent) >= _AT_ONCE:
            self._exchange()
        return statement

    def _run(self, text: str, values: Sequence[Any]) -> PGresult:
        statement = _Statement(text, [_WRITERS[type(value)](value) for value in values], guarded=False)
        self._waiting.append(statement)
        self._exchange()
        assert statement.result is not None  # noqa: S101 - it was run, or an error raised
        return statement.result

    def _send(self) -> None:
        """Have the server run what waits, as far as it can be sent without waiting."""
        pgconn = self._pgconn
        if not self._sent:
            pgconn.enter_pipeline_mode()
        statements = _together(self._waiting)
        self._waiting, self._save_at = [], None
        self._sent += statements
        for statement in statements:
            name = self._names.get(statement.text) or self._new.get(statement.text)
            if name is None:
                name = self._new[statement.text] = b"farm_%d" % next(self._numbers)
                pgconn.send_prepare(name, _numbered(statement.text))
            pgconn.send_query_prepared(name, statement.values)
        pgconn.flush()

    def _answers(self) -> Iterator[PGresult]:
        """Return the results of all that was sent, once it was run, and leave the pipeline mode."""
        try:
            self._pgconn.pipeline_sync()
            self._push()
            return iter(list(self._results()))
        finally:
            self._sent, self._new = [], {}
            if self._pgconn.status == ConnStatus.OK:
                self._pgconn.exit_pipeline_mode()

    def _exchange(self) -> None:
        """Run everything that waits in one round trip."""
        self._send()
        statements, new = self._sent, self._new
        results = self._answers()
        for number, statement in enumerate(statements):
            try:
                self._judge(statement, new, results)
            except Exception as error:
                if any(later.text == _SAVE for later in statements[number:]):
                    raise EarlierFailed from error
                raise

    def _judge(self, statement: _Statement, new: dict[str, bytes], results: Iterator[PGresult]) -> None:
        """Give a statement its result, unless it failed; keep its name if that is ``new``, for it was prepared."""
        if statement.text in new:
            self._check(statement, next(results))
            self._names[statement.text] = new.pop(statement.text)
        result = next(results)
        self._check(statement, result)
        if statement.guarded:
            check_written(statement.text, result.command_tuples or 0, statement.rows)
        statement.result = result

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


def _together(statements: Sequence[_Statement]) -> list[_Statement]:
    """Return what does the same with fewer statements: one for all rows of a kind, as far as that changes nothing.

    Rows of different jobs have nothing to do with each other.  So a row is written with others of its kind that come
    before it, unless one of these, or something that is written after them, is of the same job.
    """
    groups: list[list[_Statement]] = []
    last: dict[str, int] = {}
    """Where the last group of a kind is."""
    latest: dict[int, int] = {}
    """Where the last group with a row of a job is."""
    for statement in statements:
        if statement.bulk is None or statement.job_id is None:
            # What is read must find all that was written before it, and nothing else.
            groups.append([statement])
            last.clear()
            continue
        place = last.get(statement.text)
        of_job = latest.get(statement.job_id, -1)
        if place is None or place < of_job or (place == of_job and not statement.bulk.adds):
            place = last[statement.text] = len(groups)
            groups.append([])
        groups[place].append(statement)
        latest[statement.job_id] = place
    return [group[0] if len(group) == 1 else _merged(group) for group in groups]


def _merged(group: Sequence[_Statement]) -> _Statement:
    first = group[0]
    assert first.bulk is not None  # noqa: S101 - else it would be alone
    arrays = first.bulk.arrays([statement.values for statement in group])
    return _Statement(first.bulk.text, arrays, first.guarded, rows=len(group))


@cache
def _numbered(text: str) -> bytes:
    """Return a statement with its places numbered, as PostgreSQL itself has them, for SQLAlchemy's %s."""
    numbers = count(1)
    return re.sub("%[s%]", lambda found: f"${next(numbers)}" if found[0] == "%s" else "%", text).encode()
