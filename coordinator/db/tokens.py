"""Queries on tokens.  Only digests are stored."""

from datetime import datetime
from typing import Literal

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, delete, insert, or_, select, update

from coordinator.db.schema import tokens
from coordinator.db.statement import records
from coordinator.domain.tokens import Token, TokenKind

_COLUMNS = (
    tokens.c.id,
    tokens.c.kind,
    tokens.c.name,
    tokens.c.agent_id,
    tokens.c.single_use,
    tokens.c.created_at,
    tokens.c.expires_at,
)


def _good(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return tokens.c.revoked_at.is_(None) & or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now)


_BY_DIGEST = records(select(*_COLUMNS).where(tokens.c.digest == bindparam("digest"), _good(bindparam("now"))), Token)


def insert_token(
    conn: Connection,
    *,
    kind: TokenKind,
    name: str,
    digest: str,
    created_at: datetime,
    expires_at: datetime | None = None,
    agent_id: int | None = None,
    single_use: bool = False,
) -> Token:
    """Add a token and return it."""
    query = insert(tokens).values(
        kind=kind,
        name=name,
        digest=digest,
        created_at=created_at,
        expires_at=expires_at,
        agent_id=agent_id,
        single_use=single_use,
    )
    return Token(**conn.execute(query.returning(*_COLUMNS)).mappings().one())


def by_digest(conn: Connection, digest: str, now: datetime) -> Token | None:
    """Return the token with this digest if it is good."""
    return _BY_DIGEST.one_or_none(conn, digest=digest, now=now)


def is_known(conn: Connection, digest: str) -> bool:
    """Tell whether a token with this digest ever existed."""
    return conn.execute(select(tokens.c.id).where(tokens.c.digest == digest)).first() is not None


def get(conn: Connection, token_id: int) -> Token | None:
    """Return a token, also one that is not good any more."""
    row = conn.execute(select(*_COLUMNS).where(tokens.c.id == token_id)).mappings().one_or_none()
    return Token(**row) if row else None


def fate(conn: Connection, digest: str) -> Literal["revoked", "expired"] | None:
    """Return why the token with this digest is not good; None if there never was one."""
    row = conn.execute(select(tokens.c.revoked_at).where(tokens.c.digest == digest)).one_or_none()
    if row is None:
        return None
    return "expired" if row.revoked_at is None else "revoked"


def good(conn: Connection, kinds: tuple[TokenKind, ...], now: datetime, *, lock: bool = False) -> list[Token]:
    """Return the good tokens of some kinds, the oldest first; ``lock`` keeps other writers off them."""
    query = select(*_COLUMNS).where(tokens.c.kind.in_(kinds), _good(now)).order_by(tokens.c.id)
    return [Token(**row) for row in conn.execute(query.with_for_update() if lock else query).mappings()]


def revoke(conn: Connection, token_id: int, now: datetime) -> bool:
    """Revoke a token; False if it was not good."""
    query = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    return conn.execute(query).rowcount == 1


def spend(conn: Connection, token_id: int, agent_id: int, now: datetime) -> bool:
    """Revoke a single-use token because an agent has joined with it; False if it was not good."""
    query = update(tokens).where(tokens.c.id == token_id, tokens.c.single_use, _good(now))
    return conn.execute(query.values(revoked_at=now, agent_id=agent_id)).rowcount == 1


def revoke_of_agent(conn: Connection, agent_id: int, now: datetime) -> None:
    """Revoke an agent's tokens."""
    query = update(tokens).where(tokens.c.agent_id == agent_id, tokens.c.revoked_at.is_(None))
    conn.execute(query.values(revoked_at=now))


def remove_expired(conn: Connection, now: datetime, codes_before: datetime) -> None:
    """Forget browser sessions that have run out, and tokens for single use that had done so by then."""
    sessions = (tokens.c.kind == TokenKind.SESSION) & (tokens.c.expires_at <= now)
    conn.execute(delete(tokens).where(or_(sessions, tokens.c.single_use & (tokens.c.expires_at <= codes_before))))
