"""Queries that remove what is of no more use, a few rows at a time: the database has other things to do."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Table, bindparam, delete, exists, func, or_, select, tuple_, update

from coordinator.db.references import UNREFERRED
from coordinator.db.schema import (
    attempts,
    blobs,
    chunks,
    events,
    extra_files,
    frame_logs,
    frames,
    inspections,
    job_dependencies,
    jobs,
    leases,
    pack_blobs,
    packs,
    set_asides,
)
from coordinator.db.statement import Command, Query, bound, scalars
from coordinator.db.types import Instant
from coordinator.db.upsert import DIALECTS, insert_into
from coordinator.domain.model import Removal

_NOW, _BEFORE = (bindparam(name, type_=Instant) for name in ("now", "before"))

_CONDEMN = Command(
    update(blobs)
    .where(blobs.c.sha256 == bindparam("of"), blobs.c.condemned_at.is_(None), blobs.c.touched_at < _BEFORE, UNREFERRED)
    .values(condemned_at=_NOW)
)
_PAGE = Query(
    select(blobs.c.sha256, blobs.c.condemned_at.is_(None) & (blobs.c.touched_at < _BEFORE) & UNREFERRED)
    .where(blobs.c.sha256 > bindparam("after"))
    .order_by(blobs.c.sha256)
    .limit(bindparam("limit")),
    lambda values: (str(values[0]), bool(values[1])),
)
_LOCK_CONDEMNED = scalars(
    select(blobs.c.sha256)
    .where(blobs.c.condemned_at <= _BEFORE)
    .order_by(blobs.c.condemned_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True),
    str,
)
_REVIVE = Command(update(blobs).where(blobs.c.sha256 == bindparam("of")).values(condemned_at=None, touched_at=_NOW))
_DELETE = Command(delete(blobs).where(blobs.c.sha256 == bindparam("of")))


def _adopt(dialect: str) -> Command:
    columns = ("sha256", "size", "stored_at", "touched_at", "condemned_at")
    return Command(insert_into(blobs, dialect).values(bound(columns)).on_conflict_do_nothing())


_ADOPT = {dialect: _adopt(dialect) for dialect in DIALECTS}


def condemn(conn: Connection, digests: Collection[str], touched_before: datetime, now: datetime) -> None:
    """Let no one count any more on those of these blobs that nothing refers to and that were not touched since."""
    _CONDEMN.many(conn, [{"of": sha256, "before": touched_before, "now": now} for sha256 in sorted(set(digests))])


def page(conn: Connection, after: str, touched_before: datetime, limit: int) -> list[tuple[str, bool]]:
    """Return up to ``limit`` blobs past one, in order, and whether each may be condemned."""
    return _PAGE.all(conn, after=after, before=touched_before, limit=limit)


def lock_condemned(conn: Connection, before: datetime, limit: int) -> list[str]:
    """Return, locked, blobs that were condemned so long ago."""
    return _LOCK_CONDEMNED.all(conn, before=before, limit=limit)


def revive(conn: Connection, digests: Collection[str], now: datetime) -> None:
    """Have blobs stay."""
    _REVIVE.many(conn, [{"of": sha256, "now": now} for sha256 in digests])


def forget(conn: Connection, digests: Collection[str]) -> None:
    """Forget blobs whose bytes are gone."""
    _DELETE.many(conn, [{"of": sha256} for sha256 in digests])


def adopt(conn: Connection, found: Collection[tuple[str, int]], now: datetime) -> None:
    """Record files of which nothing is known, with their lengths, as such that are to go."""
    rows = [
        {"sha256": sha256, "size": size, "stored_at": now, "touched_at": now, "condemned_at": now}
        for sha256, size in sorted(found)
    ]
    _ADOPT[conn.dialect.name].many(conn, rows)


@cache
def _known(count: int) -> Query[str]:
    wanted = [bindparam(f"sha256_{number}", type_=blobs.c.sha256.type) for number in range(count)]
    return scalars(select(blobs.c.sha256).where(blobs.c.sha256.in_(wanted)), str)


def known(conn: Connection, digests: Sequence[str]) -> set[str]:
    """Return those of some blobs of which there is a row."""
    found: set[str] = set()
    for start in range(0, len(digests), 200):
        some = digests[start : start + 200]
        found.update(_known(len(some)).all(conn, **{f"sha256_{number}": it for number, it in enumerate(some)}))
    return found


def condemned_size(conn: Connection) -> int:
    """Return how many bytes wait to be removed."""
    query = select(func.coalesce(func.sum(blobs.c.size), 0)).where(blobs.c.condemned_at.is_not(None))
    return int(conn.execute(query).scalar_one())


def next_removal(conn: Connection) -> datetime | None:
    """Return when the blob was condemned that goes next; None if none is."""
    query = select(func.min(blobs.c.condemned_at)).where(blobs.c.condemned_at.is_not(None))
    condemned_at: datetime | None = conn.execute(query).scalar_one()
    return condemned_at


def _slice_of_job(table: Table) -> Query[tuple[str | None, ...]]:
    """Return what removes some of a job's rows, and returns the blobs that they referred to."""
    keys = list(table.primary_key.columns)
    some = select(*keys).where(table.c.job_id == bindparam("job_id")).limit(bindparam("limit"))
    chosen = keys[0].in_(some) if len(keys) == 1 else tuple_(*keys).in_(some)
    digests = [column for column in table.c if column.name.endswith("sha256")] or [keys[0]]
    has_files = digests != [keys[0]]
    return Query(delete(table).where(chosen).returning(*digests), lambda row: tuple(row) if has_files else (None,))


