"""Queries on the files that scenes wrote themselves, beside their frames' pictures."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from coordinator.db.schema import extra_files
from coordinator.db.statement import Command, bound, records


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraFile:
    """A file that a scene wrote itself, beside its frame's picture."""

    path: str
    """Below the frame's folder, with ``/``."""
    sha256: str
    size: int
    """Bytes."""


_INSERT = Command(insert(extra_files).values(bound(extra_files.c.keys())))
_COLUMNS = (extra_files.c.path, extra_files.c.sha256, extra_files.c.size)
_OF_FRAME = records(
    select(*_COLUMNS)
    .where(extra_files.c.job_id == bindparam("job_id"), extra_files.c.frame == bindparam("frame"))
    .order_by(extra_files.c.path),
    ExtraFile,
)


def insert_files(conn: Connection, job_id: int, frame: int, files: Iterable[ExtraFile]) -> None:
    """Record the files of a frame that has none yet."""
    rows = [
        {"job_id": job_id, "frame": frame, "path": file.path, "sha256": file.sha256, "size": file.size}
        for file in files
    ]
    _INSERT.many(conn, rows)


def of_frame(conn: Connection, job_id: int, frame: int) -> list[ExtraFile]:
    """Return the files of a frame by their paths."""
    return _OF_FRAME.all(conn, job_id=job_id, frame=frame)


def of_job(conn: Connection, job_id: int) -> dict[int, list[ExtraFile]]:
    """Return the files of all frames of a job by frame and path; frames without any are left out."""
    query = select(extra_files.c.frame, *_COLUMNS).where(extra_files.c.job_id == job_id)
    found: dict[int, list[ExtraFile]] = defaultdict(list)
    for frame, path, sha256, size in conn.execute(query.order_by(extra_files.c.frame, extra_files.c.path)):
        found[frame].append(ExtraFile(path=path, sha256=sha256, size=size))
    return found


def counts(conn: Connection, job_id: int, first: int, last: int) -> dict[int, int]:
    """Return how many files the frames from ``first`` to ``last`` have; those without any are left out."""
    query = (
        select(extra_files.c.frame, func.count())
        .where(extra_files.c.job_id == job_id, extra_files.c.frame.between(first, last))
        .group_by(extra_files.c.frame)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def remove(conn: Connection, job_id: int, first: int, last: int) -> None:
    """Forget the files of the frames from ``first`` to ``last``."""
    conn.execute(delete(extra_files).where(extra_files.c.job_id == job_id, extra_files.c.frame.between(first, last)))
