"""The points of docs/ARCHITECTURE.md, "Always true", checked against a database's whole content.

The rows are read as the driver gives them, without the types of the columns: a history of thousands of steps checks
all of this after each one.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from coordinator.db.driver import driver_of
from coordinator.db.schema import metadata
from coordinator.domain.frame_range import parse
from coordinator.domain.model import JobState
from coordinator.domain.retry import SOUND_ATTEMPTS, Failure, Verdict, frame_verdict, same_way
from coordinator.domain.transitions import NEW, TRANSITIONS

Row = dict[str, Any]

ENDED = {state.value for state in JobState if state.ended}
BEGUN = {state.value for state in JobState if state.begun}
STATES = {state.value for state in JobState}

#: Sums of floats may differ by this (seconds).
SLACK = 1e-3


@dataclass(frozen=True)
class Content:
    """What is in the tables."""

    jobs: dict[int, Row]
    leases: dict[str, Row]
    agents: dict[int, Row]
    users: dict[str, Row]
    blobs: dict[str, int]
    """Sizes by digest."""
    chunks: dict[int, list[Row]]
    """By job, as are the next five."""
    frames: dict[int, list[Row]]
    attempts: dict[int, list[Row]]
    events: dict[int, list[Row]]
    after: dict[int, list[Row]]
    """What a job waits for."""
    live: dict[int, list[Row]]
    """Live leases."""
    set_asides: list[Row]


def check_invariants(conn: Connection) -> Content:
    """Raise AssertionError, naming the object, unless everything that is always true is true; return what was read."""
    content = read_content(conn)
    for job in content.jobs.values():
        if job["files_swept_at"] is not None:
            _is_only_a_record(job, content)
            continue
        _frames_are_partitioned(job, content)
        _chunks_follow_their_job(job, content)
        _second_leases_are_of_other_slots(job, content)
        _results_are_stored(job, content)
        _counters_are_sums(job, content)
        _retries_are_used_up(job, content)
        _history_is_complete(job, content)
        _job_can_end(job, content)
        _blocked_jobs_wait(job, content)
    _leases_have_work(content)
    _agents_hold_what_they_may(content)
    _shares_are_sums(content)
    return content


def read_content(conn: Connection) -> Content:
    """Return all rows that anything is said about."""
    leases = {lease["id"]: lease for lease in sorted(_rows(conn, "leases"), key=itemgetter("granted_at", "id"))}
    return Content(
        jobs={job["id"]: job for job in sorted(_rows(conn, "jobs"), key=itemgetter("id"))},
        leases=leases,
        agents={agent["id"]: agent for agent in sorted(_rows(conn, "agents"), key=itemgetter("id"))},
        users={user["name"]: user for user in _rows(conn, "users")},
        blobs={blob["sha256"]: blob["size"] for blob in _rows(conn, "blobs")},
        chunks=_by_job(_rows(conn, "chunks")),
        frames=_by_job(_rows(conn, "frames")),
        attempts=_by_job(_rows(conn, "attempts")),
        events=_by_job(_rows(conn, "events")),
        after=_by_job(_rows(conn, "job_dependencies")),
        live=_by_job(lease for lease in leases.values() if lease["state"] == "live"),
        set_asides=list(_rows(conn, "set_asides")),
    )


def slots_of(leases: Iterable[Row]) -> set[tuple[int, int]]:
    """Return the slots that hold these leases."""
    return {(lease["agent_id"], lease["slot"]) for lease in leases}


def _is_only_a_record(job: Row, content: Content) -> None:
    """A job whose files were removed has ended, and nobody works on it or waits for it."""
    assert job["state"] in ENDED, f"job {job['id']} is {job['state']} without its files"
    assert not content.live[job["id"]], f"job {job['id']} is rendered without its files"
    assert (job["video_sha256"], job["sound_sha256"]) == (None, None), f"job {job['id']} has files still"
    if job["removal"] is None:
        left = [*content.frames[job["id"]], *content.chunks[job["id"]]]
        assert not left, f"job {job['id']} has rows left that tell of its files"


def _frames_are_partitioned(job: Row, content: Content) -> None:
    """1: each frame has ended or is in exactly one chunk."""
    wanted = parse(job["frames"])
    where = Counter(frame["frame"] for frame in content.frames[job["id"]])
    for chunk in content.chunks[job["id"]]:
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


def _chunks_follow_their_job(job: Row, content: Content) -> None:
    """2: a chunk is leased by one live lease of its job; what no lease has waits, or is held when its job does."""
    waiting = "pending" if job["state"] in ("queued", "running") else "held"
    allowed = (waiting, "leased") if job["state"] in BEGUN else (waiting,)
    for chunk in content.chunks[job["id"]]:
        assert chunk["state"] in allowed, f"chunk {chunk['id']} is {chunk['state']}, its job {job['state']}"
        for holder in (chunk["lease_id"], chunk["hedge_lease_id"]):
            if holder is not None:
                lease = content.leases[holder]
                assert lease["state"] == "live", f"chunk {chunk['id']} is leased by {holder}, which has ended"
                assert lease["job_id"] == job["id"], f"chunk {chunk['id']} is leased for another job"


def _second_leases_are_of_other_slots(job: Row, content: Content) -> None:
    """2: a second lease is another slot's, on one frame, and has nothing else to render."""
    for chunk in content.chunks[job["id"]]:
        if chunk["hedge_lease_id"] is None:
            continue
        first, second = content.leases[chunk["lease_id"]], content.leases[chunk["hedge_lease_id"]]
        assert len(slots_of([first, second])) == 2, f"chunk {chunk['id']} is leased twice by one slot"
        assert chunk["frame_count"] == 1, f"chunk {chunk['id']} of several frames is leased twice"
        others = [
            other["id"]
            for other in content.chunks[job["id"]]
            if second["id"] in (other["lease_id"], other["hedge_lease_id"]) and other["id"] != chunk["id"]
        ]
        assert not others, f"lease {second['id']}, the second one of a frame, has the chunks {others} too"


