"""Queries on leases."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, literal_column, select, update

from coordinator.db.kept import Shelf, is_lasting
from coordinator.db.schema import agents, attempts, chunks, jobs, leases
from coordinator.db.statement import Change, Command, bound, record_maker, records
from coordinator.domain.model import Lease, LeaseState

# Written out, not bound: a partial index is used only where its condition can be seen in the query.
LIVE = leases.c.state == literal_column("'live'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a lease is, which never changes."""

    job_id: int
    agent_id: int
    slot: int


_COLUMNS = tuple(leases.c.keys())
_INSERT = Command(insert(leases).values(bound(_COLUMNS)), job="job_id")
_NEW: dict[str, Any] = dict.fromkeys(_COLUMNS) | {"state": LeaseState.LIVE, "progress": 0.0, "used": 0.0, "finished": 0}
_MAKE = record_maker(Lease, _COLUMNS)
_GET = records(select(leases).where(leases.c.id == bindparam("id")), Lease)
_PLACE = records(select(leases.c.job_id, leases.c.agent_id, leases.c.slot).where(leases.c.id == bindparam("id")), Place)
_CHANGE = Change(update(leases).where(leases.c.id == bindparam("of_id"), LIVE), Lease, job="job_id")
_EXTEND = records(
    update(leases)
    .where(leases.c.id == bindparam("of_id"), leases.c.agent_id == bindparam("of_agent_id"), LIVE)
    .values(expires_at=bindparam("expires_at"))
    .returning(*leases.c),
    Lease,
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
_LIVE_OF_SLOT_AND_JOB = records(
    select(leases).where(*_OF_SLOT, leases.c.job_id == bindparam("job_id")).order_by(leases.c.granted_at, leases.c.id),
    Lease,
)

_PLACES: Shelf[str, Place | None] = Shelf()
"""Where leases are, by their ids."""
_ROWS: Shelf[str, Lease | None] = Shelf()
"""Leases by their ids, read under the locks of their jobs."""
_SEEN: Shelf[tuple[int, int], Sequence[Lease]] = Shelf()
"""The live leases of slots: on PostgreSQL, others may have ended some of them since, or may have changed them."""
_OF_JOBS: Shelf[tuple[int, int, int], Sequence[Lease]] = Shelf()
"""The live leases of slots that are of one job, read under its lock."""


#: An agent's record is what came of so many leases.
RECENT = 32
_LATELY = (
    select(leases.c.id)
    .where(leases.c.agent_id == agents.c.id)
    .order_by(leases.c.granted_at.desc())
    .limit(RECENT)
    .correlate(agents)
)
_ENDED_WELL = select(func.coalesce(func.sum(leases.c.finished), 0)).where(leases.c.id.in_(_LATELY)).correlate(agents)
_ENDED_BADLY = (
    select(func.count())
    .select_from(attempts)
    .where(attempts.c.lease_id.in_(_LATELY), attempts.c.voided.is_(False))
    .correlate(agents)
)


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
    values = {
        **_NEW,
        "id": lease_id,
        "job_id": job_id,
        "agent_id": agent_id,
        "slot": slot,
        "granted_at": granted_at,
        "expires_at": expires_at,
        "speed": speed,
        "load_seconds": load_seconds,
        "charged": charged,
    }
    _INSERT.must(conn, **values)
    made = _MAKE(list(values.values()))
    _keep(conn, made)
    return made


def get(conn: Connection, lease_id: str) -> Lease | None:
    """Return a lease, live or ended; who changes something by it holds the lock of its job."""
    return _ROWS.get(conn, lease_id, lambda: _GET.one_or_none(conn, id=lease_id))


def get_live(conn: Connection, lease_id: str) -> Lease | None:
    """Return a lease if it is live, as :func:`get` does."""
    lease = get(conn, lease_id)
    return lease if lease is not None and lease.state == LeaseState.LIVE else None


def place(conn: Connection, lease_id: str) -> Place | None:
    """Return where a lease is, None if there is no such lease."""
    return _PLACES.get(conn, lease_id, lambda: _PLACE.one_or_none(conn, id=lease_id))


def known_place(conn: Connection, lease_id: str) -> Place | None:
    """Return what :func:`place` does if that needs no reading."""
    return _PLACES.peek(conn, lease_id)


def ask_for_place(conn: Connection, lease_id: str) -> None:
    """Have :func:`place` answered with what is read next."""
    _PLACES.ask(conn, lease_id, lambda: _PLACE.ask_for_one(conn, id=lease_id))


def known(conn: Connection, lease_id: str) -> Lease | None:
    """Return a lease as :func:`get` does if that needs no reading."""
    return _ROWS.peek(conn, lease_id)


def ask_for(conn: Connection, lease_id: str) -> None:
    """Have :func:`get` answered with what is read next."""
    _ROWS.ask(conn, lease_id, lambda: _GET.ask_for_one(conn, id=lease_id))


def change(conn: Connection, lease: Lease, **values: Any) -> Lease:
    """Set columns of a live lease, whose job is locked, and return it.

    Raises:
        StaleWrite: it has ended.
    """
    changed = _CHANGE.of(conn, lease, values, of_id=lease.id)
    _keep(conn, changed)
    return changed


def extend(conn: Connection, lease_id: str, agent_id: int, expires_at: datetime) -> Lease | None:
    """Let an agent's live lease last until ``expires_at`` at least, and return it; None if it has none of that id."""
    extended = _EXTEND.one_or_none(conn, of_id=lease_id, of_agent_id=agent_id, expires_at=expires_at)
    if extended is not None:
        _keep(conn, extended)
    return extended


def report(
    conn: Connection,
    lease_id: str,
    agent_id: int,
    *,
    known: Lease | None,
    now: datetime,
    expires_at: datetime,
    stage: str,
    frame: int | None,
    progress: float,
    remaining_seconds: float | None,
    memory_bytes: int | None,
) -> Lease | None:
    """Take down where an agent's live lease is, and since when if its frame is another; None if it has none such.

    One that is ``known``, live and with its job locked, need not be read.
    """
    if known is not None:
        return change(
            conn,
            known,
            expires_at=expires_at,
            stage=stage,
            frame=frame,
            frame_since=known.frame_since if frame == known.frame else now,
            progress=progress,
            remaining_seconds=remaining_seconds,
            memory_bytes=memory_bytes,
        )
    reported = _REPORT.one_or_none(
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
    if reported is not None:
        _keep(conn, reported)
    return reported


def extend_all(conn: Connection, expires_at: datetime) -> int:
    """Let every live lease last until ``expires_at`` and return how many there are."""
    return conn.execute(
        update(leases).where(LIVE, leases.c.expires_at < expires_at).values(expires_at=expires_at)
    ).rowcount


def end_all_of_job(conn: Connection, job_id: int, **values: Any) -> list[Lease]:
    """End every live lease of a job and return them."""
    query = update(leases).where(leases.c.job_id == job_id, LIVE).values(state=LeaseState.ENDED, **values)
    return [Lease(**row) for row in conn.execute(query.returning(leases)).mappings()]


def seen_of_slot(conn: Connection, agent_id: int, slot: int) -> Sequence[Lease]:
    """Return the live leases of a slot, the oldest first; some may just have ended, for their jobs are not locked."""
    return _SEEN.get(conn, (agent_id, slot), lambda: _LIVE_OF_SLOT.all(conn, agent_id=agent_id, slot=slot))


def ask_for_slot(conn: Connection, agent_id: int, slot: int) -> None:
    """Have :func:`seen_of_slot` answered with what is read next."""
    _SEEN.ask(conn, (agent_id, slot), lambda: _LIVE_OF_SLOT.ask(conn, agent_id=agent_id, slot=slot))


def live_of_slot(conn: Connection, agent_id: int, slot: int, job_id: int) -> Sequence[Lease]:
    """Return a slot's live leases of a job, which is locked, the oldest first."""
    if is_lasting(conn):
        return [live for live in seen_of_slot(conn, agent_id, slot) if live.job_id == job_id]
    key = (agent_id, slot, job_id)
    return _OF_JOBS.get(conn, key, lambda: _LIVE_OF_SLOT_AND_JOB.all(conn, agent_id=agent_id, slot=slot, job_id=job_id))


def ask_for_slot_and_job(conn: Connection, place: Place) -> None:
    """Have :func:`live_of_slot` answered with what is read next."""
    values = {"agent_id": place.agent_id, "slot": place.slot, "job_id": place.job_id}
    key = (place.agent_id, place.slot, place.job_id)
    _OF_JOBS.ask(conn, key, lambda: _LIVE_OF_SLOT_AND_JOB.ask(conn, **values))


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


def _keep(conn: Connection, lease: Lease) -> None:
    """Keep a lease as it was just written."""

    def with_it(others: Sequence[Lease]) -> Sequence[Lease]:
        found = [other for other in others if other.id != lease.id]
        if lease.state == LeaseState.LIVE:
            found.append(lease)
            found.sort(key=lambda it: (it.granted_at, it.id))
        return found

    _ROWS.put(conn, lease.id, lease)
    _PLACES.put(conn, lease.id, Place(job_id=lease.job_id, agent_id=lease.agent_id, slot=lease.slot))
    _SEEN.change(conn, (lease.agent_id, lease.slot), with_it)
    _OF_JOBS.change(conn, (lease.agent_id, lease.slot, lease.job_id), with_it)


def records_of_agents(conn: Connection, agent_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return how many frames agents finished, and how many attempts failed, under the last leases of each.

    Attempts from before a requeue are not counted, as everywhere.
    """
    query = select(agents.c.id, _ENDED_WELL.scalar_subquery(), _ENDED_BADLY.scalar_subquery())
    return {row[0]: (row[1], row[2]) for row in conn.execute(query.where(agents.c.id.in_(agent_ids)))}
