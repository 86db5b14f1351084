"""Queries on what is to be told to those outside: what happened, and to whom it is sent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from coordinator.db.schema import deliveries
from coordinator.db.statement import Command, bound, records

_COLUMNS = ("kind", "job_id", "agent_id", "target", "payload", "attempts", "due_at", "created_at")
INSERT = Command(insert(deliveries).values(bound(_COLUMNS)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Something that happened; with a target, what is to be sent there."""

    id: int
    kind: str
    """``job.completed`` and the like."""
    job_id: int | None
    agent_id: int | None
    target: str | None
    """``webhook:`` and its place in the settings, or ``mailto:`` and an address; None: not addressed yet."""
    payload: str
    """JSON."""
    attempts: int
    due_at: datetime
    """When to try, or to try again."""
    created_at: datetime


_DUE = records(
    select(deliveries)
    .where(deliveries.c.due_at <= bindparam("now"))
    .order_by(deliveries.c.due_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True),
    Delivery,
)
_POSTPONE = Command(
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_id"))
    .values(due_at=bindparam("due_at"), attempts=bindparam("attempts"))
)
_DELETE = Command(delete(deliveries).where(deliveries.c.id == bindparam("of_id")))


def due(conn: Connection, now: datetime, most: int) -> list[Delivery]:
    """Return, locked, what is to be sent by now, the longest due first."""
    return _DUE.all(conn, now=now, most=most)


def add(conn: Connection, **values: object) -> None:
    """Add one."""
    INSERT.run(conn, **values)


def postpone(conn: Connection, delivery_id: int, due_at: datetime, attempts: int) -> None:
    """Try a delivery again then."""
    _POSTPONE.run(conn, of_id=delivery_id, due_at=due_at, attempts=attempts)


def remove(conn: Connection, delivery_id: int) -> None:
    """It was sent, or is given up."""
    _DELETE.run(conn, of_id=delivery_id)


def count(conn: Connection) -> int:
    """Return how many wait."""
    return int(conn.execute(select(func.count()).select_from(deliveries)).scalar_one())


def drop_oldest(conn: Connection, keep: int) -> int:
    """Keep the newest ones only; return how many went."""
    edge = select(deliveries.c.id).order_by(deliveries.c.id.desc()).offset(keep).limit(1).scalar_subquery()
    return conn.execute(delete(deliveries).where(deliveries.c.id <= edge)).rowcount
