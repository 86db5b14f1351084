"""Queries on packs."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, insert, select

from coordinator.db.schema import blobs, jobs, leases, pack_blobs, packs


def insert_pack(
    conn: Connection, pack_id: str, manifest: bytes, sizes: Mapping[str, int], created_at: datetime
) -> None:
    """Add a pack: its manifest in JSON, and the sizes of its blobs by digest."""
    conn.execute(insert(packs).values(id=pack_id, manifest=manifest, created_at=created_at))
    if sizes:
        conn.execute(
            insert(pack_blobs),
            [{"pack_id": pack_id, "sha256": sha256, "size": size} for sha256, size in sizes.items()],
        )


def manifest(conn: Connection, pack_id: str) -> bytes | None:
    """Return a pack's manifest in JSON."""
    return conn.execute(select(packs.c.manifest).where(packs.c.id == pack_id)).scalar_one_or_none()


def exists(conn: Connection, pack_id: str) -> bool:
    """Tell whether a pack is known."""
    return conn.execute(select(packs.c.id).where(packs.c.id == pack_id)).first() is not None


def missing(conn: Connection, pack_id: str) -> list[tuple[str, int]]:
    """Return digest and size of the pack's blobs that are not in the store."""
    query = (
        select(pack_blobs.c.sha256, pack_blobs.c.size)
        .outerjoin(blobs, blobs.c.sha256 == pack_blobs.c.sha256)
        .where(pack_blobs.c.pack_id == pack_id, blobs.c.sha256.is_(None))
        .order_by(pack_blobs.c.sha256)
    )
    return [(sha256, size) for sha256, size in conn.execute(query)]


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
