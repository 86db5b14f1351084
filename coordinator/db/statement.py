"""Statements that are compiled once and then run on the driver's own cursor.

SQLAlchemy says what a statement is: in the SQL of every database, and with the types of the columns.  Having it find,
execute and convert a statement each time costs many times what SQLite takes to run it, and a lease takes a dozen.  So
a :class:`Query`, :class:`Command` or :class:`Change` is made once, when its module is imported; it keeps the text that
SQLAlchemy compiled for each dialect, and the conversions of the types for what goes in and what comes out.

Lists with optional filters, and what is seldom asked, are better written as ordinary SQLAlchemy; both can be mixed in a
transaction.  What fails raises the error of the driver, which :func:`driver_error` finds in one of SQLAlchemy's too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import BindParameter, Connection, Delete, Dialect, Insert, Select, Update, bindparam
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType, TypeEngine

from coordinator.db.bulk import Bulk, bulk_of
from coordinator.db.driver import Driver, Rows, driver_of
from coordinator.db.types import PlainText, plain

T = TypeVar("T")

_Statement = Select[Any] | Insert | Update | Delete
_Convert = Callable[[Any], Any]
_Converts = Sequence[tuple[int, _Convert]]


class Command:
    """An INSERT, UPDATE or DELETE, or a SELECT whose rows no one reads."""

    def __init__(self, statement: _Statement, *, job: str | None = None) -> None:
        """Take a statement whose values are bound by name.

        ``job`` is the name of the value that tells the job of the row: rows of different jobs may be written in another
        order than they are given in, and so together.
        """
        # Not inline, PostgreSQL would be asked for the new row's key.
        self._prepared = _Prepared(statement.inline() if isinstance(statement, Insert) else statement)
        self._job = job

    def run(self, conn: Connection, **values: object) -> int:
        """Run it and return how many rows it wrote."""
        driver, compiled = self._prepared.on(conn)
        return driver.count(compiled.text, compiled.bind(values))

    def must(self, conn: Connection, **values: object) -> None:
        """Write one row, now or before anything is read or the transaction ends.

        Raises:
            StaleWrite: it would be no row, or several; as any error, then.
        """
        job: Any = None if self._job is None else values[self._job]
        self.must_of_job(conn, job, values)

    def must_of_job(self, conn: Connection, job_id: int | None, values: Mapping[str, object]) -> None:
        """Do as :meth:`must` does, for a row of a job, with None of none in particular."""
        driver, compiled = self._prepared.on(conn)
        driver.must(compiled.text, compiled.bind(values), None if job_id is None else compiled.bulk, job_id)

    def many(self, conn: Connection, rows: Iterable[Mapping[str, object]]) -> None:
        """Run it for each of the rows, in their order; when, is as with :meth:`must`."""
        driver, compiled = self._prepared.on(conn)
        rows = list(rows)
        if self._job is None:
            driver.many(compiled.text, [compiled.bind(values) for values in rows])
        else:
            jobs: list[Any] = [values[self._job] for values in rows]
            driver.many(compiled.text, [compiled.bind(values) for values in rows], compiled.bulk, jobs)


class Query(Generic[T]):
    """A statement that returns rows: a SELECT, or a change with RETURNING."""

    def __init__(self, statement: _Statement, make: Callable[[Sequence[Any]], T]) -> None:
        """Take a statement whose values are bound by name, and what makes a result of a row's values."""
        self._prepared = _Prepared(statement)
        self._columns = _columns(statement)
        self._make = make
        self._converts: dict[str, _Converts] = {}

    def all(self, conn: Connection, **values: object) -> list[T]:
        """Run it and return the results of all rows."""
        driver, compiled = self._prepared.on(conn)
        return self._results(conn, *driver.rows(compiled.text, compiled.bind(values)))

    def ask(self, conn: Connection, **values: object) -> Callable[[], list[T]]:
        """Run it with whatever is run next; what is returned returns the results of all rows, and waits for them."""
        driver, compiled = self._prepared.on(conn)
        answer = driver.ask(compiled.text, compiled.bind(values))
        return lambda: self._results(conn, *answer())

    def ask_for_one(self, conn: Connection, **values: object) -> Callable[[], T | None]:
        """As :meth:`ask`, of a statement that is sure to return one row at most."""
        answer = self.ask(conn, **values)
        return lambda: next(iter(answer()), None)

    def _results(self, conn: Connection, rows: Rows, types: Sequence[Any]) -> list[T]:
        if not rows:
            return []
        converts = self._converts.get(conn.dialect.name)
        if converts is None:
            converts = self._converts[conn.dialect.name] = _result_converts(self._columns, conn.dialect, types)
        return [self._result(row, converts) for row in rows]

    def one_or_none(self, conn: Connection, **values: object) -> T | None:
        """Run it and return the result of its only row, None if there is no row.

        Raises:
            sqlalchemy.exc.MultipleResultsFound: there are several.
        """
        found = self.all(conn, **values)
        if len(found) > 1:
            raise MultipleResultsFound(f"{len(found)} rows where one was expected: {self._prepared}")
        return found[0] if found else None

    def one(self, conn: Connection, **values: object) -> T:
        """Run it and return the result of its only row.

        Raises:
            sqlalchemy.exc.NoResultFound: there is none.
            sqlalchemy.exc.MultipleResultsFound: there are several.
        """
        found = self.all(conn, **values)
        if len(found) != 1:
            kind = MultipleResultsFound if found else NoResultFound
            raise kind(f"{len(found)} rows where one was expected: {self._prepared}")
        return found[0]

    def _result(self, row: Sequence[Any], converts: _Converts) -> T:
        values = list(row)
        for index, convert in converts:
            if values[index] is not None:
                values[index] = convert(values[index])
        return self._make(values)


