"""Queries on inspections."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from coordinator.db.schema import inspections, pack_blobs
from coordinator.domain.inspections import Inspection, InspectionState

_WAITING = inspections.c.state == InspectionState.WAITING
_RUNNING = inspections.c.state == InspectionState.RUNNING


class StaleInspection(RuntimeError):
    """An inspection is no longer in the state that it was read in."""


def insert_inspection(conn: Connection, pack_id: str, min_blender: int, asked_at: datetime) -> None:
    """Add an inspection that waits for an agent."""
    values = {"pack_id": pack_id, "state": InspectionState.WAITING, "min_blender": min_blender, "asked_at": asked_at}
    conn.execute(insert(inspections).values(attempts=0, **values))


def get(conn: Connection, pack_id: str, *, lock: bool = False) -> Inspection | None:
    """Return the inspection of a pack; ``lock`` keeps other writers off it."""
    query = select(inspections).where(inspections.c.pack_id == pack_id)
    row = conn.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return Inspection(**row) if row else None


def change(conn: Connection, inspection: Inspection, **values: Any) -> None:
    """Set columns of an inspection.

    Raises:
        StaleInspection: it is no longer in the state, or of the agent, that it was read with.
    """
    query = update(inspections).where(
        inspections.c.pack_id == inspection.pack_id,
        inspections.c.state == inspection.state,
        inspections.c.claim.is_not_distinct_from(inspection.claim),
    )
    if conn.execute(query.values(**values)).rowcount != 1:
        raise StaleInspection(f"the inspection of pack {inspection.pack_id} has changed")


def waiting(conn: Connection, asked_since: datetime, limit: int) -> list[Inspection]:
    """Return those that wait and were asked for since then, the one that has waited longest first.

    They are locked; those that someone else is just taking are left out.
    """
    query = (
        select(inspections)
        .where(_WAITING, inspections.c.asked_at >= asked_since)
        .order_by(inspections.c.asked_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [Inspection(**row) for row in conn.execute(query).mappings()]


def held(conn: Connection, agent_id: int, claim: str) -> Inspection | None:
    """Return what an agent looks into under a claim, locked; None if it is not its any more."""
    query = select(inspections).where(_RUNNING, inspections.c.claim == claim, inspections.c.agent_id == agent_id)
    row = conn.execute(query.with_for_update()).mappings().one_or_none()
    return Inspection(**row) if row else None


def held_by(conn: Connection, agent_id: int) -> list[Inspection]:
    """Return all that an agent looks into, locked."""
    query = select(inspections).where(_RUNNING, inspections.c.agent_id == agent_id).with_for_update()
    return [Inspection(**row) for row in conn.execute(query).mappings()]


def any_expired(conn: Connection, now: datetime) -> bool:
    """Tell whether the agent of one fell silent."""
    query = select(inspections.c.pack_id).where(_RUNNING, inspections.c.expires_at <= now).limit(1)
    return conn.execute(query).first() is not None


def expired(conn: Connection, now: datetime) -> list[Inspection]:
    """Return those whose agents fell silent, locked; those that someone is just reporting on are left out."""
    query = select(inspections).where(_RUNNING, inspections.c.expires_at <= now).with_for_update(skip_locked=True)
    return [Inspection(**row) for row in conn.execute(query).mappings()]


def given_to(conn: Connection, agent_id: int, pack_id: str) -> bool:
    """Tell whether an agent looks into a pack, or was the last to do so."""
    query = select(inspections.c.pack_id).where(inspections.c.pack_id == pack_id, inspections.c.agent_id == agent_id)
    return conn.execute(query).first() is not None


def blob_given_to(conn: Connection, agent_id: int, sha256: str) -> bool:
    """Tell whether a pack has this blob that an agent looks into, or was the last to look into."""
    query = (
        select(inspections.c.pack_id)
        .join(pack_blobs, pack_blobs.c.pack_id == inspections.c.pack_id)
        .where(inspections.c.agent_id == agent_id, pack_blobs.c.sha256 == sha256)
        .limit(1)
    )
    return conn.execute(query).first() is not None


def forget(conn: Connection, asked_before: datetime) -> int:
    """Remove those that no one has asked for since then, and return how many."""
    return conn.execute(delete(inspections).where(inspections.c.asked_at < asked_before, ~_RUNNING)).rowcount
