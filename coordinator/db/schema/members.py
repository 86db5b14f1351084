"""Who is part of the farm: agents, users and their credentials."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
)

from coordinator.db.schema.base import Digest, Identity, metadata, one_of
from coordinator.db.types import Instant, PlainText, Word
from coordinator.domain.connecting import ConnectState
from coordinator.domain.model import AgentState
from coordinator.domain.tokens import TokenKind

agents = Table(
    "agents",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("state", Word(AgentState), nullable=False),
    Column("software_version", PlainText, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("hardware", PlainText, nullable=False),
    Column("blenders", PlainText, nullable=False),
    Column("tags", PlainText, nullable=False),
    Column("pools", PlainText, nullable=False),
    # Given by people, beside those of its own settings: registering again leaves them.
    Column("farm_tags", PlainText, nullable=False),
    Column("farm_pools", PlainText, nullable=False),
    Column("engines", PlainText, nullable=False),
    Column("device", String(16), nullable=False),
    Column("platform", String(16), nullable=False),
    Column("ram_bytes", BigInteger, nullable=False),
    Column("vram_bytes", BigInteger),
    Column("max_blender", Integer, nullable=False),
    Column("speed", Float, nullable=False),
    Column("speed_count", Integer, nullable=False),
    Column("set_aside", PlainText),
    Column("set_aside_at", Instant),
    Column("sandboxed", Boolean, nullable=False),
    Column("drained", Boolean, nullable=False),
    Column("resting", PlainText),
    Column("telemetry", PlainText),
    Column("removed", Boolean, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    one_of("state", AgentState),
    CheckConstraint("slots BETWEEN 1 AND 64", name="slots"),
    CheckConstraint("speed > 0", name="speed"),
    CheckConstraint("(set_aside IS NULL) = (set_aside_at IS NULL)", name="set_aside"),
    CheckConstraint("state = 'left' OR NOT removed", name="removed"),
)

users = Table(
    "users",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("vtime", Float, nullable=False),
    Column("max_slots", Integer),
    Column("scripts", Boolean, nullable=False),
    Column("quota_bytes", BigInteger),
    CheckConstraint("max_slots IS NULL OR max_slots >= 1", name="max_slots"),
    CheckConstraint("quota_bytes IS NULL OR quota_bytes >= 0", name="quota_bytes"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("kind", Word(TokenKind), nullable=False),
    Column("name", PlainText, nullable=False),
    Column("digest", Digest, nullable=False, unique=True),
    Column("agent_id", ForeignKey("agents.id"), index=True),
    Column("single_use", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    one_of("kind", TokenKind),
    CheckConstraint(
        "(kind = 'agent' AND agent_id IS NOT NULL) OR (kind <> 'agent' AND"
        " (agent_id IS NULL OR (single_use AND revoked_at IS NOT NULL)))",
        name="agent",
    ),
)

connect_requests = Table(
    "connect_requests",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("name", PlainText, nullable=False),
    Column("state", Word(ConnectState), nullable=False),
    Column("code_digest", Digest, nullable=False),
    Column("token_digest", Digest, nullable=False, unique=True),
    Column("wrong_codes", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    one_of("state", ConnectState),
    CheckConstraint("wrong_codes >= 0", name="wrong_codes"),
)
