"""Credentials: what kinds there are, and what is known of each."""

import enum
from dataclasses import dataclass
from datetime import datetime


class TokenKind(enum.StrEnum):
    """What a token is for."""

    ADMIN = "admin"
    JOIN = "join"
    AGENT = "agent"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A credential; only its digest is known."""

    id: int
    kind: TokenKind
    name: str
    agent_id: int | None
    """The agent that it belongs to, or that has joined with it."""
    single_use: bool
    """Void once an agent has joined with it."""
    created_at: datetime
    expires_at: datetime | None