def _results_are_stored(job: Row, content: Content) -> None:
    """3 and 4: what is finished is in the store, with the size that was recorded."""
    blobs, frames = content.blobs, content.frames[job["id"]]
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


def _counters_are_sums(job: Row, content: Content) -> None:
    """6: counters equal the sums they stand for."""
    number, name = job["id"], f"job {job['id']}"
    states = Counter(frame["state"] for frame in content.frames[number])
    assert job["frame_count"] == len(parse(job["frames"])), f"{name} counts its frames wrongly"
    assert (job["finished"], job["failed"]) == (states["finished"], states["failed"]), (
        f"{name} counts ended frames wrongly"
    )
    for column, counter in (("blank", "blank"), ("doubt", "doubtful")):
        there = sum(frame[column] is not None for frame in content.frames[number])
        assert job[counter] == there, f"{name} counts {job[counter]} {counter} frames; there are {there}"
    pending = sum(chunk["frame_count"] for chunk in content.chunks[number] if chunk["state"] == "pending")
    assert job["pending"] == pending, f"{name} counts {job['pending']} pending frames; there are {pending}"
    busy = slots_of(content.live[number])
    assert job["slots"] == len(busy), f"{name} counts {job['slots']} slots; {len(busy)} work on it"
    # What is learned of a slot's speed counts from its next lease on.
    newest = {
        (lease["agent_id"], lease["slot"]): lease["speed"]
        for lease in sorted(content.live[number], key=lambda lease: (lease["granted_at"], lease["id"]))
    }
    speed = sum(newest.values())
    assert abs(job["speed"] - speed) < 1e-6, f"{name} counts a speed of {job['speed']}; its slots have {speed}"
    counted = [attempt for attempt in content.attempts[number] if not attempt["voided"]]
    whole = sum(attempt["frame"] is None for attempt in counted)
    assert job["whole_failures"] == whole, f"{name} counts its failures as a whole wrongly"
    assert (job["latest_frame"] is None) <= (job["finished"] == 0), f"{name} has finished frames without a latest one"
    granted = sum(lease["job_id"] == number for lease in content.leases.values())
    assert 0 <= job["looks"] <= granted, f"{name} was looked at {job['looks']} times"


