"""The check of what is always true finds what is not; and the tables' own CHECKs keep out what they can."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from coordinator.db.engine import Transaction
from tests.conformance.farm import Farm
from tests.conformance.invariants import check_invariants

# What it breaks, and words of the complaint.  The job has frames 1 to 10: 1 is finished, 2 failed, 3 and 4 are leased.
BREAKS = [
    ("DELETE FROM chunks WHERE state = 'pending'", "lost frames"),
    ("UPDATE chunks SET first = 4, frame_count = 7 WHERE state = 'pending'", "twice"),
    ("UPDATE chunks SET last = 11, frame_count = 7 WHERE state = 'pending'", "ends beside its frames"),
    ("UPDATE chunks SET frame_count = 2 WHERE state = 'pending'", "counts its frames wrongly"),
    ("UPDATE chunks SET priority = 3", "another priority"),
    ("UPDATE chunks SET min_blender = 999", "another Blender"),
    ("UPDATE chunks SET state = 'held' WHERE state = 'pending'", "is held, its job running"),
    ("UPDATE chunks SET state = 'pending', lease_id = NULL", "nothing left to deliver"),
    ("UPDATE leases SET state = 'ended', end_reason = 'left', ended_at = 0 WHERE state = 'live'", "which has ended"),
    ("UPDATE leases SET state = 'live', end_reason = NULL, ended_at = NULL", "ended without a line of history"),
    ("UPDATE frames SET output_size = 999 WHERE state = 'finished'", "is not there"),
    ("UPDATE frames SET attempts = 7 WHERE state = 'finished'", "counts its attempts wrongly"),
    ("DELETE FROM attempts", "counts its attempts wrongly"),
    ("UPDATE jobs SET max_retries = 1", "failed too early"),
    ("UPDATE jobs SET finished = 2", "counts ended frames wrongly"),
    ("UPDATE jobs SET frame_count = 11", "counts its frames wrongly"),
    ("UPDATE jobs SET whole_failures = 1", "as a whole wrongly"),
    ("UPDATE jobs SET sound_failures = 1", "of its sound wrongly"),
    ("UPDATE jobs SET latest_frame = NULL", "without a finished one"),
    (
        "UPDATE jobs SET sound_state = 'wanted', sound_lease_id = (SELECT id FROM leases WHERE state = 'ended')",
        "that ended",
    ),
    ("UPDATE jobs SET state = 'queued'", "is queued and leased"),
    ("DELETE FROM events WHERE kind = 'running'", "its history ends with queued"),
    ("DELETE FROM events WHERE kind = 'frame_finished'", "without a line of history"),
    ("DELETE FROM events WHERE kind = 'lease_granted'", "without a line of history"),
    ("UPDATE events SET kind = 'completed' WHERE kind = 'submitted'", "went from queued to completed"),
    ("UPDATE agents SET state = 'left'", "left with a live lease"),
]

REFUSED = [
    "UPDATE jobs SET finished = 10",
    "UPDATE jobs SET state = 'completed', ended_at = 0",
    "UPDATE jobs SET state = 'failed', ended_at = 0",
    "UPDATE jobs SET state = 'cancelled'",
    "UPDATE jobs SET state = 'stitching', finished = 10, failed = 0",
    "UPDATE jobs SET state = 'paused'",
    "UPDATE jobs SET priority = 101",
    "UPDATE jobs SET sound_lease_id = 'x'",
    "UPDATE jobs SET stitch_claim = 'x', stitch_expires_at = 0",
    "UPDATE chunks SET state = 'leased'",
    "UPDATE chunks SET last = first - 1 WHERE state = 'leased'",
    "UPDATE chunks SET frame_count = 0",
    "UPDATE chunks SET lease_id = 'nobody' WHERE state = 'leased'",
    "UPDATE leases SET state = 'ended'",
    "UPDATE leases SET progress = 2",
    "UPDATE frames SET output_sha256 = NULL WHERE state = 'finished'",
    "UPDATE frames SET reason = NULL WHERE state = 'failed'",
    "UPDATE frames SET output_sha256 = 'nowhere' WHERE state = 'finished'",
    "UPDATE tokens SET kind = 'agent'",
    """INSERT INTO attempts (job_id, frame, agent_id, lease_id, code, message, at)
       SELECT job_id, frame, agent_id, lease_id, code, message, at FROM attempts""",
    "INSERT INTO events (at, kind, message, data) VALUES (0, 'x', 'x', '{}')",
]


class TakenBack(Exception):
    """Ends a transaction without a trace."""


@pytest.fixture
async def busy_farm(farm: Farm) -> Farm:
    """A farm with a job in the midst of its life."""
    ant = await farm.agent()
    await farm.submit("1-10", max_retries=0)
    grant = await farm.must_lease(ant)
    assert grant.frames == [1, 2]
    await farm.deliver(ant, grant, 1, seconds=30.0)
    await farm.fail(ant, grant, 2)
    assert (await farm.must_lease(ant)).frames == [3, 4]
    return farm


@pytest.mark.parametrize(("statement", "complaint"), BREAKS)
async def test_what_is_not_true_is_found(busy_farm: Farm, statement: str, complaint: str) -> None:
    def break_and_check(tx: Transaction) -> None:
        tx.conn.execute(text(statement))
        with pytest.raises(AssertionError, match=complaint):
            check_invariants(tx.conn)
        raise TakenBack

    with pytest.raises(TakenBack):
        await busy_farm.database.write(break_and_check)


async def test_the_tables_refuse_what_they_can(busy_farm: Farm) -> None:
    def run(tx: Transaction, statement: str) -> None:
        tx.conn.execute(text(statement))

    for statement in REFUSED:
        with pytest.raises(IntegrityError):
            await busy_farm.database.write(run, statement)


async def test_no_text_of_an_agent_breaks_a_database(farm: Farm) -> None:
    """PostgreSQL stores no NUL."""
    ant = await farm.agent("an\0t")
    job = await farm.submit("1-10", name="shot\0")
    grant = await farm.must_lease(ant)
    await farm.report(ant, grant, warnings=["wood\0.png is missing"])
    await farm.fail(ant, grant, 1, "broke\0n \U0001f525")
    assert (await farm.job(job.id)).name == "shot\ufffd"
