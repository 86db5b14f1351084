"""Queries on leases."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, literal_column, select, update

from coordinator.db.schema import chunks, jobs, leases
from coordinator.db.statement import Change, Command, bound, records
from coordinator.domain.model import Lease, LeaseState

# Written out, not bound: a partial index is used only where its condition can be seen in the query.
LIVE = leases.c.state == literal_column("'live'")

_COLUMNS = tuple(leases.c.keys())
_INSERT = Command(insert(leases).values(bound(_COLUMNS)))
_GET = records(select(leases).where(leases.c.id == bindparam("id")), Lease)
_GET_LIVE = records(select(leases).where(leases.c.id == bindparam("id"), LIVE), Lease)
_CHANGE = Change(update(leases).where(leases.c.id == bindparam("of_id"), LIVE), Lease)
_EXTEND = Command(
    update(leases)
    .where(leases.c.id == bindparam("of_id"), leases.c.agent_id == bindparam("of_agent_id"), LIVE)
    .values(expires_at=bindparam("expires_at"))
)
_REPORT = records(
    update(leases)
    .where(leases.c.id == bindparam("of_id"), leases.c.agent_id == bindparam("of_agent_id"), LIVE)
    .values(bound(("expires_at", "stage", "frame", "progress", "remaining_seconds", "memory_bytes")))
    .values(
        frame_since=case(
            (
                leases.c.frame.is_distinct_from(bindparam("new_frame", type_=leases.c.frame.type)),
                bindparam("now", type_=leases.c.frame_since.type),
            ),
            else_=leases.c.frame_since,
        )
    )
    .returning(*leases.c),
    Lease,
)
_LARGEST = records(
    select(leases)
    .join(chunks, chunks.c.lease_id == leases.c.id)
    .where(chunks.c.job_id == bindparam("job_id"), chunks.c.state == literal_column("'leased'"))
    .order_by(chunks.c.frame_count.desc(), chunks.c.id)
    .limit(bindparam("limit")),
    Lease,
)
_OF_SLOT = (leases.c.agent_id == bindparam("agent_id"), leases.c.slot == bindparam("slot"), LIVE)
_LIVE_OF_SLOT = records(select(leases).where(*_OF_SLOT).order_by(leases.c.granted_at, leases.c.id), Lease)


def insert_lease(
    conn: Connection,
    *,
    lease_id: str,
    job_id: int,
    agent_id: int,
    slot: int,
    granted_at: datetime,
    expires_at: datetime,
    speed: float,
    load_seconds: float,
    charged: float,
) -> Lease:
    """Add a live lease and return it."""
    made = Lease(
        id=lease_id,
        job_id=job_id,
        agent_id=agent_id,
        slot=slot,
        state=LeaseState.LIVE,
        end_reason=None,
        granted_at=granted_at,
        expires_at=expires_at,
        ended_at=None,
        stage=None,
        frame=None,
        frame_since=None,
        progress=0.0,
        remaining_seconds=None,
        memory_bytes=None,
        speed=speed,
        load_seconds=load_seconds,
        charged=charged,
        used=0.0,
    )
    _INSERT.must(conn, **{name: getattr(made, name) for name in _COLUMNS})
    return made


def get(conn: Connection, lease_id: str) -> Lease | None:
    """Return a lease, live or ended."""
    return _GET.one_or_none(conn, id=lease_id)


def get_live(conn: Connection, lease_id: str) -> Lease | None:
    """Return a lease if it is live."""
    return _GET_LIVE.one_or_none(conn, id=lease_id)


def change(conn: Connection, lease: Lease, **values: Any) -> Lease:
    """Set columns of a live lease, whose job is locked, and return it.

    Raises:
        StaleWrite: it has ended.
    """
    return _CHANGE.of(conn, lease, values, of_id=lease.id)


def extend(conn: Connection, lease_id: str, agent_id: int, expires_at: datetime) -> bool:
    """Let an agent's live lease last until ``expires_at`` at least; False if it has none of that id."""
    return _EXTEND.run(conn, of_id=lease_id, of_agent_id=agent_id, expires_at=expires_at) == 1


def report(
    conn: Connection,
    lease_id: str,
    agent_id: int,
    *,
    now: datetime,
    expires_at: datetime,
    stage: str,
    frame: int | None,
    progress: float,
    remaining_seconds: float | None,
    memory_bytes: int | None,
) -> Lease | None:
    """Take down where an agent's live lease is, and since when if its frame is another; None if it has none such."""
    return _REPORT.one_or_none(
        conn,
        of_id=lease_id,
        of_agent_id=agent_id,
        now=now,
        new_frame=frame,
        expires_at=expires_at,
        stage=stage,
        frame=frame,
        progress=progress,
        remaining_seconds=remaining_seconds,
        memory_bytes=memory_bytes,
    )


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
    return _LIVE_OF_SLOT.all(conn, agent_id=agent_id, slot=slot)


def largest(conn: Connection, job_id: int, limit: int) -> list[Lease]:
    """Return the leases that hold a job's largest leased chunks, once for each chunk."""
    return _LARGEST.all(conn, job_id=job_id, limit=limit)


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


def charged_ahead(conn: Connection, now: datetime) -> dict[str, float]:
    """Return the slot-seconds that users were charged for what their live leases are still to take."""
    query = select(jobs.c.created_by, leases.c.granted_at, leases.c.charged).join(jobs).where(LIVE)
    ahead: dict[str, float] = defaultdict(float)
    for user, granted_at, charged in conn.execute(query):
        ahead[user] += max(0.0, charged - (now - granted_at).total_seconds())
    return ahead


def count_live(conn: Connection) -> int:
    """Return how many leases are live."""
    return int(conn.execute(select(func.count()).select_from(leases).where(LIVE)).scalar_one())
