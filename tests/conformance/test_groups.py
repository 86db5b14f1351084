"""Units of work that are written together: what they cost, and that one does not suffer for another."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import insert, select

from coordinator.db import events
from coordinator.db.engine import Database, Transaction
from coordinator.db.pipeline import Pipeline
from coordinator.db.schema import blobs
from coordinator.db.statement import Command, bound
from coordinator.protocol import ErrorCode, FrameResult, LeaseGrant, LeaseRequest, Stage
from coordinator.services import frames, leases
from coordinator.services.errors import Refused
from tests.conformance.farm import HEIGHT, WIDTH, Farm, digest
from tests.conformance.groups import checked, in_one_group

ADD = Command(insert(blobs).values(bound(("sha256", "size", "stored_at", "touched_at"))))


def add(tx: Transaction, name: str) -> str:
    """Add a row some time before the commit."""
    ADD.must(tx.conn, sha256=digest(name), size=1, stored_at=tx.now, touched_at=tx.now)
    return name


async def test_a_write_that_is_found_wrong_at_the_end_is_one_units_failure(database: Database) -> None:
    await database.write(add, "a")
    results = await in_one_group(database, [database.write(add, name) for name in "bacad"])
    assert [result if isinstance(result, str) else None for result in results] == ["b", None, "c", None, "d"]
    count = await database.read(lambda tx: len(tx.conn.execute(blobs.select()).all()))
    assert count == 4


def add_and_fail(tx: Transaction, name: str) -> None:
    """Add a row, and then fail for another reason."""
    add(tx, name)
    tx.flush()
    raise LookupError(name)


async def test_what_a_unit_wrote_before_it_failed_is_taken_back_alone(database: Database) -> None:
    calls: list[Awaitable[object]] = [database.write(add, name) for name in "abc"]
    calls[1:1] = [database.write(add_and_fail, name) for name in "xb"]
    results = await in_one_group(database, calls)
    assert [type(result) for result in results] == [str, LookupError, LookupError, str, str]
    stored = await database.read(lambda tx: set(tx.conn.scalars(select(blobs.c.sha256))))
    assert stored == {digest(name) for name in "abc"}


async def test_texts_of_all_kinds_are_written_together_as_they_are(database: Database, farm: Farm) -> None:
    texts = [
        'a "quoted" word',
        "{braces}, and commas",
        "back\\slashes\\",
        "",
        "NULL",
        "null",
        "ü → 日本 🎬",
        "a\nline\t",
    ]
    jobs = [await farm.submit("1", name=f"job {number}") for number in range(len(texts))]

    def note(tx: Transaction, job_id: int, message: str) -> None:
        for kind in ("first", "second"):
            events.append(tx, kind, message, job_id=job_id, data={"said": message})

    calls = [database.write(note, job.id, message) for job, message in zip(jobs, texts, strict=True)]
    assert await in_one_group(database, calls) == [None] * len(texts)
    for job, message in zip(jobs, texts, strict=True):
        told = (await database.read(events.page, job.id, None, 100))[-2:]
        assert [event.kind for event in told] == ["first", "second"]
        assert {event.message for event in told} == {message}
        assert [event.data for event in told] == [{"said": message}] * 2


async def test_requests_that_are_refused_leave_the_others_alone(database: Database, farm: Farm) -> None:
    ant, bee, gone = [await farm.agent(name, slots=3) for name in ("ant", "bee", "gone")]
    await farm.leave(gone)
    jobs = {(await farm.submit("1-40", by=by)).id for by in ("ana", "ben", "eve")}
    held = await farm.must_lease(ant, 2)
    asked = [(ant, 0), (gone, 0), (ant, 7), (bee, 1), (99_999, 0), (bee, 2), (ant, 0), (bee, 0), (ant, 2)]
    calls = [farm.lease(agent, slot) for agent, slot in asked]
    request = LeaseRequest(slot=0, blender=(4, 5, 15))
    check = database.write(checked(leases.lease), 99_999, request, farm.timing)
    *results, refused = await in_one_group(database, [*calls, check])
    assert isinstance(refused, Refused)
    codes = [result.code if isinstance(result, Refused) else None for result in results]
    assert codes == [
        *[None, ErrorCode.AGENT_GONE, ErrorCode.INVALID, None, ErrorCode.AGENT_GONE],
        *[None, None, None, None],
    ]
    grants = [result for result in results if isinstance(result, LeaseGrant)]
    assert len(grants) == 6
    # One that asks twice, and one that lost sight of its lease, are given what they have.
    assert results[0].lease_id == results[6].lease_id
    assert results[8].lease_id == held.lease_id
    assert len({grant.lease_id for grant in grants}) == 5
    assert {grant.job.job_id for grant in grants} == jobs


async def test_frames_of_a_group_are_recorded_each_for_itself(database: Database, farm: Farm) -> None:
    agents = [await farm.agent(f"agent {number}", slots=2) for number in range(3)]
    job = await farm.submit("1-12", chunk_frames=2, video=False)
    grants = [(agent, await farm.must_lease(agent, slot)) for agent in agents for slot in range(2)]
    result = await farm.result(1)
    calls = [hand_in(farm, agent, grant, frame, result) for agent, grant in grants for frame in grant.frames]
    calls[4:4] = [
        hand_in(farm, agents[0], grants[5][1], 11, result),
        hand_in(farm, *grants[2], grants[2][1].frames[0], result, size=1),
        hand_in(farm, *grants[0], grants[0][1].frames[0], result),
    ]
    check = database.write(checked(frames.record_frame), 99_999, "none", 1, result, WIDTH, HEIGHT, farm.timing)
    *outcomes, refused = await in_one_group(database, [*calls, check])
    assert isinstance(refused, Refused)
    told = [it.code if isinstance(it, Refused) else it.status for it in outcomes]
    # What is of the wrong size waits for another agent.
    odd = [ErrorCode.LEASE_LOST, "bad", "repeated", ErrorCode.FRAME_LOST]
    assert told == [*["recorded"] * 4, *odd, *["recorded"] * 7]
    assert (await farm.job(job.id)).finished == 11


def hand_in(
    farm: Farm, agent: int, grant: LeaseGrant, frame: int, result: FrameResult, size: int = WIDTH
) -> Awaitable[frames.FrameOutcome]:
    """Hand in a frame whose files are in the store."""
    return farm.database.write(frames.record_frame, agent, grant.lease_id, frame, result, size, HEIGHT, farm.timing)


@contextmanager
def round_trips(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count them."""
    counted: list[int] = []
    exchange = Pipeline._exchange

    def count(pipeline: Pipeline) -> None:
        counted.append(len(pipeline._waiting))
        exchange(pipeline)

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "_exchange", count)
        yield counted


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_group_costs_few_round_trips(database: Database, farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it one for each of them, PostgreSQL would hand out a few hundred leases a second."""
    agents = [await farm.agent(f"agent {number}", slots=10) for number in range(4)]
    for number in range(20):
        await farm.submit("1-500", by=f"user {number % 5}", priority=50 + number // 5 % 2)
    slots = [(agent, slot) for agent in agents for slot in range(10)]
    with round_trips(monkeypatch) as counted:
        grants = await in_one_group(database, [farm.lease(agent, slot) for agent, slot in slots])
    assert all(isinstance(grant, LeaseGrant) for grant in grants)
    assert len(counted) < 25
    result = await farm.result(1)
    with round_trips(monkeypatch) as counted:
        calls: list[Awaitable[object]] = [
            hand_in(farm, agent, grant, grant.frames[0], result)
            for (agent, _), grant in zip(slots[:30], grants[:30], strict=True)
        ]
        calls += [
            farm.report(agent, grant, stage=Stage.FETCHING, release=True)
            for (agent, _), grant in zip(slots[30:], grants[30:], strict=True)
        ]
        outcomes = await in_one_group(database, calls)
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes)
    assert len(counted) < 35


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_one_request_alone_costs_few_round_trips(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    ant = await farm.agent()
    await farm.submit("1-500")
    with round_trips(monkeypatch) as counted:
        assert await farm.lease(ant) is not None
    assert len(counted) <= 4