def _retries_are_used_up(job: Row, content: Content) -> None:
    """A frame fails when its attempts say so, not before and not later."""
    name = f"of job {job['id']}"
    tried: dict[int, list[Failure]] = defaultdict(list)
    for attempt in content.attempts[job["id"]]:
        if attempt["frame"] is not None and not attempt["voided"]:
            failure = Failure(attempt["agent_id"], attempt["code"], attempt["message"])
            tried[attempt["frame"]].append(failure)
    ended = {frame["frame"]: frame for frame in content.frames[job["id"]]}
    wanted = parse(job["frames"])
    for frame, failures in tried.items():
        if frame not in wanted:
            continue  # it was cut off the job's range
        # Whether others could try is not known any more; what fails all the same has failed.
        if frame_verdict(failures, job["max_retries"], other_agents_can=True) == Verdict.FAIL:
            assert frame in ended, f"frame {frame} {name} is tried for ever"
            assert ended[frame]["state"] == "failed", f"frame {frame} {name} is finished after too many attempts"
            alike = any(one.agent_id != two.agent_id and same_way(one, two) for one, two in combinations(failures, 2))
            assert alike or len(failures) <= job["max_retries"] + 1 or _forgiven(failures), (
                f"frame {frame} {name} was tried {len(failures)} times"
            )
    for frame, row in ended.items():
        finished = row["state"] == "finished"
        assert row["attempts"] == len(tried[frame]) + finished, f"frame {frame} {name} counts its attempts wrongly"
        assert finished or frame_verdict(tried[frame], job["max_retries"], other_agents_can=False) == Verdict.FAIL, (
            f"frame {frame} {name} failed too early"
        )


def _forgiven(failures: list[Failure]) -> bool:
    """Tell whether some of the attempts may not have counted when they were made."""
    return any(failure.code in ("agent_lost", "out_of_memory", "out_of_gpu_memory") for failure in failures)


def _history_is_complete(job: Row, content: Content) -> None:
    """5: every state the job, its frames and its leases have gone through is in the history, and in the table."""
    number, name = job["id"], f"job {job['id']}"
    events = sorted(content.events[number], key=lambda event: int(event["id"]))
    kinds = Counter(event["kind"] for event in events)
    assert kinds["submitted"] == 1, f"{name} was submitted {kinds['submitted']} times"
    state = NEW
    taken_back: Counter[str] = Counter()
    for event in events:
        data = json.loads(event["data"])
        if event["kind"] == "submitted":
            # Jobs of the first schema could not wait for others.
            old, new = NEW, data.get("state", "queued")
        elif event["kind"] in STATES:
            old, new = data["from"], event["kind"]
        else:
            if event["kind"] in ("requeued", "reframed"):
                taken_back.update(finished=data["finished"], failed=data["failed"])
            continue
        assert ("job", old, new) in TRANSITIONS, f"{name} went from {old} to {new}"
        assert old == state, f"{name} went from {old} to {new} when it was {state}"
        state = new
    assert state == job["state"], f"{name} is {job['state']}; its history ends with {state}"
    for kind in ("finished", "failed"):
        told = kinds[f"frame_{kind}"] - taken_back[kind]
        assert told == job[kind], f"{name} {kind} frames without a line of history"
    own = [lease for lease in content.leases.values() if lease["job_id"] == number]
    ended = sum(lease["state"] == "ended" for lease in own)
    assert kinds["lease_granted"] == len(own), f"{name} has leases without a line of history"
    assert kinds["lease_ended"] == ended, f"leases of {name} ended without a line of history"
    for frame in content.frames[number]:
        if frame["lease_id"] is not None:
            assert content.leases[frame["lease_id"]]["job_id"] == number, (
                f"frame {frame['frame']} came by another job's lease"
            )


