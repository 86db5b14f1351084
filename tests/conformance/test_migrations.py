"""The migrations make exactly the schema that the code describes, on every database."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, create_engine, text

from coordinator.db.engine import Database, open_database
from coordinator.db.migrate import SchemaTooNew, current_revision, newest_revision
from coordinator.db.schema import metadata
from tests.conformance.farm import SetClock

Shape = set[tuple[str, ...]]


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Database]:
    """A database without tables."""
    database = await asyncio.to_thread(open_database, empty_database_url, SetClock())
    yield database
    await database.close()


def shape(conn: Connection) -> Shape:
    """Return every column, index and constraint as the database itself describes it."""
    if conn.dialect.name == "sqlite":
        rows = conn.execute(text("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        # The order of a table's constraints means nothing.
        return {
            (row.type, row.name, line.strip().rstrip(","))
            for row in rows
            for line in (re.sub(r'"(\w+)"', r"\1", row.sql).splitlines())
            if "alembic" not in row.name
        }
    columns = """
        SELECT 'column', table_name, column_name, data_type || coalesce(character_maximum_length, 0), is_nullable,
               coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public'"""
    indexes = "SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    constraints = """
        SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace"""
    described = {tuple(row) for query in (columns, indexes, constraints) for row in conn.execute(text(query))}
    return {row for row in described if "alembic" not in row[1]}


async def test_migrations_make_the_schema(empty: Database) -> None:
    await asyncio.to_thread(empty.migrate)
    migrated = await empty.read(lambda tx: shape(tx.conn))
    assert len(migrated) > 100

    def create_anew(conn: Connection) -> Shape:
        metadata.drop_all(conn)
        metadata.create_all(conn)
        return shape(conn)

    described = await empty.write(lambda tx: create_anew(tx.conn))
    assert migrated == described


async def test_migrating_twice_and_at_once_does_it_once(empty_database_url: str) -> None:
    """As when two coordinators start side by side on a new database."""

    def open_two() -> list[Database]:
        return [open_database(empty_database_url, SetClock()) for _ in range(2)]

    databases = await asyncio.to_thread(open_two)
    await asyncio.gather(*(asyncio.to_thread(database.migrate) for database in databases))
    await asyncio.to_thread(databases[0].migrate)
    newest = await asyncio.to_thread(newest_revision)
    revisions = [await database.read(lambda tx: current_revision(tx.conn)) for database in databases]
    for database in databases:
        await database.close()
    assert revisions == [newest, newest]


async def test_a_database_of_a_newer_version_is_left_alone(empty: Database) -> None:
    await asyncio.to_thread(empty.migrate)
    await empty.write(lambda tx: tx.conn.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(SchemaTooNew, match="made by a newer version"):
        await asyncio.to_thread(empty.migrate)


def test_the_newest_revision_is_the_only_head() -> None:
    assert newest_revision() == "0001"
    # Migrations must run without the code's own tables, which go on changing: this one has none of them.
    with create_engine("sqlite://").connect() as conn:
        assert current_revision(conn) is None
