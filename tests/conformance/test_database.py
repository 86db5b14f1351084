"""What every kind of database does with the functions it is given."""

import asyncio
import threading

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from coordinator.db.engine import WORK, Database, DatabaseClosed, DatabaseFull, Notice, Transaction, open_database
from coordinator.db.postgresql import WRITERS
from coordinator.db.schema import blobs
from tests.conformance.farm import SetClock, digest


def add(tx: Transaction, name: str, size: int = 1) -> str:
    """Add a row."""
    tx.conn.execute(insert(blobs).values(sha256=digest(name), size=size, stored_at=tx.now, touched_at=tx.now))
    tx.notify(Notice(kind="job", id=size))
    return name


def known(tx: Transaction) -> set[str]:
    """Return what is there."""
    return set(tx.conn.execute(select(blobs.c.sha256)).scalars())


async def test_what_fails_takes_back_its_own_changes_only(database: Database) -> None:
    def add_and_fail(tx: Transaction, name: str) -> None:
        add(tx, name)
        raise LookupError(name)

    def break_a_rule(tx: Transaction, name: str) -> None:
        add(tx, name, size=-1)

    results = await asyncio.gather(
        database.write(add, "a"),
        database.write(add_and_fail, "b"),
        database.write(add, "c"),
        database.write(break_a_rule, "d"),
        database.write(add, "a"),
        database.write(add, "e"),
        return_exceptions=True,
    )
    kinds = [type(result) for result in results]
    assert kinds[1:4] == [LookupError, str, IntegrityError]
    # Which of the two is first is not said where several connections write.
    assert {kinds[0], kinds[4]} == {str, IntegrityError}
    assert await database.read(known) == {digest("a"), digest("c"), digest("e")}


async def test_notices_are_published_after_the_commit_and_only_then(database: Database) -> None:
    heard: asyncio.Queue[Notice] = asyncio.Queue()
    unsubscribe = database.subscribe(heard.put_nowait)

    def twice(tx: Transaction) -> None:
        tx.notify(WORK)
        tx.notify(WORK)

    def fail(tx: Transaction) -> None:
        tx.notify(Notice(kind="job", id=1))
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(fail)
    await database.write(twice)
    await database.write(add, "a", 7)
    assert await heard.get() == WORK
    assert await heard.get() == Notice(kind="job", id=7)
    unsubscribe()
    unsubscribe()
    await database.write(twice)
    await database.read(known)
    assert heard.empty()


async def test_readers_see_one_state_and_cannot_write(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def read_twice(tx: Transaction) -> tuple[set[str], set[str]]:
        before = known(tx)
        begun.set()
        go_on.wait(20)
        return before, known(tx)

    reading = asyncio.ensure_future(database.read(read_twice))
    await asyncio.to_thread(begun.wait, 20)
    await database.write(add, "a")
    go_on.set()
    assert await reading == (set(), set())
    assert await database.read(known) == {digest("a")}
    with pytest.raises(DBAPIError):
        await database.read(add, "b")


async def test_a_write_is_carried_to_its_end_when_no_one_waits_any_more(database_url: str, clock: SetClock) -> None:
    database = await asyncio.to_thread(open_database, database_url, clock)
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        begun.set()
        go_on.wait(20)
        add(tx, "a")

    writing = asyncio.ensure_future(database.write(slow))
    await asyncio.to_thread(begun.wait, 20)
    writing.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await database.close()
    with pytest.raises(DatabaseClosed):
        await database.write(add, "b")
    with pytest.raises(DatabaseClosed):
        await database.read(known)
    again = await asyncio.to_thread(open_database, database_url, clock)
    assert await again.read(known) == {digest("a")}
    await again.close()


async def test_closing_finishes_what_was_asked_for(database_url: str, clock: SetClock) -> None:
    database = await asyncio.to_thread(open_database, database_url, clock)
    writes = [asyncio.ensure_future(database.write(add, str(number))) for number in range(200)]
    await asyncio.sleep(0)  # each gets as far as its queue
    await database.close()
    await database.close()
    assert await asyncio.gather(*writes) == [str(number) for number in range(200)]


def grow(tx: Transaction, name: str) -> None:
    """Change a row, which locks it."""
    tx.conn.execute(text("UPDATE blobs SET size = size + 1 WHERE sha256 = :name"), {"name": digest(name)})


def sizes(tx: Transaction) -> dict[str, int]:
    """Return how large everything is."""
    return {row.sha256: row.size for row in tx.conn.execute(select(blobs))}


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_transaction_that_lost_a_race_is_run_again(database: Database, neighbour: Database) -> None:
    """Two take the same two rows in opposite order: PostgreSQL ends one of them, and it is run again."""
    await database.write(add, "a")
    await database.write(add, "b")
    both_hold_one = threading.Barrier(2)
    runs: list[str] = []

    def take(tx: Transaction, first: str, second: str) -> None:
        runs.append(first)
        for name in (first, second):
            grow(tx, name)
            if name == first and runs.count(first) == 1:
                both_hold_one.wait(20)

    await asyncio.gather(database.write(take, "a", "b"), neighbour.write(take, "b", "a"))
    assert sorted(runs) in (["a", "a", "b"], ["a", "b", "b"])
    assert await database.read(sizes) == {digest("a"): 3, digest("b"): 3}


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_no_unit_of_a_group_waits_with_the_locks_of_those_before_it(
    database: Database, neighbour: Database
) -> None:
    """Two are run together; the second meets a lock of one that waits for the first: the first is committed."""
    for name in "abc":
        await database.write(add, name)
    holds_b, a_is_free = threading.Event(), threading.Event()

    def take_b_and_then_a(tx: Transaction) -> None:
        grow(tx, "b")
        holds_b.set()
        a_is_free.wait(20)
        grow(tx, "a")

    taking = asyncio.ensure_future(neighbour.write(take_b_and_then_a))
    assert await asyncio.to_thread(holds_b.wait, 20)
    # While every thread that writes is busy, a group gathers.
    begun, go_on = threading.Semaphore(0), threading.Event()

    def be_busy(_: Transaction) -> None:
        begun.release()
        go_on.wait(20)

    busy = []
    for _ in range(WRITERS):
        busy.append(asyncio.ensure_future(database.write(be_busy)))
        assert await asyncio.to_thread(begun.acquire, timeout=20)
    first, second, third = (asyncio.ensure_future(database.write(grow, name)) for name in "abc")
    await asyncio.sleep(0)  # each gets as far as the queue
    go_on.set()
    await first
    a_is_free.set()
    await asyncio.gather(taking, second, third, *busy)
    assert await database.read(sizes) == {digest("a"): 3, digest("b"): 3, digest("c"): 2}


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_other_urls_are_refused_with_what_is_possible(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///PATH"):
        open_database(url, SetClock())


async def test_a_full_disk_changes_nothing_and_passes(database: Database) -> None:
    def limit(tx: Transaction, pages: int) -> None:
        tx.conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def overflow(tx: Transaction) -> None:
        add(tx, "a")
        if database.kind == "postgresql":
            # What the server says when its disk is full, which cannot be brought about here.
            tx.conn.exec_driver_sql("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$")
        for number in range(1000):
            add(tx, f"b{number}")

    if database.kind == "sqlite":
        await database.write(limit, 1)
    with pytest.raises(DatabaseFull):
        await database.write(overflow)
    assert await database.read(known) == set()
    if database.kind == "sqlite":
        await database.write(limit, 1_000_000)
    await database.write(add, "a")
    assert await database.read(known) == {digest("a")}