def _job_can_end(job: Row, content: Content) -> None:
    """A job that has not ended has frames left, or a lease that mixes its sound: else it would never end."""
    holder = job["sound_lease_id"]
    if holder is not None:
        assert content.leases[holder]["state"] == "live", f"job {job['id']} waits for sound from a lease that ended"
        assert content.leases[holder]["job_id"] == job["id"], f"job {job['id']} waits for sound of another job's lease"
    if job["state"] not in ENDED and job["state"] != "stitching":
        assert content.chunks[job["id"]] or holder is not None, (
            f"job {job['id']} is {job['state']} with nothing left to do"
        )
    assert job["sound_failures"] <= SOUND_ATTEMPTS, f"job {job['id']} tries its sound for ever"
    told = sum(event["kind"] == "sound_attempt_failed" for event in content.events[job["id"]])
    assert job["sound_failures"] <= told, f"job {job['id']} counts failures of its sound wrongly"


def _blocked_jobs_wait(job: Row, content: Content) -> None:
    """A job is blocked while one that it comes after is not completed, and no longer."""
    if job["state"] == "blocked":
        states = [content.jobs[row["after_id"]]["state"] for row in content.after[job["id"]]]
        assert any(state != "completed" for state in states), f"job {job['id']} is blocked and waits for no job"


def _leases_have_work(content: Content) -> None:
    """A live lease has frames, or the sound, left to deliver, of a job that is under way."""
    busy = {job["sound_lease_id"] for job in content.jobs.values()}
    for rows in content.chunks.values():
        busy |= {holder for chunk in rows for holder in (chunk["lease_id"], chunk["hedge_lease_id"])}
    for lease in content.leases.values():
        assert lease["charged"] >= 0, f"lease {lease['id']} was charged {lease['charged']} s"
        assert lease["used"] >= 0, f"lease {lease['id']} used {lease['used']} s"
        if lease["state"] == "live":
            state = content.jobs[lease["job_id"]]["state"]
            assert lease["id"] in busy, f"lease {lease['id']} lives and has nothing left to deliver"
            assert state in BEGUN, f"lease {lease['id']} lives, its job is {state}"


def _agents_hold_what_they_may(content: Content) -> None:
    """A slot has two leases at most; an agent that left has none; one that was set aside was given none since."""
    live = [lease for leases in content.live.values() for lease in leases]
    for (agent, slot), held in Counter((lease["agent_id"], lease["slot"]) for lease in live).items():
        assert held <= 2, f"slot {slot} of agent {agent} has {held} leases"
    barred = {(row["agent_id"], row["job_id"]): row["at"] for row in content.set_asides}
    for lease in live:
        agent = content.agents[lease["agent_id"]]
        assert agent["state"] != "left", f"agent {agent['id']} left with a live lease"
        since = min(
            (at for at in (agent["set_aside_at"], barred.get((agent["id"], lease["job_id"]))) if at is not None),
            default=math.inf,
        )
        assert lease["granted_at"] <= since, f"agent {agent['id']} was set aside and given lease {lease['id']}"


def _shares_are_sums(content: Content) -> None:
    """Users and jobs were charged what their leases took or are expected to take.

    Or more: who joins the others begins where they are.
    """
    jobs, users = given_to(content)
    for number, job in content.jobs.items():
        assert job["vtime"] >= jobs[number] - SLACK, (
            f"job {number} was given {jobs[number]} s, charged {job['vtime']} s"
        )
    for name, user in content.users.items():
        assert user["vtime"] >= users[name] - SLACK, f"{name} was given {users[name]} s, charged {user['vtime']} s"


def given_to(content: Content) -> tuple[dict[int, float], dict[str, float]]:
    """Return the slot-seconds that the leases of jobs, and of users, took or are expected to take."""
    jobs: dict[int, float] = defaultdict(float)
    users: dict[str, float] = defaultdict(float)
    for lease in content.leases.values():
        seconds = lease["charged"] if lease["state"] == "live" else lease["used"]
        jobs[lease["job_id"]] += seconds
        users[content.jobs[lease["job_id"]]["created_by"]] += seconds
    return jobs, users


def _rows(conn: Connection, table: str) -> Iterator[Row]:
    names = metadata.tables[table].c.keys()
    # Not by way of SQLAlchemy: describing the columns of so many small results would take half of a history's time.
    rows, _ = driver_of(conn).rows(f"SELECT {', '.join(names)} FROM {table}", ())  # noqa: S608 - our own names
    for row in rows:
        yield dict(zip(names, row, strict=True))


def _by_job(rows: Iterable[Row]) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["job_id"]].append(row)
    return grouped
