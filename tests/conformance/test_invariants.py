"""The check of what is always true finds what is not; and the tables' own CHECKs keep out what they can."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from coordinator.db.engine import Transaction
from tests.conformance.farm import Farm
from tests.conformance.invariants import check_invariants

# What it breaks, and words of the complaint.  Job 1 has frames 1 to 10: 1 and 3 are finished, 2 failed, 4 is leased; of
# job 2 nothing is begun.
BREAKS = [
    ("DELETE FROM chunks WHERE state = 'pending'", "lost frames"),
    ("UPDATE chunks SET last = 5, frame_count = 2 WHERE first = 4", "twice"),
    ("UPDATE chunks SET last = 11, frame_count = 7 WHERE first = 5", "ends beside its frames"),
    ("UPDATE chunks SET frame_count = 2 WHERE first = 5", "counts its frames wrongly"),
    ("UPDATE chunks SET state = 'held' WHERE state = 'pending'", "is held, its job running"),
    ("UPDATE chunks SET state = 'pending', lease_id = NULL", "counts 6 pending frames; there are 7"),
    (
        "UPDATE chunks SET state = 'pending', lease_id = NULL; UPDATE jobs SET pending = 7 WHERE id = 1",
        "nothing left to deliver",
    ),
    ("UPDATE chunks SET hedge_lease_id = lease_id WHERE state = 'leased'", "leased twice by one slot"),
    (
        "UPDATE chunks SET hedge_lease_id = (SELECT id FROM leases WHERE state = 'ended') WHERE state = 'leased'",
        "which has ended",
    ),
    ("UPDATE leases SET state = 'ended', end_reason = 'left', ended_at = 0 WHERE state = 'live'", "which has ended"),
    ("UPDATE leases SET state = 'live', end_reason = NULL, ended_at = NULL", "ended without a line of history"),
    ("UPDATE leases SET used = 1000 WHERE state = 'ended'", "was given 1"),
    ("UPDATE users SET vtime = -1", "ana was given"),
    ("UPDATE frames SET output_size = 999 WHERE state = 'finished'", "is not there"),
    ("UPDATE frames SET attempts = 7 WHERE state = 'finished'", "counts its attempts wrongly"),
    ("DELETE FROM attempts", "counts its attempts wrongly"),
    ("UPDATE attempts SET voided = true", "counts its attempts wrongly"),
    ("UPDATE jobs SET max_retries = 1", "failed too early"),
    ("UPDATE jobs SET finished = 3 WHERE id = 1", "counts ended frames wrongly"),
    ("UPDATE jobs SET blank = 1 WHERE id = 1", "counts 1 blank frames; there are 0"),
    ("UPDATE frames SET doubt = 'odd' WHERE state = 'finished'", "counts 0 doubtful frames; there are"),
    ("UPDATE jobs SET frame_count = 11", "counts its frames wrongly"),
    ("UPDATE jobs SET pending = 5 WHERE id = 1", "counts 5 pending frames; there are 6"),
    ("UPDATE jobs SET slots = 2 WHERE id = 1", "counts 2 slots; 1 work on it"),
    ("UPDATE jobs SET speed = 9 WHERE id = 1", "counts a speed of 9"),
    ("UPDATE jobs SET looks = 9 WHERE id = 1", "was looked at 9 times"),
    ("UPDATE jobs SET whole_failures = 1", "as a whole wrongly"),
    ("UPDATE jobs SET sound_failures = 1", "of its sound wrongly"),
    ("UPDATE jobs SET latest_frame = NULL", "without a latest one"),
    (
        "UPDATE jobs SET sound_state = 'wanted', sound_lease_id = (SELECT id FROM leases WHERE state = 'ended')",
        "that ended",
    ),
    ("UPDATE jobs SET state = 'queued', slots = 0", "is leased, its job queued"),
    (
        """UPDATE jobs SET state = 'blocked', pending = 0 WHERE id = 2;
           UPDATE chunks SET state = 'held' WHERE job_id = 2;
           UPDATE events SET data = '{"state": "blocked"}' WHERE job_id = 2""",
        "is blocked and waits for no job",
    ),
    ("DELETE FROM events WHERE kind = 'submitted'", "was submitted 0 times"),
    ("DELETE FROM events WHERE kind = 'running'", "its history ends with queued"),
    ("DELETE FROM events WHERE kind = 'frame_finished'", "without a line of history"),
    ("DELETE FROM events WHERE kind = 'lease_granted'", "without a line of history"),
    ("UPDATE events SET kind = 'blocked' WHERE kind = 'running'", "went from queued to blocked"),
    ("UPDATE agents SET state = 'left'", "left with a live lease"),
    ("UPDATE agents SET set_aside = 'it failed', set_aside_at = 0", "was set aside and given"),
    (
        "INSERT INTO set_asides SELECT agent_id, job_id, 'it failed', 0 FROM leases WHERE state = 'live'",
        "was set aside and given",
    ),
]

REFUSED = [
    "UPDATE jobs SET finished = 10",
    "UPDATE jobs SET state = 'completed', ended_at = 0",
    "UPDATE jobs SET state = 'failed', ended_at = 0",
    "UPDATE jobs SET state = 'cancelled'",
    "UPDATE jobs SET state = 'stitching', finished = 10, failed = 0",
    "UPDATE jobs SET state = 'paused'",
    "UPDATE jobs SET priority = 101",
    "UPDATE jobs SET pending = 9 WHERE id = 1",
    "UPDATE jobs SET slots = 1 WHERE id = 2",
    "UPDATE jobs SET max_slots = 0",
    "UPDATE jobs SET chunk_frames = 0",
    "UPDATE jobs SET target_seconds = 0",
    "UPDATE jobs SET created_by = 'nobody'",
    "UPDATE users SET max_slots = 0",
    "UPDATE agents SET speed = 0",
    "UPDATE agents SET set_aside = 'it failed'",
    "INSERT INTO job_dependencies (job_id, after_id) VALUES (1, 2)",
    "UPDATE jobs SET sound_lease_id = 'x'",
    "UPDATE jobs SET stitch_claim = 'x', stitch_expires_at = 0",
    "UPDATE chunks SET state = 'leased'",
    "UPDATE chunks SET last = first - 1 WHERE state = 'leased'",
    "UPDATE chunks SET frame_count = 0",
    "UPDATE chunks SET lease_id = 'nobody' WHERE state = 'leased'",
    "UPDATE chunks SET hedge_lease_id = (SELECT min(id) FROM leases) WHERE state = 'pending'",
    "UPDATE leases SET state = 'ended'",
    "UPDATE leases SET progress = 2",
    "UPDATE frames SET output_sha256 = NULL WHERE state = 'finished'",
    "UPDATE frames SET reason = NULL WHERE state = 'failed'",
    "UPDATE frames SET output_sha256 = 'nowhere' WHERE state = 'finished'",
    "UPDATE tokens SET kind = 'agent'",
    """INSERT INTO attempts (job_id, frame, agent_id, lease_id, code, message, at, voided)
       SELECT job_id, frame, agent_id, lease_id, code, message, at, voided FROM attempts""",
    "INSERT INTO events (at, kind, message, data) VALUES (0, 'x', 'x', '{}')",
]


class TakenBack(Exception):
    """Ends a transaction without a trace."""


@pytest.fixture
async def busy_farm(farm: Farm) -> Farm:
    """A farm with a job in the midst of its life, and one that waits."""
    ant = await farm.agent()
    await farm.submit("1-10", max_retries=0, chunk_frames=2)
    grant = await farm.must_lease(ant)
    assert grant.frames == [1, 2]
    await farm.deliver(ant, grant, 1, seconds=30.0)
    await farm.fail(ant, grant, 2)
    grant = await farm.must_lease(ant)
    assert grant.frames == [3, 4]
    await farm.deliver(ant, grant, 3, seconds=30.0)
    await farm.submit("1-10")
    return farm


@pytest.mark.parametrize(("statement", "complaint"), BREAKS)
async def test_what_is_not_true_is_found(busy_farm: Farm, statement: str, complaint: str) -> None:
    def break_and_check(tx: Transaction) -> None:
        for part in statement.split(";"):
            tx.conn.execute(text(part))
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
