"""Queries on what Blender said of the frames that went well, some hundred bytes for each."""

import zlib

from sqlalchemy import Connection, bindparam, delete, insert, select

from coordinator.db.schema import frame_logs
from coordinator.db.statement import Command, bound, scalars

_INSERT = Command(insert(frame_logs).values(bound(frame_logs.c.keys())))
_OF_FRAME = scalars(
    select(frame_logs.c.packed).where(
        frame_logs.c.job_id == bindparam("job_id"), frame_logs.c.frame == bindparam("frame")
    ),
    bytes,
)


def insert_log(conn: Connection, job_id: int, frame: int, text: str) -> None:
    """Keep what was said of a frame of which nothing is kept yet."""
    _INSERT.must(conn, job_id=job_id, frame=frame, packed=zlib.compress(text.encode()))


def of_frame(conn: Connection, job_id: int, frame: int) -> str | None:
    """Return what was said of a frame, None if nothing is kept of it."""
    packed = _OF_FRAME.one_or_none(conn, job_id=job_id, frame=frame)
    return None if packed is None else zlib.decompress(packed).decode()


def remove(conn: Connection, job_id: int, first: int, last: int) -> None:
    """Forget what was said of the frames from ``first`` to ``last``."""
    conn.execute(delete(frame_logs).where(frame_logs.c.job_id == job_id, frame_logs.c.frame.between(first, last)))
