"""Queries on who refers to a blob: nothing is removed that a pack, a frame, a file beside one, sound or video needs."""

from collections.abc import Collection
from functools import cache

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    cast,
    exists,
    func,
    or_,
    select,
    union,
)

from coordinator.db.schema import blobs, extra_files, frames, jobs, pack_blobs
from coordinator.db.schema.base import Digest
from coordinator.db.statement import Query, scalars

#: Every column that refers to a blob.  Each has an index, and whoever adds one adds it here.
REFERRING = (
    pack_blobs.c.sha256,
    frames.c.output_sha256,
    frames.c.preview_sha256,
    frames.c.display_sha256,
    extra_files.c.sha256,
    jobs.c.sound_sha256,
    jobs.c.video_sha256,
)

#: Nothing refers to the row of ``blobs`` that is looked at.
UNREFERRED = and_(*(~exists().where(column == blobs.c.sha256) for column in REFERRING))


@cache
def _referred(count: int) -> Query[str]:
    wanted = [bindparam(f"sha256_{number}", type_=Digest) for number in range(count)]
    return scalars(select(blobs.c.sha256).where(blobs.c.sha256.in_(wanted), ~UNREFERRED), str)


def referred(conn: Connection, digests: Collection[str]) -> set[str]:
    """Return those of a few blobs that something refers to."""
    if not digests:
        return set()
    named = {f"sha256_{number}": sha256 for number, sha256 in enumerate(digests)}
    return set(_referred(len(digests)).all(conn, **named))


def _own(job_id: ColumnElement[int]) -> tuple[list[Column[str]], list[ColumnElement[bool]]]:
    """Return each column by which a job refers to files of its own, and the condition that it is this job."""
    columns = [column for column in REFERRING if column is not pack_blobs.c.sha256]
    owners = [column.table.c.id if column.table is jobs else column.table.c.job_id for column in columns]
    return columns, [owner == job_id for owner in owners]


_JOB = bindparam("job_id", type_=jobs.c.id.type)
_PACK = bindparam("pack_id", type_=Digest)
_OWN = [
    select(column.label("sha256")).where(is_own, column.is_not(None))
    for column, is_own in zip(*_own(_JOB), strict=True)
]
_owned = union(*_OWN).subquery("owned")
# PostgreSQL adds large integers up to decimals.
_total = cast(func.coalesce(func.sum(blobs.c.size), 0), BigInteger)
_OWN_SIZE = scalars(select(_total).join_from(_owned, blobs, blobs.c.sha256 == _owned.c.sha256), int)
_all = union(*_OWN, select(pack_blobs.c.sha256).where(pack_blobs.c.pack_id == _PACK)).subquery("all")
_others = or_(
    *(exists().where(column == _all.c.sha256, ~is_own) for column, is_own in zip(*_own(_JOB), strict=True)),
    # A pack is needed while any job of it has its files.
    exists().where(
        pack_blobs.c.sha256 == _all.c.sha256,
        or_(
            pack_blobs.c.pack_id != _PACK,
            exists().where(jobs.c.pack_id == _PACK, jobs.c.id != _JOB, jobs.c.files_swept_at.is_(None)),
        ),
    ),
)
_WHOLE = select(_total).join_from(_all, blobs, blobs.c.sha256 == _all.c.sha256)
_WHOLE_SIZE = scalars(_WHOLE, int)
_FREED_SIZE = scalars(_WHOLE.where(~_others), int)


def size_of_job(conn: Connection, job_id: int) -> int:
    """Return how many bytes a job's files take, each counted once, without its pack."""
    return int(_OWN_SIZE.one(conn, job_id=job_id))


def size_with_pack(conn: Connection, job_id: int, pack_id: str) -> int:
    """Return how many bytes a job's files and its pack take, each counted once."""
    return int(_WHOLE_SIZE.one(conn, job_id=job_id, pack_id=pack_id))


def freed_size(conn: Connection, job_id: int, pack_id: str) -> int:
    """Return how many bytes of these no one else needs."""
    return int(_FREED_SIZE.one(conn, job_id=job_id, pack_id=pack_id))
