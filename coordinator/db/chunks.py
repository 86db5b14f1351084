"""Queries on chunks.  Callers hold the lock of the job.

What changes one chunk raises StaleWrite unless it is as it was read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, literal_column, or_, select, update

from coordinator.db.kept import Shelf, forget_everything, is_lasting
from coordinator.db.schema import chunks
from coordinator.db.statement import Change, Command, bound, records, scalars
from coordinator.domain.carving import Span
from coordinator.domain.model import Chunk, ChunkState, Job

# Written out, not bound: a partial index is used only where its condition can be seen in the query.
PENDING = chunks.c.state == literal_column("'pending'")

# What a guarded write finds unchanged since it was read.
_UNCHANGED = and_(
    chunks.c.id == bindparam("at_id"),
    chunks.c.state == bindparam("at_state"),
    chunks.c.lease_id.is_not_distinct_from(bindparam("at_lease_id")),
    chunks.c.first == bindparam("at_first"),
    chunks.c.last == bindparam("at_last"),
)

_INSERT = Command(
    insert(chunks).values(bound(("job_id", "first", "last", "frame_count", "state", "lease_id", "avoid_agent_id"))),
    job="job_id",
)
_GET = records(select(chunks).where(chunks.c.id == bindparam("id")), Chunk)
_OF_LEASE = records(
    select(chunks)
    .where(or_(chunks.c.lease_id == bindparam("lease_id"), chunks.c.hedge_lease_id == bindparam("lease_id")))
    .order_by(chunks.c.first),
    Chunk,
)
_OF_JOB = records(
    select(chunks)
    .where(chunks.c.job_id == bindparam("job_id"), chunks.c.state == bindparam("state"))
    .order_by(chunks.c.first),
    Chunk,
)
_PENDING = records(
    select(chunks).where(chunks.c.job_id == bindparam("job_id"), PENDING).order_by(chunks.c.first).limit(1), Chunk
)
_PENDING_FOR = records(
    select(chunks)
    .where(
        chunks.c.job_id == bindparam("job_id"),
        PENDING,
        chunks.c.avoid_agent_id.is_distinct_from(bindparam("agent_id")),
    )
    .order_by(chunks.c.first)
    .limit(1),
    Chunk,
)
_CHANGE = Change(update(chunks).where(_UNCHANGED), Chunk, job="job_id")
_SET_STATE = Command(
    update(chunks)
    .where(_UNCHANGED)
    .values(
        state=bindparam("state"),
        lease_id=bindparam("lease_id"),
        hedge_lease_id=None,
        avoid_agent_id=bindparam("avoid_agent_id"),
    )
)
_HEDGE = Command(
    update(chunks)
    .where(_UNCHANGED, chunks.c.hedge_lease_id.is_(None))
    .values(hedge_lease_id=bindparam("hedge_lease_id"))
)
_REMOVE = Command(delete(chunks).where(_UNCHANGED))
_HOLD_ALL = Command(
    update(chunks)
    .where(chunks.c.job_id == bindparam("job_id"), chunks.c.state != ChunkState.HELD)
    .values(state=ChunkState.HELD, lease_id=None, hedge_lease_id=None)
)
_PENDING_FRAMES = scalars(select(func.coalesce(func.sum(chunks.c.frame_count), 0)).where(PENDING), int)

_FIRST: Shelf[int, Chunk | None] = Shelf()
"""The first pending chunk of each job."""
_HELD: Shelf[str, Sequence[Chunk]] = Shelf()
"""The chunks of each lease."""


def insert_chunk(
    conn: Connection,
    job: Job,
    span: Span,
    state: ChunkState,
    lease_id: str | None = None,
    *,
    avoid_agent_id: int | None = None,
) -> None:
    """Add a chunk to a job."""
    # Its id is not known.
    if state == ChunkState.PENDING:
        _FIRST.forget(conn, job.id)
    if lease_id is not None:
        _HELD.forget(conn, lease_id)
    _INSERT.must(
        conn,
        job_id=job.id,
        first=span.first,
        last=span.last,
        frame_count=span.count,
        state=state,
        lease_id=lease_id,
        avoid_agent_id=avoid_agent_id,
    )


def get(conn: Connection, chunk_id: int) -> Chunk | None:
    """Return a chunk."""
    return _GET.one_or_none(conn, id=chunk_id)


def of_lease(conn: Connection, lease_id: str) -> Sequence[Chunk]:
    """Return the chunks that a lease holds, a frame it renders beside another lease included, in order."""
    return _HELD.get(conn, lease_id, lambda: _OF_LEASE.all(conn, lease_id=lease_id))


def seen_of_lease(conn: Connection, lease_id: str) -> Sequence[Chunk]:
    """Return what :func:`of_lease` does, and keep nothing of it unless that is lasting: the job need not be locked."""
    held = of_lease(conn, lease_id) if is_lasting(conn) else _HELD.peek(conn, lease_id)
    return _OF_LEASE.all(conn, lease_id=lease_id) if held is None else held


def ask_for_lease(conn: Connection, lease_id: str) -> None:
    """Have :func:`of_lease` answered with what is read next."""
    _HELD.ask(conn, lease_id, lambda: _OF_LEASE.ask(conn, lease_id=lease_id))


def of_job(conn: Connection, job_id: int, state: ChunkState) -> list[Chunk]:
    """Return a job's chunks in one state, in order."""
    return _OF_JOB.all(conn, job_id=job_id, state=state)


