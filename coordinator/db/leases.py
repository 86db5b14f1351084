"""Queries on leases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, literal_column, select, update

from coordinator.db.schema import leases
from coordinator.domain.model import Lease, LeaseState

# Written out, not bound: a partial index is used only where its condition can be seen in the query.
LIVE = leases.c.state == literal_column("'live'")


def insert_lease(
    conn: Connection,
    *,
    lease_id: str,
    job_id: int,
    agent_id: int,
    slot: int,
    granted_at: datetime,
    expires_at: datetime,
) -> Lease:
    """Add a live lease and return it."""
    query = insert(leases).values(
        id=lease_id,
        job_id=job_id,
        agent_id=agent_id,
        slot=slot,
        state=LeaseState.LIVE,
        granted_at=granted_at,
        expires_at=expires_at,
        progress=0.0,
    )
    return Lease(**conn.execute(query.returning(leases)).mappings().one())


def get(conn: Connection, lease_id: str) -> Lease | None:
    """Return a lease, live or ended."""
    row = conn.execute(select(leases).where(leases.c.id == lease_id)).mappings().one_or_none()
    return Lease(**row) if row else None


def change(conn: Connection, lease_id: str, **values: Any) -> Lease | None:
    """Set columns of a live lease; None if it has ended."""
    query = update(leases).where(leases.c.id == lease_id, LIVE).values(**values).returning(leases)
    row = conn.execute(query).mappings().one_or_none()
    return Lease(**row) if row else None


def extend(conn: Connection, lease_id: str, agent_id: int, expires_at: datetime) -> bool:
    """Let an agent's live lease last until ``expires_at`` at least; False if it has none of that id."""
    query = (
        update(leases).where(leases.c.id == lease_id, leases.c.agent_id == agent_id, LIVE).values(expires_at=expires_at)
    )
    return conn.execute(query).rowcount == 1


def extend_all(conn: Connection, expires_at: datetime) -> int:
    """Let every live lease last until ``expires_at`` and return how many there are."""
    return conn.execute(
        update(leases).where(LIVE, leases.c.expires_at < expires_at).values(expires_at=expires_at)
    ).rowcount


def end_all_of_job(conn: Connection, job_id: int, **values: Any) -> list[Lease]:
    """End every live lease of a job and return them."""
    query = update(leases).where(leases.c.job_id == job_id, LIVE).values(state=LeaseState.ENDED, **values)
    return [Lease(**row) for row in conn.execute(query.returning(leases)).mappings()]


def live_of_slot(conn: Connection, agent_id: int, slot: int) -> list[Lease]:
    """Return the live leases of a slot, the oldest first."""
    query = select(leases).where(leases.c.agent_id == agent_id, leases.c.slot == slot, LIVE)
    return [Lease(**row) for row in conn.execute(query.order_by(leases.c.granted_at, leases.c.id)).mappings()]


def live_of_agents(conn: Connection, agent_ids: Sequence[int]) -> list[Lease]:
    """Return the live leases of agents, those granted first coming first."""
    query = select(leases).where(leases.c.agent_id.in_(agent_ids), LIVE)
    return [Lease(**row) for row in conn.execute(query.order_by(leases.c.granted_at, leases.c.id)).mappings()]


def live_of_jobs(conn: Connection, job_ids: Sequence[int]) -> list[Lease]:
    """Return the live leases of jobs, those granted first coming first."""
    query = select(leases).where(leases.c.job_id.in_(job_ids), LIVE)
    return [Lease(**row) for row in conn.execute(query.order_by(leases.c.granted_at, leases.c.id)).mappings()]


def expired(conn: Connection, now: datetime, limit: int) -> list[Lease]:
    """Return live leases past their time, by job."""
    query = select(leases).where(LIVE, leases.c.expires_at <= now).order_by(leases.c.expires_at).limit(limit)
    found = [Lease(**row) for row in conn.execute(query).mappings()]
    return sorted(found, key=lambda lease: (lease.job_id, lease.id))


def lock_expired(conn: Connection, lease_id: str, now: datetime) -> Lease | None:
    """Return a lease, locked, if it is live and past its time still."""
    query = (
        select(leases).where(leases.c.id == lease_id, LIVE, leases.c.expires_at <= now).with_for_update(key_share=True)
    )
    row = conn.execute(query).mappings().one_or_none()
    return Lease(**row) if row else None


def count_live(conn: Connection) -> int:
    """Return how many leases are live."""
    return int(conn.execute(select(func.count()).select_from(leases).where(LIVE)).scalar_one())
