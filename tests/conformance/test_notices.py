"""What a transaction leaves behind beside its rows: its events in order, charges, the board, and other coordinators."""

import asyncio
import random
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from coordinator.db import board, events, jobs, users
from coordinator.db.engine import NEWS, REVOKED, VIDEO, WORK, Database, Notice, Transaction, open_database
from coordinator.db.schema import events as event_rows
from coordinator.domain.board import Board, SlotOffer
from coordinator.domain.matching import Capability
from coordinator.domain.model import Job
from coordinator.services import control
from tests.conformance.farm import Farm, SetClock
from tests.conformance.postgres import Server

ANY_SLOT = SlotOffer(
    agent_id=1,
    slot=0,
    capability=Capability(
        tags=frozenset(),
        pools=frozenset(),
        blender=405,
        engines=frozenset(),
        device="CPU",
        platform="linux",
        ram_bytes=1 << 40,
        vram_bytes=None,
    ),
)


class Heard:
    """What a database published."""

    def __init__(self, database: Database) -> None:
        self.notices: list[Notice] = []
        self._more = asyncio.Event()
        database.subscribe(self._on_notice)

    def _on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)
        self._more.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when ``condition`` holds, looking whenever something was heard."""
        async with asyncio.timeout(20):
            while not condition():
                self._more.clear()
                await self._more.wait()


def shown(database: Database, clock: SetClock) -> list[int]:
    """Return the jobs that the database's board has for a slot."""
    return database.board.candidates(ANY_SLOT, clock())


def set_priority(tx: Transaction, job_id: int, priority: int) -> None:
    """Change a job's place on the board."""
    job = jobs.lock(tx.conn, job_id)
    assert job is not None
    tx.changed_jobs[job_id] = jobs.change(tx.conn, job, priority=priority)


async def test_duties_are_woken_when_there_is_something_for_them_and_not_with_each_frame(
    database: Database, farm: Farm
) -> None:
    heard, ant = Heard(database), await farm.agent()
    await farm.submit("1-2", video=True, chunk_frames=1)
    await farm.deliver_all(ant, await farm.must_lease(ant))
    await database.write(Transaction.notify, REVOKED)
    await heard.until(lambda: REVOKED in heard.notices)
    assert not {VIDEO, NEWS} & set(heard.notices)
    await farm.deliver_all(ant, await farm.must_lease(ant))
    await heard.until(lambda: VIDEO in heard.notices)
    job = await farm.submit("1-2")
    await database.write(control.cancel, job.id, "ana")
    await heard.until(lambda: NEWS in heard.notices)


async def test_events_are_written_in_order_and_seen_by_those_who_ask(database: Database, farm: Farm) -> None:
    job = await farm.submit()

    def tell(tx: Transaction) -> list[str]:
        for number in range(3):
            events.append(tx, "told", f"{number}", job_id=job.id)
        seen = [line.rpartition(" ")[2] for line in events.history(tx, job_id=job.id)]
        events.append(tx, "told", "3", job_id=job.id, data={"a": 1})
        return seen

    def tell_and_fail(tx: Transaction) -> None:
        events.append(tx, "told", "no", job_id=job.id)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(tell_and_fail)
    assert (await database.write(tell))[-3:] == ["0", "1", "2"]
    page = await database.read(events.page, job.id, None, 100)
    assert [event.message for event in page if event.kind == "told"] == ["0", "1", "2", "3"]
    assert page[-1].data == {"a": 1}
    ids = await database.read(lambda tx: list(tx.conn.scalars(select(event_rows.c.id).order_by(event_rows.c.id))))
    assert [event.id for event in page] == [number for number in ids if number in {event.id for event in page}]


async def test_charges_of_a_transaction_are_summed_up(database: Database) -> None:
    def charge(tx: Transaction) -> None:
        users.insert_user(tx.conn, "bo", 5.0)
        users.insert_user(tx.conn, "ana", 5.0)
        for seconds in (10.0, -4.0):
            tx.charge("bo", seconds)
        # Nobody is given less than nothing.
        tx.charge("ana", -20.0)

    await database.write(charge)
    assert await database.read(lambda tx: [(user.name, user.vtime) for user in users.everyone(tx.conn)]) == [
        ("ana", 0.0),
        ("bo", 11.0),
    ]


async def test_the_board_shows_what_was_committed_and_nothing_else(
    database: Database, farm: Farm, clock: SetClock
) -> None:
    first, second = await farm.submit(), await farm.submit()
    assert shown(database, clock) == [first.id, second.id]

    def prefer_and_fail(tx: Transaction) -> None:
        set_priority(tx, second.id, 90)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(prefer_and_fail)
    assert shown(database, clock) == [first.id, second.id]
    await database.write(set_priority, second.id, 90)
    assert shown(database, clock) == [second.id, first.id]

    def forget(tx: Transaction) -> None:
        tx.changed_jobs[second.id] = None

    await database.write(forget)
    assert shown(database, clock) == [first.id]
    # The job is there all the same.
    database.board.invalidate()


