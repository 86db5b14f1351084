"""Queries on packs."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, insert, select, update

from coordinator.db.schema import blobs, jobs, leases, pack_blobs, packs
from coordinator.db.statement import Query
from coordinator.db.types import Instant
from coordinator.db.upsert import insert_into

_LOCK = Query(
    select(packs.c.manifest.is_not(None)).where(packs.c.id == bindparam("id")).with_for_update(key_share=True),
    lambda values: bool(values[0]),
)
_HOLD = Query(
    select(packs.c.manifest.is_not(None)).where(packs.c.id == bindparam("id")).with_for_update(read=True),
    lambda values: bool(values[0]),
)
_FRESHEN = Query(
    select(packs.c.id)
    .join(pack_blobs, pack_blobs.c.pack_id == packs.c.id)
    .where(
        pack_blobs.c.sha256 == bindparam("sha256"),
        packs.c.touched_at > bindparam("after", type_=Instant),
        packs.c.touched_at < bindparam("before", type_=Instant),
    )
    # Who is at one just now touches it.
    .with_for_update(key_share=True, skip_locked=True, of=packs),
    lambda values: str(values[0]),
)


def lock(conn: Connection, pack_id: str) -> bool | None:
    """Keep other writers off a pack, and tell whether its files are known; None if the pack itself is not."""
    return _LOCK.one_or_none(conn, id=pack_id)


def hold(conn: Connection, pack_id: str) -> bool:
    """Tell whether a pack and its files are known, and keep it so until the transaction ends."""
    return _HOLD.one_or_none(conn, id=pack_id) or False


def put_pack(
    conn: Connection, pack_id: str, manifest: bytes, sizes: Mapping[str, int], now: datetime, *, known: bool
) -> None:
    """Add a pack, or give one that is ``known`` its files again: its manifest in JSON, its blobs' sizes by digest."""
    values = {"manifest": manifest, "size": sum(sizes.values()), "created_at": now, "touched_at": now}
    if known:
        conn.execute(update(packs).where(packs.c.id == pack_id).values(values))
    else:
        conn.execute(insert(packs).values(id=pack_id, **values))
    rows = [{"pack_id": pack_id, "sha256": sha256, "size": size} for sha256, size in sizes.items()]
    if rows:
        # Some may be there still, of the files that were to be removed.
        conn.execute(insert_into(pack_blobs, conn.dialect.name).on_conflict_do_nothing(), rows)


def touch(conn: Connection, pack_id: str, now: datetime) -> None:
    """Take note that a pack was announced again."""
    conn.execute(update(packs).where(packs.c.id == pack_id).values(touched_at=now))


def freshen(conn: Connection, sha256: str, after: datetime, before: datetime, now: datetime) -> None:
    """Take note that the upload goes on of packs with this blob that were last announced between two times."""
    for pack_id in _FRESHEN.all(conn, sha256=sha256, after=after, before=before):
        touch(conn, pack_id, now)


def manifest(conn: Connection, pack_id: str) -> bytes | None:
    """Return a pack's manifest in JSON."""
    return conn.execute(select(packs.c.manifest).where(packs.c.id == pack_id)).scalar_one_or_none()


def missing(conn: Connection, pack_id: str) -> list[tuple[str, int]]:
    """Return digest and size of the pack's blobs that are not in the store, or to be removed from it."""
    query = (
        select(pack_blobs.c.sha256, pack_blobs.c.size)
        .outerjoin(blobs, (blobs.c.sha256 == pack_blobs.c.sha256) & blobs.c.condemned_at.is_(None))
        .where(pack_blobs.c.pack_id == pack_id, blobs.c.sha256.is_(None))
        .order_by(pack_blobs.c.sha256)
    )
    return [(sha256, size) for sha256, size in conn.execute(query)]


def sizes(conn: Connection, pack_id: str, digests: Sequence[str]) -> dict[str, int]:
    """Return the lengths in bytes of those of these blobs that belong to a pack and are in the store, by digest."""
    query = (
        select(blobs.c.sha256, blobs.c.size)
        .join(pack_blobs, pack_blobs.c.sha256 == blobs.c.sha256)
        .where(pack_blobs.c.pack_id == pack_id, pack_blobs.c.sha256.in_(digests))
    )
    return {row.sha256: row.size for row in conn.execute(query)}


def missing_of_all(conn: Connection, since: datetime) -> int:
    """Return how many bytes are missing of packs that were announced since."""
    return _missing(conn, packs.c.touched_at >= since)


def missing_of_others(conn: Connection, pack_id: str, since: datetime) -> int:
    """Return how many bytes are missing of packs that were announced since, and before this one; without its own."""
    mine = select(packs.c.touched_at).where(packs.c.id == pack_id).scalar_subquery()
    own = pack_blobs.alias("own")
    return _missing(
        conn,
        packs.c.id != pack_id,
        packs.c.touched_at >= since,
        (packs.c.touched_at < mine) | ((packs.c.touched_at == mine) & (packs.c.id < pack_id)),
        ~exists().where(own.c.pack_id == pack_id, own.c.sha256 == pack_blobs.c.sha256),
    )


def _missing(conn: Connection, *of: ColumnElement[bool]) -> int:
    """Return how many bytes are missing of some packs, each blob once."""
    coming = (
        select(pack_blobs.c.sha256, pack_blobs.c.size)
        .join(packs, packs.c.id == pack_blobs.c.pack_id)
        .outerjoin(blobs, (blobs.c.sha256 == pack_blobs.c.sha256) & blobs.c.condemned_at.is_(None))
        .where(*of, blobs.c.sha256.is_(None))
        .distinct()
        .subquery("coming")
    )
    return int(conn.execute(select(func.coalesce(func.sum(coming.c.size), 0))).scalar_one())


def wrong_sizes(conn: Connection, pack_id: str) -> list[tuple[str, int, int]]:
    """Return digest, size in the pack and true size of blobs that the manifest describes wrongly."""
    query = (
        select(pack_blobs.c.sha256, pack_blobs.c.size, blobs.c.size)
        .join(blobs, blobs.c.sha256 == pack_blobs.c.sha256)
        .where(pack_blobs.c.pack_id == pack_id, blobs.c.size != pack_blobs.c.size)
        .limit(1)
    )
    return [(sha256, said, true) for sha256, said, true in conn.execute(query)]


def given_to(conn: Connection, agent_id: int, pack_id: str) -> bool:
    """Tell whether an agent ever had a lease of a job with this pack."""
    query = (
        select(leases.c.id)
        .join(jobs, jobs.c.id == leases.c.job_id)
        .where(leases.c.agent_id == agent_id, jobs.c.pack_id == pack_id)
        .limit(1)
    )
    return conn.execute(query).first() is not None


def blob_given_to(conn: Connection, agent_id: int, sha256: str) -> bool:
    """Tell whether an agent ever had a lease of a job whose pack has this blob."""
    query = (
        select(leases.c.id)
        .join(jobs, jobs.c.id == leases.c.job_id)
        .join(pack_blobs, pack_blobs.c.pack_id == jobs.c.pack_id)
        .where(leases.c.agent_id == agent_id, pack_blobs.c.sha256 == sha256)
        .limit(1)
    )
    return conn.execute(query).first() is not None
