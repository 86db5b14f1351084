"""Queries on chunks.  Callers hold the lock of the job."""

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from coordinator.db.schema import chunks
from coordinator.domain.carving import Span
from coordinator.domain.model import Chunk, ChunkState, Job

_COLUMNS = (
    chunks.c.id,
    chunks.c.job_id,
    chunks.c.first,
    chunks.c.last,
    chunks.c.frame_count,
    chunks.c.state,
    chunks.c.lease_id,
)


def insert_chunk(conn: Connection, job: Job, span: Span, state: ChunkState, lease_id: str | None = None) -> None:
    """Add a chunk to a job."""
    conn.execute(
        insert(chunks).values(
            job_id=job.id,
            first=span.first,
            last=span.last,
            frame_count=span.count,
            state=state,
            lease_id=lease_id,
            priority=job.priority,
            min_blender=job.min_blender,
        )
    )


def get(conn: Connection, chunk_id: int) -> Chunk | None:
    """Return a chunk."""
    row = conn.execute(select(*_COLUMNS).where(chunks.c.id == chunk_id)).mappings().one_or_none()
    return Chunk(**row) if row else None


def of_lease(conn: Connection, lease_id: str) -> list[Chunk]:
    """Return the chunks that a lease holds, in order."""
    query = select(*_COLUMNS).where(chunks.c.lease_id == lease_id).order_by(chunks.c.first)
    return [Chunk(**row) for row in conn.execute(query).mappings()]


def around(conn: Connection, job_id: int, frame: int) -> Chunk | None:
    """Return the chunk whose span reaches over ``frame``."""
    # Chunks do not overlap: only the last that begins at or before the frame can hold it.
    query = (
        select(*_COLUMNS)
        .where(chunks.c.job_id == job_id, chunks.c.first <= frame)
        .order_by(chunks.c.first.desc())
        .limit(1)
    )
    row = conn.execute(query).mappings().one_or_none()
    return Chunk(**row) if row and row["last"] >= frame else None


def shrink(conn: Connection, chunk: Chunk, span: Span) -> bool:
    """Make a chunk smaller; False if it is not as it was read."""
    query = update(chunks).where(_unchanged(chunk)).values(first=span.first, last=span.last, frame_count=span.count)
    return conn.execute(query).rowcount == 1


def set_state(conn: Connection, chunk: Chunk, state: ChunkState, lease_id: str | None = None) -> bool:
    """Change a chunk's state; False if it is not as it was read."""
    query = update(chunks).where(_unchanged(chunk)).values(state=state, lease_id=lease_id)
    return conn.execute(query).rowcount == 1


def remove(conn: Connection, chunk: Chunk) -> bool:
    """Remove a chunk whose last frame ended; False if it is not as it was read."""
    return conn.execute(delete(chunks).where(_unchanged(chunk))).rowcount == 1


def give_back(conn: Connection, lease_id: str) -> int:
    """Make every chunk of a lease pending again and return how many there were."""
    query = (
        update(chunks)
        .where(chunks.c.lease_id == lease_id, chunks.c.state == ChunkState.LEASED)
        .values(state=ChunkState.PENDING, lease_id=None)
    )
    return conn.execute(query).rowcount


def hold_all(conn: Connection, job_id: int) -> int:
    """Hold every chunk of a job that ended and return how many there were."""
    query = (
        update(chunks)
        .where(chunks.c.job_id == job_id, chunks.c.state != ChunkState.HELD)
        .values(state=ChunkState.HELD, lease_id=None)
    )
    return conn.execute(query).rowcount


def pending_frames(conn: Connection, job_id: int | None = None) -> int:
    """Return how many frames, of a job or of all, wait for a lease."""
    query = select(func.coalesce(func.sum(chunks.c.frame_count), 0)).where(chunks.c.state == ChunkState.PENDING)
    if job_id is not None:
        query = query.where(chunks.c.job_id == job_id)
    return int(conn.execute(query).scalar_one())


def _unchanged(chunk: Chunk) -> ColumnElement[bool]:
    return and_(
        chunks.c.id == chunk.id,
        chunks.c.state == chunk.state,
        chunks.c.lease_id.is_(None) if chunk.lease_id is None else chunks.c.lease_id == chunk.lease_id,
        chunks.c.first == chunk.first,
        chunks.c.last == chunk.last,
    )
