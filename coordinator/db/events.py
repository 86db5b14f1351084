"""Queries on the append-only history."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import func, insert, select, text

from coordinator.db.engine import Transaction
from coordinator.db.schema import events
from coordinator.db.schema.history import NOTABLE_EVENT
from coordinator.db.statement import Command, bound

_COLUMNS = ("job_id", "agent_id", "at", "kind", "message", "data")
_INSERT = Command(insert(events).values(bound(_COLUMNS)), job="job_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a job's or an agent's history."""

    id: int
    at: datetime
    kind: str
    message: str
    data: dict[str, Any]


def append(
    tx: Transaction,
    kind: str,
    message: str,
    *,
    job_id: int | None = None,
    agent_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add a line to the history of a job, an agent, or both."""
    values = (job_id, agent_id, tx.now, kind, message, msgspec.json.encode(data).decode() if data else "{}")
    tx.write_later(_INSERT, dict(zip(_COLUMNS, values, strict=True)))


def page(
    tx: Transaction, job_id: int, after: int | None, limit: int, *, newest_first: bool = False, notable: bool = False
) -> list[Event]:
    """Return up to ``limit`` events of a job past event ``after``, oldest or newest first.

    Only the ``notable`` ones leave out what happens with every frame and lease.
    """
    tx.flush()
    query = select(events.c.id, events.c.at, events.c.kind, events.c.message, events.c.data)
    query = query.where(events.c.job_id == job_id).limit(limit)
    query = query.order_by(events.c.id.desc() if newest_first else events.c.id)
    if notable:
        query = query.where(text(NOTABLE_EVENT))
    if after is not None:
        query = query.where(events.c.id < after if newest_first else events.c.id > after)
    return [
        Event(id=row.id, at=row.at, kind=row.kind, message=row.message, data=msgspec.json.decode(row.data))
        for row in tx.conn.execute(query)
    ]


def latest(tx: Transaction, job_id: int) -> int:
    """Return the id of a job's last event: nothing of the job changes without a new one."""
    tx.flush()
    return tx.conn.scalars(select(func.max(events.c.id)).where(events.c.job_id == job_id)).one() or 0


def last_of(tx: Transaction, job_id: int, kind: str) -> datetime | None:
    """Return when something of a kind happened to a job last."""
    tx.flush()
    query = select(func.max(events.c.at)).where(events.c.job_id == job_id, events.c.kind == kind)
    last: datetime | None = tx.conn.scalars(query).one()
    return last


def history(tx: Transaction, *, job_id: int | None = None, agent_id: int | None = None) -> list[str]:
    """Return the last lines of a history as text, oldest first, for the report of a defect."""
    tx.flush()
    query = select(events.c.at, events.c.kind, events.c.message).order_by(events.c.id.desc()).limit(30)
    query = query.where(events.c.job_id == job_id) if job_id is not None else query.where(events.c.agent_id == agent_id)
    return [f"{row.at.isoformat()} {row.kind}: {row.message}" for row in tx.conn.execute(query)][::-1]
