"""Every database in turn, with the current schema; its invariants are checked when a test is over."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coordinator.db.engine import Database, open_database
from tests.conformance.farm import Farm, SetClock
from tests.conformance.postgres import Server, running_server
from tests.conformance.steps import check_farm

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, one for each worker of the test run."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: Server) -> str:
    """The name of a database with the current schema, to be copied."""
    name = postgres.create()
    _migrate(postgres.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the current schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database with the current schema, of each kind in turn."""
    if request.param == "sqlite":
        path = tmp_path / "farm.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        server: Server = request.getfixturevalue("postgres")
        name = server.create(request.getfixturevalue("postgres_template"))
        yield server.url(name)
        server.drop(name)


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database without any table, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: Server = request.getfixturevalue("postgres")
        name = server.create()
        yield server.url(name)
        server.drop(name)


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands still until told otherwise."""
    return SetClock()


@pytest.fixture
async def database(database_url: str, clock: SetClock) -> AsyncIterator[Database]:
    """An open database of each kind in turn."""
    opened = await asyncio.to_thread(open_database, database_url, clock)
    yield opened
    await opened.read(check_farm)
    await opened.close()


@pytest.fixture
async def neighbour(database_url: str, clock: SetClock) -> AsyncIterator[Database]:
    """A second coordinator's database, opened on the same tables and listening."""
    opened = await asyncio.to_thread(open_database, database_url, clock)
    await opened.write(lambda _: None)
    yield opened
    await opened.close()


@pytest.fixture
def farm(database: Database, clock: SetClock) -> Farm:
    """The use cases over an empty database."""
    return Farm(database, clock)


def _migrate(url: str) -> None:
    with opened(url) as database:
        database.migrate()


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open a database outside of any event loop."""
    database = open_database(url, SetClock())
    try:
        yield database
    finally:
        asyncio.run(database.close())
