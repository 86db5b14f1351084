"""Queries on agents that get no more work of a job."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from coordinator.db.kept import Shelf
from coordinator.db.schema import set_asides
from coordinator.db.statement import records, scalars
from coordinator.domain.model import SetAside

_OF_AGENT = records(
    select(set_asides).where(set_asides.c.agent_id == bindparam("agent_id")).order_by(set_asides.c.job_id), SetAside
)
_SEEN: Shelf[int, Sequence[SetAside]] = Shelf()
"""By agent; on PostgreSQL, others may have changed some since."""
_OF_JOB = scalars(select(set_asides.c.agent_id).where(set_asides.c.job_id == bindparam("job_id")), int)


def insert_set_aside(conn: Connection, *, agent_id: int, job_id: int, reason: str, at: datetime) -> None:
    """Give an agent no more work of a job."""
    conn.execute(insert(set_asides).values(agent_id=agent_id, job_id=job_id, reason=reason, at=at))


def of_agent(conn: Connection, agent_id: int) -> list[SetAside]:
    """Return the jobs that an agent gets no more work of."""
    return _OF_AGENT.all(conn, agent_id=agent_id)


def seen_of_agent(conn: Connection, agent_id: int) -> Sequence[SetAside]:
    """Return them as they are, or just were."""
    return _SEEN.get(conn, agent_id, lambda: of_agent(conn, agent_id))


def ask_for_agent(conn: Connection, agent_id: int) -> None:
    """Have :func:`seen_of_agent` answered with what is read next."""
    _SEEN.ask(conn, agent_id, lambda: _OF_AGENT.ask(conn, agent_id=agent_id))


def of_job(conn: Connection, job_id: int) -> list[int]:
    """Return the agents that get no more work of a job."""
    return _OF_JOB.all(conn, job_id=job_id)


def forget_agent(conn: Connection, agent_id: int) -> int:
    """Let an agent work on every job again and return how many it had been kept from."""
    return conn.execute(delete(set_asides).where(set_asides.c.agent_id == agent_id)).rowcount


def forget_job(conn: Connection, job_id: int) -> int:
    """Let every agent work on a job again, and return how many had been kept from it."""
    return conn.execute(delete(set_asides).where(set_asides.c.job_id == job_id)).rowcount
