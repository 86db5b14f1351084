"""Statements that are compiled once, on every database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.exc import CompileError, DBAPIError, MultipleResultsFound, NoResultFound

from coordinator.db.driver import StaleWrite
from coordinator.db.engine import Database, Transaction
from coordinator.db.schema import tokens
from coordinator.db.statement import Change, Command, Query, bound, driver_error, record_maker, records, scalars
from coordinator.domain.tokens import Token, TokenKind
from tests.conformance.farm import SetClock

_COLUMNS = tuple(tokens.c[name] for name in reversed(Token.__slots__))
_GIVEN = ("kind", "name", "digest", "single_use", "created_at", "expires_at")

INSERT = Command(insert(tokens).values(bound(_GIVEN)))
ALL = records(select(*_COLUMNS).order_by(tokens.c.id), Token)
NAMED = records(select(*_COLUMNS).where(tokens.c.name == bindparam("name")), Token)
CHANGE = Change(update(tokens).where(tokens.c.name == bindparam("of_name")), Token)


def row(tx: Transaction, name: str, **changes: Any) -> dict[str, Any]:
    """Return the values of a token."""
    who = {"kind": TokenKind.JOIN, "name": name, "digest": f"of {name}", "single_use": False}
    return {**who, "created_at": tx.now, "expires_at": None, **changes}


async def test_values_go_through_their_types_both_ways(database: Database, clock: SetClock) -> None:
    until = clock.now + timedelta(microseconds=1)

    def write(tx: Transaction) -> int:
        return INSERT.run(tx.conn, **row(tx, "50% of 'all'\0", digest="d", expires_at=until))

    assert await database.write(write) == 1
    (token,) = await database.read(lambda tx: ALL.all(tx.conn))
    assert token == Token(
        id=token.id,
        kind=TokenKind.JOIN,
        name="50% of 'all'\ufffd",
        agent_id=None,
        single_use=False,
        created_at=clock.now,
        expires_at=until,
    )
    assert type(token.kind) is TokenKind
    assert token.created_at.tzinfo is not None


async def test_many_rows_are_written_in_their_order(database: Database) -> None:
    names = [f"token {number}" for number in range(30)]
    await database.write(lambda tx: INSERT.many(tx.conn, [row(tx, name) for name in names]))
    assert [token.name for token in await database.read(lambda tx: ALL.all(tx.conn))] == names


async def test_a_command_tells_how_many_rows_it_wrote(database: Database) -> None:
    revoke = Command(
        update(tokens)
        .where(tokens.c.kind == TokenKind.JOIN, tokens.c.name != bindparam("but"))
        .values(revoked_at=bindparam("now"))
    )
    remove = Command(delete(tokens).where(tokens.c.revoked_at == bindparam("then")))

    def write(tx: Transaction) -> tuple[int, int, int]:
        INSERT.many(tx.conn, [row(tx, name) for name in "abc"])
        INSERT.run(tx.conn, **row(tx, "d", kind=TokenKind.ADMIN))
        counts = (revoke.run(tx.conn, but="b", now=tx.now), revoke.run(tx.conn, but="b", now=tx.now))
        return (*counts, remove.run(tx.conn, then=tx.now + timedelta(seconds=1)))

    assert await database.write(write) == (2, 2, 0)


async def test_one_row_is_one_row(database: Database) -> None:
    count = scalars(select(func.count()).select_from(tokens).where(tokens.c.kind == literal_column("'join'")), int)
    ids = scalars(select(tokens.c.id), int)

    def write(tx: Transaction) -> None:
        assert ids.one_or_none(tx.conn) is None
        with pytest.raises(NoResultFound):
            ids.one(tx.conn)
        INSERT.run(tx.conn, **row(tx, "a"))
        assert ids.one(tx.conn) == ids.one_or_none(tx.conn)
        INSERT.run(tx.conn, **row(tx, "b"))
        for ask in (ids.one, ids.one_or_none):
            with pytest.raises(MultipleResultsFound):
                ask(tx.conn)
        assert count.one(tx.conn) == len(ids.all(tx.conn)) == 2

    await database.write(write)


async def test_a_change_sets_the_columns_that_a_call_names(database: Database, clock: SetClock) -> None:
    def write(tx: Transaction) -> None:
        INSERT.many(tx.conn, [row(tx, name) for name in "ab"])
        before = NAMED.one(tx.conn, name="a")
        changed = CHANGE.of(tx.conn, before, {"kind": TokenKind.ADMIN, "expires_at": tx.now}, of_name="a")
        assert changed == NAMED.one(tx.conn, name="a")
        assert (changed.kind, changed.expires_at, changed.name) == (TokenKind.ADMIN, clock.now, "a")
        # As the type of the column keeps it.
        again = CHANGE.of(tx.conn, changed, {"name": "c\0"}, of_name="a")
        assert again == NAMED.one(tx.conn, name="c\ufffd")
        assert again.kind == TokenKind.ADMIN
        assert NAMED.one(tx.conn, name="b").kind == TokenKind.JOIN
        with pytest.raises(CompileError, match="colour"):
            CHANGE.of(tx.conn, again, {"colour": "red"}, of_name="b")

    await database.write(write)


async def test_what_must_write_one_row_takes_all_back_if_it_does_not(database: Database) -> None:
    def change_what_is_gone(tx: Transaction, name: str) -> None:
        INSERT.must(tx.conn, **row(tx, name))
        before = NAMED.one(tx.conn, name=name)
        CHANGE.of(tx.conn, before, {"name": "b"}, of_name="a")

    await database.write(change_what_is_gone, "a")
    with pytest.raises(StaleWrite, match="UPDATE tokens"):
        await database.write(change_what_is_gone, "c")
    assert [token.name for token in await database.read(lambda tx: ALL.all(tx.conn))] == ["b"]


async def test_what_is_written_is_there_for_whatever_reads_next(database: Database) -> None:
    names = [f"token {number}" for number in range(500)]

    def write(tx: Transaction) -> None:
        INSERT.must(tx.conn, **row(tx, "first"))
        assert ALL.one(tx.conn).name == "first"
        INSERT.many(tx.conn, [row(tx, name) for name in names])
        assert tx.conn.execute(select(func.count()).select_from(tokens)).scalar_one() == 501
        CHANGE.of(tx.conn, NAMED.one(tx.conn, name="first"), {"name": "last"}, of_name="first")

    await database.write(write)
    assert [token.name for token in await database.read(lambda tx: ALL.all(tx.conn))] == ["last", *names]


async def test_a_write_that_fails_late_is_named_by_its_error(database: Database) -> None:
    def twice(tx: Transaction) -> None:
        INSERT.must(tx.conn, **row(tx, "a"))
        INSERT.must(tx.conn, **row(tx, "a"))
        ALL.all(tx.conn)

    with pytest.raises(Exception, match=r"(?i)unique") as raised:
        await database.write(twice)
    assert any("INSERT INTO tokens" in note for note in raised.value.__notes__)
    assert await database.read(lambda tx: ALL.all(tx.conn)) == []


async def test_values_that_are_not_bound_or_missing_are_a_defect(database: Database) -> None:
    def read(tx: Transaction) -> None:
        for values in ({}, {"name": "a", "kind": "join"}, {"names": "a"}):
            with pytest.raises(TypeError, match="name"):
                NAMED.all(tx.conn, **values)
        several = Query(select(tokens.c.id).where(tokens.c.name.in_(bindparam("names"))), tuple)
        with pytest.raises(TypeError, match="each member"):
            several.all(tx.conn, names=["a", "b"])

    await database.read(read)


async def test_members_of_a_list_are_bound_one_by_one(database: Database) -> None:
    either = [bindparam("one", type_=tokens.c.name.type), bindparam("other", type_=tokens.c.name.type)]
    query = Query(select(tokens.c.name, tokens.c.kind).where(tokens.c.name.in_(either)).order_by(tokens.c.name), tuple)

    def write(tx: Transaction) -> list[tuple[Any, ...]]:
        INSERT.many(tx.conn, [row(tx, name) for name in "abc"])
        return query.all(tx.conn, one="a", other="c")

    assert await database.write(write) == [("a", TokenKind.JOIN), ("c", TokenKind.JOIN)]


async def test_errors_are_the_drivers_and_name_the_statement(database: Database) -> None:
    def twice(tx: Transaction) -> None:
        INSERT.run(tx.conn, **row(tx, "a"))
        INSERT.run(tx.conn, **row(tx, "a"))

    def twice_by_sqlalchemy(tx: Transaction) -> None:
        tx.conn.execute(insert(tokens), [row(tx, "a"), row(tx, "a")])

    with pytest.raises(Exception, match=r"(?i)unique") as raised:
        await database.write(twice)
    assert type(raised.value).__module__.partition(".")[0] in ("sqlite3", "psycopg")
    assert any("INSERT INTO tokens" in note for note in raised.value.__notes__)
    assert driver_error(raised.value) is raised.value
    with pytest.raises(DBAPIError) as wrapped:
        await database.write(twice_by_sqlalchemy)
    assert type(driver_error(wrapped.value)) is type(raised.value)
    # What failed took its own changes back.
    assert await database.read(lambda tx: ALL.all(tx.conn)) == []


def test_a_record_is_made_of_its_very_columns() -> None:
    @dataclass(frozen=True, slots=True)
    class Pair:
        one: int
        two: int

    @dataclass(frozen=True, slots=True)
    class Sorted(Pair):
        def __post_init__(self) -> None:
            raise AssertionError

    assert record_maker(Pair, ("two", "one"))([2, 1]) == Pair(1, 2)
    for names in (("one",), ("one", "two", "three"), ("one", "one"), ("one", "two", "two")):
        with pytest.raises(TypeError, match="Pair"):
            record_maker(Pair, names)
    with pytest.raises(TypeError, match="Sorted"):
        record_maker(Sorted, ("one", "two"))
