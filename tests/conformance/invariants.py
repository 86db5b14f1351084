"""The points of docs/ARCHITECTURE.md, "Always true", checked against a database's whole content."""

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, Table, select

from coordinator.db import schema
from coordinator.domain.frame_range import parse
from coordinator.domain.retry import SOUND_ATTEMPTS
from coordinator.domain.transitions import TRANSITIONS

Row = dict[str, Any]


def check_invariants(conn: Connection) -> None:
    """Raise AssertionError, naming the object, unless everything that is always true is true."""
    jobs = _rows(conn, schema.jobs)
    leases = {lease["id"]: lease for lease in _rows(conn, schema.leases)}
    blobs = {blob["sha256"]: blob["size"] for blob in _rows(conn, schema.blobs)}
    chunks = _by_job(_rows(conn, schema.chunks))
    frames = _by_job(_rows(conn, schema.frames))
    attempts = _by_job(_rows(conn, schema.attempts))
    events = _by_job(_rows(conn, schema.events))
    for job in jobs:
        number = job["id"]
        _frames_are_partitioned(job, chunks[number], frames[number])
        _chunks_follow_their_job(job, chunks[number], leases)
        _results_are_stored(job, frames[number], blobs)
        _counters_are_sums(job, frames[number], attempts[number], events[number])
        _retries_are_used_up(job, frames[number], attempts[number])
        _history_is_complete(job, frames[number], events[number], leases)
        _job_can_end(job, chunks[number], leases)
    _leases_have_work(jobs, leases, chunks)
    _agents_hold_what_they_may(leases, _rows(conn, schema.agents))


def _frames_are_partitioned(job: Row, chunks: list[Row], frames: list[Row]) -> None:
    """1: each frame has ended or is in exactly one chunk."""
    wanted = parse(job["frames"])
    where = Counter(frame["frame"] for frame in frames)
    for chunk in chunks:
        inside = list(wanted.between(chunk["first"], chunk["last"]))
        assert inside, f"chunk {chunk['id']} of job {job['id']} has no frame"
        assert (inside[0], inside[-1]) == (chunk["first"], chunk["last"]), f"chunk {chunk['id']} ends beside its frames"
        assert len(inside) == chunk["frame_count"], f"chunk {chunk['id']} counts its frames wrongly"
        where.update(inside)
    twice = [frame for frame, times in where.items() if times > 1]
    assert not twice, f"job {job['id']} has frames {twice} twice"
    lost = set(wanted) - set(where)
    assert not lost, f"job {job['id']} lost frames {sorted(lost)}"
    strange = set(where) - set(wanted)
    assert not strange, f"job {job['id']} has frames {sorted(strange)} that are not its own"


def _chunks_follow_their_job(job: Row, chunks: list[Row], leases: dict[str, Row]) -> None:
    """2: a leased chunk has one live lease, of its own job; only a job under way has chunks to lease."""
    for chunk in chunks:
        assert chunk["priority"] == job["priority"], f"chunk {chunk['id']} has another priority than its job"
        assert chunk["min_blender"] == job["min_blender"], f"chunk {chunk['id']} wants another Blender than its job"
        under_way = job["state"] in ("queued", "running")
        assert (chunk["state"] == "held") != under_way, (
            f"chunk {chunk['id']} is {chunk['state']}, its job {job['state']}"
        )
        if chunk["state"] == "leased":
            lease = leases[chunk["lease_id"]]
            assert lease["state"] == "live", f"chunk {chunk['id']} is leased by {lease['id']}, which has ended"
            assert lease["job_id"] == job["id"], f"chunk {chunk['id']} is leased for another job"
    if job["state"] == "queued":
        assert all(chunk["state"] == "pending" for chunk in chunks), f"job {job['id']} is queued and leased"


def _results_are_stored(job: Row, frames: list[Row], blobs: dict[str, int]) -> None:
    """3 and 4: what is finished is in the store, with the size that was recorded."""
    for frame in frames:
        if frame["state"] != "finished":
            continue
        assert blobs.get(frame["output_sha256"]) == frame["output_size"], (
            f"output of frame {frame['frame']} is not there"
        )
        assert blobs.get(frame["preview_sha256"]) == frame["preview_size"], f"preview of {frame['frame']} is not there"
        assert frame["display_sha256"] is None or frame["display_sha256"] in blobs, "a display file is not there"
    if job["state"] in ("completed", "stitching"):
        assert len(frames) == job["frame_count"], f"job {job['id']} is {job['state']} without all of its frames"
        assert all(frame["state"] == "finished" for frame in frames), f"job {job['id']} has failed frames"
        assert job["sound_state"] in ("none", "ready"), f"job {job['id']} is {job['state']} without its sound"
    if job["state"] == "completed" and job["video"]:
        assert job["video_sha256"] in blobs, f"job {job['id']} is completed without its video"


