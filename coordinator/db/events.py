"""Queries on the append-only history."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from coordinator.db.schema import events


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a job's or an agent's history."""

    id: int
    at: datetime
    kind: str
    message: str
    data: dict[str, Any]


def append(
    conn: Connection,
    at: datetime,
    kind: str,
    message: str,
    *,
    job_id: int | None = None,
    agent_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add a line to the history of a job, an agent, or both."""
    conn.execute(
        insert(events).values(
            job_id=job_id, agent_id=agent_id, at=at, kind=kind, message=message, data=json.dumps(data or {})
        )
    )


def page(conn: Connection, job_id: int, after: int | None, limit: int) -> list[Event]:
    """Return up to ``limit`` events of a job past event ``after``, oldest first."""
    query = (
        select(events.c.id, events.c.at, events.c.kind, events.c.message, events.c.data)
        .where(events.c.job_id == job_id)
        .order_by(events.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(events.c.id > after)
    return [
        Event(id=row.id, at=row.at, kind=row.kind, message=row.message, data=json.loads(row.data))
        for row in conn.execute(query)
    ]


def history(conn: Connection, *, job_id: int | None = None, agent_id: int | None = None) -> list[str]:
    """Return the last lines of a history as text, oldest first, for the report of a defect."""
    query = select(events.c.at, events.c.kind, events.c.message).order_by(events.c.id.desc()).limit(30)
    query = query.where(events.c.job_id == job_id) if job_id is not None else query.where(events.c.agent_id == agent_id)
    return [f"{row.at.isoformat()} {row.kind}: {row.message}" for row in conn.execute(query)][::-1]