class Change(Generic[T]):
    """An UPDATE of one row, that sets the columns which each call names."""

    def __init__(self, statement: Update, record: type[T], *, job: str | None = None) -> None:
        """Take a statement that sets nothing as yet, and the kind of records of its table's rows.

        No name that it binds may be a column's.  ``job`` is the column that tells the job of a row, as with
        :class:`Command`.
        """
        self._statement = statement
        self._job = job
        self._names = tuple(field.name for field in fields(record))  # type: ignore[arg-type]  # as in record_maker
        self._places = {name: place for place, name in enumerate(self._names)}
        self._values_of = attrgetter(*self._names)
        self._make = record_maker(record, self._names)
        self._texts = {column.name for column in statement.table.c if isinstance(column.type, PlainText)}
        self._commands: dict[tuple[str, ...], Command] = {}

    def of(self, conn: Connection, before: T, changed: Mapping[str, object], **values: object) -> T:
        """Set the columns in ``changed`` where the statement says; return the record ``before`` as it is then.

        It is written as by :meth:`Command.must`.

        Raises:
            StaleWrite: there is no such row, or several.
            sqlalchemy.exc.CompileError: there is no such column.
        """
        # The callers are few, and each names its columns in its own fixed order.
        names = tuple(changed)
        command = self._commands.get(names)
        if command is None:
            command = self._commands[names] = Command(self._statement.values(bound(names)))
        job_id = None if self._job is None else getattr(before, self._job)
        command.must_of_job(conn, job_id, {**changed, **values})
        record = list(self._values_of(before))
        for name, value in changed.items():
            record[self._places[name]] = plain(value) if name in self._texts and isinstance(value, str) else value
        return self._make(record)


def bound(names: Iterable[str]) -> dict[str, BindParameter[Any]]:
    """Return what sets each of these columns to the value that is bound by its name."""
    return {name: bindparam(name) for name in names}


def records(statement: _Statement, record: type[T]) -> Query[T]:
    """Return a query for records: a dataclass with slots whose fields are the statement's columns, in any order."""
    return Query(statement, record_maker(record, [column.name for column in _columns(statement)]))


def scalars(statement: _Statement, kind: type[T]) -> Query[T]:  # noqa: ARG001 - tells the type checker what T is
    """Return a query for the values, of one kind, of a single column."""
    return Query(statement, lambda values: values[0])