async def test_a_new_coordinator_has_the_board_of_the_last_one(
    database: Database, farm: Farm, database_url: str, clock: SetClock
) -> None:
    job = await farm.submit()
    await database.write(lambda _: None)
    opened = await asyncio.to_thread(open_database, database_url, clock)
    assert not opened.board.loaded
    await opened.write(lambda _: None)
    assert shown(opened, clock) == [job.id]
    await opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_coordinators_hear_of_each_others_changes(
    database: Database, farm: Farm, neighbour: Database, clock: SetClock
) -> None:
    here, there = Heard(database), Heard(neighbour)
    job = await farm.submit(by="somebody new")
    await there.until(lambda: WORK in there.notices)
    assert Notice(kind="job", id=job.id) in there.notices
    # Whoever is told that there is work finds it on the board.
    assert shown(neighbour, clock) == [job.id]

    # Far more than one announcement holds.
    many = [Notice(kind="frame", id=job.id, frame=number, state="finished") for number in range(500)]

    def notify(tx: Transaction) -> None:
        for notice in many:
            tx.notify(notice)

    await neighbour.write(notify)
    await here.until(lambda: many[-1] in here.notices)
    assert [notice for notice in here.notices if notice.kind == "frame"] == many
    # Each has heard its own notices once.
    await neighbour.write(Transaction.notify, REVOKED)
    await there.until(lambda: REVOKED in there.notices)
    assert [notice for notice in there.notices if notice.kind == "frame"] == many


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_boards_agree_after_a_crowd_of_changes(
    database: Database, farm: Farm, neighbour: Database, clock: SetClock
) -> None:
    """Both coordinators change the same jobs at once, over and over: in the end both boards show what is there."""
    made = [await farm.submit() for _ in range(4)]
    here, there = Heard(database), Heard(neighbour)

    dice = random.Random(1)  # noqa: S311 - no secret
    await asyncio.gather(
        *(
            dice.choice((database, neighbour)).write(set_priority, job.id, dice.randrange(100))
            for _ in range(60)
            for job in made
        )
    )
    # When these are heard, so is all that was committed before.
    await database.write(Transaction.notify, REVOKED)
    await neighbour.write(Transaction.notify, REVOKED)
    await here.until(lambda: here.notices.count(REVOKED) == 2)
    await there.until(lambda: there.notices.count(REVOKED) == 2)
    newest = Board()
    await database.read(lambda tx: board.load(tx.conn, newest))
    there_is = newest.candidates(ANY_SLOT, clock())
    assert shown(neighbour, clock) == shown(database, clock) == there_is


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_was_read_before_a_change_does_not_undo_it_on_the_board(
    database: Database, farm: Farm, neighbour: Database, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The neighbour's change of a job is read for the board, and shown only after a later change made here."""
    first, second = await farm.submit(), await farm.submit()
    read, may_show = threading.Event(), threading.Event()
    put_job = database.board.put_job

    def put_late(job: Job) -> None:
        if threading.current_thread().name == "postgresql-listener" and not read.is_set():
            read.set()
            may_show.wait(20)
        put_job(job)

    monkeypatch.setattr(database.board, "put_job", put_late)
    here = Heard(database)
    await neighbour.write(set_priority, second.id, 10)
    assert await asyncio.to_thread(read.wait, 20)
    await database.write(set_priority, second.id, 90)
    assert shown(database, clock) == [second.id, first.id]
    may_show.set()
    # When this is heard, so is all that was committed before.
    await neighbour.write(Transaction.notify, REVOKED)
    await here.until(lambda: REVOKED in here.notices)
    assert shown(database, clock) == [second.id, first.id]


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_was_missed_is_made_up_for(
    farm: Farm, neighbour: Database, postgres: Server, clock: SetClock
) -> None:
    """The server throws everyone out, as in a restart: no request fails, and the other's changes are heard again."""
    there = Heard(neighbour)
    first = await farm.submit()
    await there.until(lambda: WORK in there.notices)
    await asyncio.to_thread(postgres.disconnect_everyone)
    second = await farm.submit()
    # It may have missed the announcement, but comes back and looks at everything.
    await there.until(lambda: Notice(kind="job", id=second.id) in there.notices)
    assert shown(neighbour, clock) == [first.id, second.id]
    there.notices.clear()
    await asyncio.to_thread(postgres.restart)
    assert await neighbour.read(lambda tx: len(jobs.workable(tx.conn))) == 2
    third = await farm.submit()
    await there.until(lambda: Notice(kind="job", id=third.id) in there.notices)
    assert shown(neighbour, clock) == [first.id, second.id, third.id]
