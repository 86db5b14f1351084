"""What scenes are made of: blobs and packs."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
)

from coordinator.db.schema.base import Digest, metadata
from coordinator.db.types import Instant

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", Digest, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", Instant, nullable=False),
    CheckConstraint("size >= 0", name="size"),
)

packs = Table(
    "packs",
    metadata,
    Column("id", Digest, primary_key=True),
    Column("manifest", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# A pack is known before its blobs are in, so sha256 refers to nothing.
pack_blobs = Table(
    "pack_blobs",
    metadata,
    Column("pack_id", ForeignKey("packs.id"), primary_key=True),
    Column("sha256", Digest, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Index(None, "sha256"),
)
