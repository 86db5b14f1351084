"""Leases: who gets what, how it is asked for again, and what becomes of it."""

import pytest
from sqlalchemy import literal_column, select, text

from coordinator.background.lease_reaper import LeaseReaper
from coordinator.db.engine import DatabaseFull, Transaction
from coordinator.db.schema import chunks
from coordinator.domain.timing import Timing
from coordinator.protocol import BlenderBuild, ErrorCode, Stage
from coordinator.services import agent_views, expiry, leases
from coordinator.services.errors import Refused
from tests.conformance.farm import Farm


async def refusal(call: object) -> ErrorCode:
    """Return the code with which an awaitable is refused."""
    with pytest.raises(Refused) as caught:
        await call  # type: ignore[misc]  # any awaitable
    return caught.value.code


async def test_first_leases_are_small_and_carved_from_the_front(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-1000000x2")
    assert (await farm.must_lease(ant)).frames == [1]
    assert (await farm.must_lease(bee)).frames == [3]
    view = await farm.job(job.id)
    assert view.state == "running"
    assert view.frame_count == 500_000
    # Half a million frames: three rows.
    counted = await farm.database.read(lambda tx: tx.conn.execute(chunks.select()).all())
    assert len(counted) == 3


async def test_leases_last_about_a_minute_once_frames_were_timed(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-1000")
    first = await farm.must_lease(ant)
    await farm.deliver_all(ant, first, seconds=2.0)
    assert len((await farm.must_lease(ant)).frames) == 30


async def test_a_lease_says_what_its_slowest_frame_is_expected_to_take(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-1000", stop_on_missing=True)
    first = await farm.must_lease(ant)
    assert first.expected_seconds is None
    assert first.job.stop_on_missing
    await farm.deliver_all(ant, first, seconds=2.0)
    second = await farm.must_lease(ant)
    assert second.expected_seconds == pytest.approx(2.0)


async def test_leases_get_shorter_towards_the_end(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-20")
    sizes = []
    while (grant := await farm.lease(ant)) is not None:
        sizes.append(len(grant.frames))
        await farm.deliver_all(ant, grant, seconds=0.1)
    # One to learn from, then each time the same share of what is left.
    assert sizes[0] == 1
    assert sizes[1:] == sorted(sizes[1:], reverse=True)
    assert sizes[1] > 1
    assert sizes[-1] == 1


async def test_order_is_priority_then_job_then_frame(farm: Farm) -> None:
    ant = await farm.agent()
    low = await farm.submit("1-2", priority=10)
    high_first = await farm.submit("1-3", priority=90)
    high_second = await farm.submit("1", priority=90)
    order = []
    while (grant := await farm.lease(ant)) is not None:
        order.append((grant.job.job_id, grant.frames[0]))
        await farm.deliver_all(ant, grant)
    # The two jobs of one priority take turns.
    assert [job for job, _ in order] == [high_first.id, high_second.id, high_first.id, high_first.id, low.id, low.id]
    assert [frame for _, frame in order] == [1, 1, 2, 3, 1, 2]


async def test_a_slot_gets_no_file_that_its_blender_cannot_open(farm: Farm) -> None:
    old = await farm.agent("old", blenders=[BlenderBuild(version=(4, 2, 0), kind="bpy")])
    new = await farm.agent("new")
    await farm.submit("1", blender=(4, 5), priority=90)
    second = await farm.submit("1", blender=(4, 2), priority=10)
    grant = await farm.lease(old, blender=(4, 2, 0))
    assert grant is not None
    assert grant.job.job_id == second.id
    assert await farm.lease(new) is not None


async def test_asking_again_returns_the_work_one_holds(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-10", chunk_frames=2)
    first = await farm.must_lease(ant)
    assert await farm.must_lease(ant) == first
    await farm.deliver(ant, first, 1)
    assert (await farm.must_lease(ant)).frames == [2]
    second = await farm.must_lease(ant, holds=[first.lease_id])
    assert second.lease_id != first.lease_id
    assert (await farm.must_lease(ant, holds=[first.lease_id])).lease_id == second.lease_id
    # A slot has the one it renders and the next one, and no more.
    assert await farm.lease(ant, holds=[first.lease_id, second.lease_id]) is None


async def test_a_frame_that_brings_its_agent_down_is_not_given_out_for_ever(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1", max_retries=1)
    for _ in range(2):
        # Each time the agent is restarted and knows of nothing; what the request itself gave back comes with the next.
        grant = await farm.lease(ant) or await farm.must_lease(ant)
        assert grant.frames == [1]
        await farm.report(ant, grant, frame=1)
    assert await farm.lease(ant) is None
    view = await farm.job(job.id)
    assert view.state == "failed"
    assert [(failure.frame, failure.attempts) for failure in view.failures] == [(1, 2)]


async def test_a_report_keeps_a_lease_alive_and_tells_the_last_frame(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-10", chunk_frames=2)
    grant = await farm.must_lease(ant)
    farm.clock.advance(29)
    answer = await farm.report(ant, grant, frame=1, progress=0.5, remaining_seconds=3.0)
    assert answer.last_frame == 2
    farm.clock.advance(29)
    assert await farm.reap() == 0
    view = await farm.job(job.id)
    assert view.progress == pytest.approx(0.05)
    assert [(slot.agent, slot.frame, slot.progress, slot.remaining_seconds) for slot in view.slots] == [
        ("ant", 1, 0.5, 3.0)
    ]


async def test_an_expired_lease_gives_its_frames_back_and_is_fenced_off(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-2")
    grant = await farm.must_lease(ant)
    await farm.report(ant, grant, frame=grant.frames[0])
    assert await farm.expire() == 1
    assert await refusal(farm.report(ant, grant)) == ErrorCode.LEASE_LOST
    assert await refusal(farm.deliver(ant, grant, grant.frames[0])) == ErrorCode.LEASE_LOST
    renewal = farm.database.write(leases.renew, ant, grant.lease_id, farm.timing)
    assert await refusal(renewal) == ErrorCode.LEASE_LOST
    await farm.render_everything(bee)
    view = await farm.job(job.id)
    assert view.state == "completed"
    # Only the frame being rendered counts an attempt.
    assert "attempt_failed" in await farm.events(job.id)
    assert (await farm.events(job.id)).count("attempt_failed") == 1


async def test_another_agents_lease_is_not_ones_own(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    await farm.submit("1-4")
    grant = await farm.must_lease(ant)
    assert await refusal(farm.report(bee, grant)) == ErrorCode.LEASE_LOST
    assert await refusal(farm.deliver(bee, grant, 1)) == ErrorCode.LEASE_LOST
    assert await refusal(farm.deliver_sound(bee, grant)) == ErrorCode.LEASE_LOST


async def test_the_coordinators_own_absence_costs_nobody_a_chunk(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-4")
    grant = await farm.must_lease(ant)
    farm.clock.advance(3600)
    assert await farm.database.write(expiry.renew_all, farm.timing) == 1
    assert await farm.reap() == 0
    assert (await farm.report(ant, grant)).last_frame is not None


async def test_release_hands_back_what_is_not_rendered(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-10", chunk_frames=2)
    grant = await farm.must_lease(ant)
    await farm.deliver(ant, grant, grant.frames[0])
    answer = await farm.report(ant, grant, stage=Stage.UPLOADING, release=True)
    assert answer.last_frame is None
    assert await refusal(farm.report(ant, grant)) == ErrorCode.LEASE_LOST
    await farm.render_everything(bee)
    assert (await farm.job(job.id)).state == "completed"
    assert "attempt_failed" not in await farm.events(job.id)


async def test_an_agent_that_leaves_gives_everything_back(farm: Farm) -> None:
    ant, bee = await farm.agent("ant", slots=2), await farm.agent("bee")
    job = await farm.submit("1-10")
    await farm.must_lease(ant, 0)
    await farm.must_lease(ant, 1)
    await farm.leave(ant)
    await farm.leave(ant)
    assert await refusal(farm.lease(ant)) == ErrorCode.AGENT_GONE
    await farm.render_everything(bee)
    assert (await farm.job(job.id)).state == "completed"


async def test_a_slot_that_was_not_registered_gets_nothing(farm: Farm) -> None:
    ant = await farm.agent()
    assert await refusal(farm.lease(ant, slot=1)) == ErrorCode.INVALID
    assert await refusal(farm.lease(12345)) == ErrorCode.AGENT_GONE


async def test_an_agent_goes_offline_and_comes_back(farm: Farm) -> None:
    ant = await farm.agent()
    farm.clock.advance(farm.timing.offline_seconds + 1)
    await farm.reap()
    assert (await farm.database.read(agent_views.agent_view, ant)).state == "offline"
    assert await farm.lease(ant) is None
    assert (await farm.database.read(agent_views.agent_view, ant)).state == "online"


async def test_warnings_of_agents_are_shown_once(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-10")
    grant = await farm.must_lease(ant)
    for _ in range(2):
        await farm.report(ant, grant, warnings=["wood.png is missing", "wood.png is missing"])
    assert (await farm.job(job.id)).warnings == ["wood.png is missing"]
    assert (await farm.events(job.id)).count("warning") == 1


async def test_the_next_chunk_of_a_job_is_read_from_its_index(farm: Farm) -> None:
    """Its cost must follow neither what is leased nor the history."""

    def explain(tx: Transaction) -> str:
        pending = chunks.c.state == literal_column("'pending'")
        query = select(chunks).where(chunks.c.job_id == 1, pending).order_by(chunks.c.first).limit(1)
        compiled = query.compile(tx.conn, compile_kwargs={"literal_binds": True})
        explain_it = "EXPLAIN QUERY PLAN"
        if tx.conn.dialect.name == "postgresql":
            explain_it = "EXPLAIN"
            # The planner reads small tables whole, whatever indexes they have.
            tx.conn.execute(text("SET LOCAL enable_seqscan = off"))
        return "\n".join(str(row) for row in tx.conn.execute(text(f"{explain_it} {compiled}")))

    plan = await farm.database.write(explain)
    assert "ix_chunks_pending" in plan
    # In the index's own order: without sorting.
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


async def test_a_full_disk_costs_no_agent_its_lease(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing can be written, no report can be taken note of either."""

    def full(_tx: Transaction, _timing: Timing) -> int:
        raise DatabaseFull

    ant = await farm.agent()
    await farm.submit("1-3")
    grant = await farm.must_lease(ant)
    reaper = LeaseReaper(farm.database, farm.timing)
    farm.clock.advance(farm.timing.lease_seconds)
    with monkeypatch.context() as disk:
        disk.setattr(expiry, "reap", full)
        with pytest.raises(DatabaseFull):
            await reaper.run_once()
    assert await reaper.run_once() == 0
    await farm.report(ant, grant)
    farm.clock.advance(farm.timing.lease_seconds)
    assert await reaper.run_once() == 1
