"""What random histories need: an empty farm to begin with, and the check of what must not change from step to step."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import delete

from coordinator.db import schema
from coordinator.db.board import load
from coordinator.db.engine import Transaction
from coordinator.domain.board import Board
from coordinator.domain.frame_range import parse
from tests.conformance.invariants import SLACK, Content, Row, check_invariants, given_to, slots_of

#: What every history may use: files do not change.
_KEPT = {"blobs", "packs", "pack_blobs"}


def empty_farm(tx: Transaction) -> None:
    """Remove everything but files and packs; the board is to be invalidated then."""
    for table in reversed(schema.metadata.sorted_tables):
        if table.name not in _KEPT:
            tx.conn.execute(delete(table))


def held_frames(content: Content, lease: Row) -> list[int]:
    """Return the frames that a lease has left, in order."""
    frames = parse(content.jobs[lease["job_id"]]["frames"])
    return sorted(
        frame
        for chunk in content.chunks[lease["job_id"]]
        if lease["id"] in (chunk["lease_id"], chunk["hedge_lease_id"])
        for frame in frames.between(chunk["first"], chunk["last"])
    )


def check_step(before: Content, after: Content, *, by_person: bool) -> None:
    """Raise AssertionError if a step changed what must not change, or gave what must not be given."""
    granted = [lease for key, lease in after.leases.items() if key not in before.leases]
    for lease in granted:
        _may_be_granted(lease, before)
    for key, lease in before.leases.items():
        assert lease["state"] == "live" or after.leases[key] == lease, f"lease {key} changed after its end"
    _limits_hold(before, after)
    if not by_person:
        _charges_follow(before, after, granted)


def check_farm(tx: Transaction) -> Content:
    """Raise AssertionError unless what is always true is true, of the board too; return what is in the database."""
    content = check_invariants(tx.conn)
    _check_board(tx)
    return content


def _check_board(tx: Transaction) -> None:
    """Raise AssertionError unless the board shows just what one shows that was read from the database now."""
    if not tx.board.loaded:
        return
    fresh = Board()
    load(tx.conn, fresh)
    shown, true = _shown(tx.board), _shown(fresh)
    for what, cards in true.items():
        assert shown[what] == cards, f"the board shows other {what} than there are"


def _may_be_granted(lease: Row, before: Content) -> None:
    agent, job = before.agents[lease["agent_id"]], before.jobs[lease["job_id"]]
    name = f"lease {lease['id']} of job {job['id']}, which"
    assert job["state"] in ("queued", "running"), f"{name} was {job['state']}, was granted"
    assert agent["set_aside"] is None, f"{name} was granted to an agent that is set aside"
    barred = {(row["agent_id"], row["job_id"]) for row in before.set_asides}
    assert (agent["id"], job["id"]) not in barred, f"{name} was granted to an agent that is set aside for it"
    needs = json.loads(job["needs"])
    assert set(needs.get("tags", ())) <= set(json.loads(agent["tags"])), f"{name} needs tags, was granted"
    assert needs.get("pool") in (None, *json.loads(agent["pools"])), f"{name} is of a pool, was granted"
    devices = (None, agent["device"]) if agent["device"] == "CPU" else (None, "GPU", agent["device"])
    assert needs.get("device") in devices, f"{name} needs another device, was granted"


def _limits_hold(before: Content, after: Content) -> None:
    """No further slot works on a job, or for a user, whose limit is reached."""
    for number, job in after.jobs.items():
        more = job["slots"] > (before.jobs[number]["slots"] if number in before.jobs else 0)
        assert not more or job["max_slots"] is None or job["slots"] <= job["max_slots"], (
            f"{job['slots']} slots work on job {number}"
        )
    for name, user in after.users.items():
        slots = _slots_for(name, after)
        assert slots <= _slots_for(name, before) or user["max_slots"] is None or slots <= user["max_slots"], (
            f"{slots} slots work for {name}"
        )


def _slots_for(name: str, content: Content) -> int:
    """Return how many slots work on a user's jobs."""
    return len(
        slots_of(
            lease
            for number, leases in content.live.items()
            if content.jobs[number]["created_by"] == name
            for lease in leases
        )
    )


def _charges_follow(before: Content, after: Content, granted: list[Row]) -> None:
    """What is charged changes as what is given does; but who begins, or is given something, may be moved up."""
    moved = {lease["job_id"] for lease in granted}
    moved |= {number for number, job in before.jobs.items() if job["state"] == "blocked"}
    owners = {after.jobs[number]["created_by"] for number in moved}
    jobs_before, users_before = given_to(before)
    jobs_after, users_after = given_to(after)
    for number, job in after.jobs.items():
        if number not in moved:
            charged = job["vtime"] - before.jobs[number]["vtime"]
            assert abs(charged - jobs_after[number] + jobs_before[number]) < SLACK, f"job {number} was charged wrongly"
    for name, user in after.users.items():
        if name not in owners:
            charged = user["vtime"] - before.users[name]["vtime"]
            assert abs(charged - users_after[name] + users_before[name]) < SLACK, f"{name} was charged wrongly"


def _shown(board: Board) -> dict[str, dict[Any, Any]]:
    """Return what a board shows, without what it remembers of how it came about."""
    return {
        "jobs": {
            card.id: (card.owner.name, card.priority, board._needs[card.needs], card.pack_id, card.vtime, card.created)
            for card in board._jobs.values()
        },
        "jobs' counters": {
            card.id: (card.pending, card.open_frames, card.slots, card.max_slots) for card in board._jobs.values()
        },
        "jobs to be leased": dict.fromkeys(_ranked(board), True),
        "users": {owner.name: (owner.vtime, owner.max_slots, owner.slots) for owner in board._owners.values()},
        "agents": {
            number: (agent.slots, agent.speed, agent.set_aside is None, capability)
            for number, (agent, capability) in board._agents._online.items()
        },
    }


def _ranked(board: Board) -> Iterator[int]:
    lanes = [
        lane for band in board._pending._bands.values() for group in band.values() for lane in group.lanes.values()
    ]
    for lane in lanes:
        for vtime, job_id in lane:
            assert vtime == board._jobs[job_id].vtime, f"job {job_id} has another place than its card says"
            yield job_id