def _counters_are_sums(job: Row, frames: list[Row], attempts: list[Row], events: list[Row]) -> None:
    """6: counters equal the sums they stand for."""
    states = Counter(frame["state"] for frame in frames)
    kinds = Counter(event["kind"] for event in events)
    name = f"job {job['id']}"
    assert job["frame_count"] == len(parse(job["frames"])), f"{name} counts its frames wrongly"
    assert (job["finished"], job["failed"]) == (states["finished"], states["failed"]), (
        f"{name} counts ended frames wrongly"
    )
    whole = sum(attempt["frame"] is None for attempt in attempts)
    assert job["whole_failures"] == whole, f"{name} counts its failures as a whole wrongly"
    assert job["sound_failures"] == kinds["sound_attempt_failed"], f"{name} counts failures of its sound wrongly"
    assert (job["latest_frame"] is None) == (job["finished"] == 0), f"{name} has a latest frame without a finished one"


def _retries_are_used_up(job: Row, frames: list[Row], attempts: list[Row]) -> None:
    """A frame fails when its retries are used up, not before and not later."""
    tried = Counter(attempt["frame"] for attempt in attempts)
    ended = {frame["frame"]: frame for frame in frames}
    for frame, times in tried.items():
        if frame is None:
            continue
        row = ended.get(frame)
        if times > job["max_retries"]:
            assert row is not None, f"frame {frame} of job {job['id']} is tried for ever"
            assert row["state"] == "failed", f"frame {frame} of job {job['id']} is finished after too many attempts"
            assert times == job["max_retries"] + 1, f"frame {frame} of job {job['id']} was tried {times} times"
    for row in frames:
        finished = row["state"] == "finished"
        assert row["attempts"] == tried[row["frame"]] + finished, f"frame {row['frame']} counts its attempts wrongly"
        assert finished or tried[row["frame"]] > job["max_retries"], f"frame {row['frame']} failed too early"


def _history_is_complete(job: Row, frames: list[Row], events: list[Row], leases: dict[str, Row]) -> None:
    """5: every state the job, its frames and its leases have gone through is in the history, and in the table."""
    state = "queued"
    kinds = Counter(event["kind"] for event in events)
    for event in sorted(events, key=lambda event: int(event["id"])):
        if event["kind"] in ("running", "stitching", "completed", "failed", "cancelled"):
            assert ("job", state, event["kind"]) in TRANSITIONS, f"job {job['id']} went from {state} to {event['kind']}"
            state = event["kind"]
    assert state == job["state"], f"job {job['id']} is {job['state']}; its history ends with {state}"
    assert kinds["submitted"] == 1, f"job {job['id']} was submitted {kinds['submitted']} times"
    assert kinds["frame_finished"] == job["finished"], f"job {job['id']} finished frames without a line of history"
    assert kinds["frame_failed"] == job["failed"], f"job {job['id']} failed frames without a line of history"
    own = [lease for lease in leases.values() if lease["job_id"] == job["id"]]
    ended = sum(lease["state"] == "ended" for lease in own)
    assert kinds["lease_granted"] == len(own), f"job {job['id']} has leases without a line of history"
    assert kinds["lease_ended"] == ended, f"leases of job {job['id']} ended without a line of history"
    for frame in frames:
        if frame["lease_id"] is not None:
            assert leases[frame["lease_id"]]["job_id"] == job["id"], (
                f"frame {frame['frame']} came by another job's lease"
            )


def _job_can_end(job: Row, chunks: list[Row], leases: dict[str, Row]) -> None:
    """A job that runs has frames left, or a lease that mixes its sound: else it would never end."""
    holder = job["sound_lease_id"]
    if holder is not None:
        assert leases[holder]["state"] == "live", f"job {job['id']} waits for sound from a lease that ended"
        assert leases[holder]["job_id"] == job["id"], f"job {job['id']} waits for sound from another job's lease"
    if job["state"] == "running":
        assert chunks or holder is not None, f"job {job['id']} runs on with nothing left to do"
    assert job["sound_failures"] <= SOUND_ATTEMPTS, f"job {job['id']} tries its sound for ever"


def _leases_have_work(jobs: list[Row], leases: dict[str, Row], chunks: dict[int, list[Row]]) -> None:
    """A live lease has frames, or the sound, left to deliver, of a job that is running."""
    busy = {chunk["lease_id"] for rows in chunks.values() for chunk in rows} | {job["sound_lease_id"] for job in jobs}
    states = {job["id"]: job["state"] for job in jobs}
    for lease in leases.values():
        if lease["state"] == "live":
            assert lease["id"] in busy, f"lease {lease['id']} lives and has nothing left to deliver"
            assert states[lease["job_id"]] == "running", f"lease {lease['id']} lives, its job does not run"


def _agents_hold_what_they_may(leases: dict[str, Row], agents: list[Row]) -> None:
    """A slot has two leases at most; an agent that left has none."""
    known = {agent["id"]: agent for agent in agents}
    live = Counter((lease["agent_id"], lease["slot"]) for lease in leases.values() if lease["state"] == "live")
    for (agent, slot), held in live.items():
        assert held <= 2, f"slot {slot} of agent {agent} has {held} leases"
        assert known[agent]["state"] != "left", f"agent {agent} left with a live lease"


def _rows(conn: Connection, table: Table) -> list[Row]:
    return [dict(row) for row in conn.execute(select(table)).mappings()]


def _by_job(rows: list[Row]) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["job_id"]].append(row)
    return grouped