def next_pending(conn: Connection, job_id: int, agent_id: int | None) -> Chunk | None:
    """Return the first chunk of a job to be leased; with an agent's id, one that this agent did not fail on last."""
    first = _FIRST.get(conn, job_id, lambda: _PENDING.one_or_none(conn, job_id=job_id))
    if first is None or agent_id is None or first.avoid_agent_id != agent_id:
        return first
    return _PENDING_FOR.one_or_none(conn, job_id=job_id, agent_id=agent_id)


def ask_for_pending(conn: Connection, job_id: int) -> None:
    """Have :func:`next_pending` answered with what is read next, if all agents may have it."""
    _FIRST.ask(conn, job_id, lambda: _PENDING.ask_for_one(conn, job_id=job_id))


def shrink(conn: Connection, chunk: Chunk, span: Span) -> None:
    """Make a chunk smaller."""
    values = {"first": span.first, "last": span.last, "frame_count": span.count}
    smaller = _CHANGE.of(conn, chunk, values, **_as_read(chunk))
    if chunk.state == ChunkState.PENDING:
        # Chunks do not overlap: as it was the first, it still is.
        _FIRST.change(
            conn, chunk.job_id, lambda first: smaller if first is not None and first.id == chunk.id else first
        )
    for lease_id in _holders(chunk):
        _HELD.change(conn, lease_id, lambda held: [smaller if it.id == chunk.id else it for it in held])


def set_state(
    conn: Connection, chunk: Chunk, state: ChunkState, lease_id: str | None = None, *, avoid_agent_id: int | None = None
) -> None:
    """Change a chunk's state and whose it is, with no second lease on it."""
    values = {"state": state, "lease_id": lease_id, "avoid_agent_id": avoid_agent_id}
    _SET_STATE.must_of_job(conn, chunk.job_id, {**_as_read(chunk), **values})
    if ChunkState.PENDING in (chunk.state, state):
        _FIRST.forget(conn, chunk.job_id)
    for holder in (*_holders(chunk), lease_id):
        if holder is not None:
            _HELD.forget(conn, holder)


def hedge(conn: Connection, chunk: Chunk, lease_id: str) -> None:
    """Put a second lease on a chunk of one frame, which has none."""
    _HEDGE.must_of_job(conn, chunk.job_id, {**_as_read(chunk), "hedge_lease_id": lease_id})
    for holder in (*_holders(chunk), lease_id):
        _HELD.forget(conn, holder)


def remove(conn: Connection, chunk: Chunk) -> None:
    """Remove a chunk that has no frame left."""
    _REMOVE.must_of_job(conn, chunk.job_id, _as_read(chunk))
    if chunk.state == ChunkState.PENDING:
        _FIRST.forget(conn, chunk.job_id)
    for lease_id in _holders(chunk):
        _HELD.change(conn, lease_id, lambda held: [it for it in held if it.id != chunk.id])


def hold_all(conn: Connection, job_id: int) -> int:
    """Hold every chunk of a job that ended and return how many there were."""
    forget_everything(conn)
    return _HOLD_ALL.run(conn, job_id=job_id)


def move_all(conn: Connection, job_id: int, old: ChunkState, new: ChunkState) -> int:
    """Take all chunks of a job that no lease has from one state to another; return how many frames they have."""
    query = update(chunks).where(chunks.c.job_id == job_id, chunks.c.state == old).values(state=new)
    return sum(conn.scalars(query.returning(chunks.c.frame_count)))


def all_of_job(conn: Connection, job_id: int) -> list[Chunk]:
    """Return a job's chunks in order."""
    rows = conn.execute(select(chunks).where(chunks.c.job_id == job_id).order_by(chunks.c.first)).mappings()
    return [Chunk(**row) for row in rows]


def pending_frames(conn: Connection) -> int:
    """Return how many frames of all jobs wait for a lease."""
    return _PENDING_FRAMES.one(conn)


def _holders(chunk: Chunk) -> list[str]:
    """Return the leases that a chunk is of."""
    return [lease_id for lease_id in (chunk.lease_id, chunk.hedge_lease_id) if lease_id is not None]


def _as_read(chunk: Chunk) -> Mapping[str, Any]:
    return {
        "at_id": chunk.id,
        "at_state": chunk.state,
        "at_lease_id": chunk.lease_id,
        "at_first": chunk.first,
        "at_last": chunk.last,
    }