def record_maker(record: type[T], names: Sequence[str]) -> Callable[[Sequence[Any]], T]:
    """Return what makes a record of the values of its fields, given in the order of ``names``.

    Raises:
        TypeError: they are not the fields of the record, or it does more than take their values.
    """
    known = {field.name for field in fields(record)}  # type: ignore[arg-type]  # T can't be bound to dataclasses
    if known != set(names) or len(known) != len(names) or hasattr(record, "__post_init__"):
        raise TypeError(f"a {record.__name__} is not made of the columns {', '.join(names)}")
    # Its own __init__ takes eight times as long for the fifty columns of a job: keywords in, one by one.
    setters = [vars(record)[name].__set__ for name in names]

    def make(values: Sequence[Any]) -> T:
        made = object.__new__(record)
        for setter, value in zip(setters, values, strict=True):
            setter(made, value)
        return made

    return make


def driver_error(error: BaseException) -> BaseException:
    """Return the driver's error that SQLAlchemy wrapped, or the error itself."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as one dialect has it."""

    text: str
    names: Sequence[str]
    """What is bound, in the order of its places in the text."""
    asked: frozenset[str]
    """Names whose values each run gives."""
    fixed: Mapping[str, object]
    """Values that the statement itself gives."""
    converts: _Converts
    """Of places whose values the driver does not take as they are."""
    bulk: Bulk | None
    """What writes many rows, where one for each costs more."""

    def bind(self, values: Mapping[str, object]) -> list[Any]:
        """Return what the driver binds."""
        if values.keys() != self.asked:
            raise TypeError(f"{sorted(values)} are given where {sorted(self.asked)} are bound: {self.text}")
        if self.fixed:
            values = {**values, **self.fixed}
        bound: list[Any] = [values[name] for name in self.names]
        for index, convert in self.converts:
            value = bound[index]
            if value is not None:
                bound[index] = convert(value)
        return bound


class _Prepared:
    """A statement, compiled when it is first run on each dialect."""

    def __init__(self, statement: _Statement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def __str__(self) -> str:
        return str(self._statement)

    def on(self, conn: Connection) -> tuple[Driver, _Compiled]:
        """Return what runs it on a connection, and how it is written there."""
        dialect = conn.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self._statement, dialect)
        return driver_of(conn), compiled


def _compile(statement: _Statement, dialect: Dialect) -> _Compiled:
    compiled = statement.compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler) or compiled.positiontup is None:
        raise TypeError(f"the engine of {dialect.name} does not bind values by their places")
    if compiled.post_compile_params:
        raise TypeError(f"bind each member of a list by a name of its own: {compiled}")
    names = tuple(compiled.positiontup)
    binds = [compiled.binds[name] for name in names]
    converts = []
    for index, bind in enumerate(binds):
        convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None:
            converts.append((index, convert))
    return _Compiled(
        text=str(compiled),
        names=names,
        asked=frozenset(name for name, bind in zip(names, binds, strict=True) if bind.required),
        fixed={name: bind.effective_value for name, bind in zip(names, binds, strict=True) if not bind.required},
        converts=converts,
        bulk=_bulk(str(compiled), [bind.type for bind in binds], dialect),
    )


def _bulk(text: str, types: Sequence[TypeEngine[Any]], dialect: Dialect) -> Bulk | None:
    if dialect.name != "postgresql" or any(isinstance(kind, NullType) for kind in types):
        return None
    return bulk_of(text, [kind.compile(dialect) for kind in types])


def _result_converts(columns: Sequence[ColumnElement[Any]], dialect: Dialect, types: Sequence[Any]) -> _Converts:
    """Return how the values that a driver returns become what the columns' types say."""
    converts = []
    for index, (column, kind) in enumerate(zip(columns, types, strict=True)):
        # Some types ask which type of the database the driver has read.
        convert = column.type.dialect_impl(dialect).result_processor(dialect, kind)
        if convert is not None:
            converts.append((index, convert))
    return converts


def _columns(statement: _Statement) -> Sequence[ColumnElement[Any]]:
    return statement.exported_columns.values()
