"""The claim query: which chunk comes next.

It reads the partial index ``ix_chunks_claim`` from its beginning and stops at the first hit, so that its cost follows
the pending chunks and never the history.

Nothing is locked here.  A pending chunk is mostly carved, not taken whole, and all slots want the same one: with SKIP
LOCKED a second slot would be told that there is no work, or be given work of lower priority, while the first one still
cuts.  The caller locks the job and looks whether the chunk is pending still.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, literal_column, select

from coordinator.db.schema import chunks


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that was pending when it was looked at."""

    chunk_id: int
    job_id: int


def next_pending(blender: int) -> Select[tuple[int, int]]:
    """Return the query for the first chunk that a slot with this Blender can render: by priority, job, frame."""
    return (
        select(chunks.c.id, chunks.c.job_id)
        # Written out, not bound: a partial index is used only where its condition can be seen in the query.
        .where(chunks.c.state == literal_column("'pending'"), chunks.c.min_blender <= blender)
        .order_by(chunks.c.priority.desc(), chunks.c.job_id, chunks.c.first)
        .limit(1)
    )


def find(conn: Connection, blender: int) -> Candidate | None:
    """Return the chunk to lease next, not locked; None when there is no work."""
    row = conn.execute(next_pending(blender)).one_or_none()
    return Candidate(row.id, row.job_id) if row else None