#: In an order in which no row is removed that another one refers to.
_FILES = [_slice_of_job(table) for table in (extra_files, frame_logs, frames, chunks, set_asides)]
_RECORD = [_slice_of_job(table) for table in (attempts, events, leases, job_dependencies)]
_REMOVING = scalars(select(jobs.c.id).where(jobs.c.removal.is_not(None)).order_by(jobs.c.id).limit(1), int)


def removing(conn: Connection) -> int | None:
    """Return a job of which something is still to be removed."""
    return _REMOVING.one_or_none(conn)


def remove_of_job(conn: Connection, job_id: int, kind: Removal, limit: int) -> tuple[int, list[str]]:
    """Remove up to ``limit`` rows of a job, which is locked; return how many went, and the blobs they referred to."""
    went, digests = 0, []
    for query in _FILES if kind == Removal.FILES else (*_FILES, *_RECORD):
        gone = query.all(conn, job_id=job_id, limit=limit - went)
        went += len(gone)
        digests += [sha256 for row in gone for sha256 in row if sha256 is not None]
        if went >= limit:
            break
    return went, digests


def delete_job(conn: Connection, job_id: int) -> None:
    """Remove the row of a job to which no other refers any more, but that of jobs which came after it."""
    conn.execute(delete(job_dependencies).where(job_dependencies.c.after_id == job_id))
    conn.execute(delete(jobs).where(jobs.c.id == job_id))


_NEEDED = exists().where(jobs.c.pack_id == packs.c.id, jobs.c.files_swept_at.is_(None))
_NAMED = exists().where(jobs.c.pack_id == packs.c.id)
_HAS_FILES = exists().where(pack_blobs.c.pack_id == packs.c.id)
_newest_job = select(func.max(jobs.c.created_at)).where(jobs.c.pack_id == packs.c.id).scalar_subquery()
_idle = (
    packs.c.manifest.is_not(None),
    ~_NEEDED,
    ~exists().where(inspections.c.pack_id == packs.c.id, inspections.c.asked_at >= _BEFORE),
    # One that was announced and led to a job has done its part.
    or_(
        packs.c.touched_at < _BEFORE,
        (packs.c.touched_at < bindparam("soon", type_=Instant)) & (packs.c.touched_at <= _newest_job),
    ),
)
_IDLE_PACKS = scalars(select(packs.c.id).where(*_idle).order_by(packs.c.id).limit(bindparam("limit")), str)
_IS_IDLE = scalars(select(packs.c.id).where(packs.c.id == bindparam("id"), *_idle), str)
_HALF_REMOVED = scalars(
    select(packs.c.id).where(packs.c.manifest.is_(None), or_(_HAS_FILES, ~_NAMED)).order_by(packs.c.id).limit(1), str
)
_some_files = select(pack_blobs.c.sha256).where(pack_blobs.c.pack_id == bindparam("of")).limit(bindparam("limit"))
_REMOVE_FILES = scalars(
    delete(pack_blobs)
    .where(pack_blobs.c.pack_id == bindparam("of"), pack_blobs.c.sha256.in_(_some_files))
    .returning(pack_blobs.c.sha256),
    str,
)


def idle_packs(conn: Connection, announced_before: datetime, used_before: datetime, limit: int) -> list[str]:
    """Return packs that no job needs, announced last before one time, or before the other and used by a job since."""
    return _IDLE_PACKS.all(conn, before=announced_before, soon=used_before, limit=limit)


def is_idle(conn: Connection, pack_id: str, announced_before: datetime, used_before: datetime) -> bool:
    """Tell whether a pack is one of these."""
    return _IS_IDLE.one_or_none(conn, id=pack_id, before=announced_before, soon=used_before) is not None


def empty_pack(conn: Connection, pack_id: str) -> None:
    """Take its manifest from a pack, which is locked: its files are not known any more."""
    conn.execute(update(packs).where(packs.c.id == pack_id).values(manifest=None, size=0))


def half_removed_pack(conn: Connection) -> str | None:
    """Return a pack without manifest that still has files, or that no job names."""
    return _HALF_REMOVED.one_or_none(conn)


def remove_of_pack(conn: Connection, pack_id: str, limit: int) -> list[str]:
    """Remove up to ``limit`` of the files of a pack, which is locked; return their blobs."""
    return _REMOVE_FILES.all(conn, of=pack_id, limit=limit)


def delete_pack(conn: Connection, pack_id: str) -> None:
    """Remove a pack without files, unless jobs name it."""
    conn.execute(delete(packs).where(packs.c.id == pack_id, ~_NAMED))
