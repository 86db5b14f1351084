"""Tokens: who may do what.  Only SHA-256 digests are stored; tokens are random, so nothing slower is needed."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from coordinator.db import tokens
from coordinator.db.engine import REVOKED, Transaction
from coordinator.domain.join_codes import plain_code
from coordinator.domain.tokens import Token, TokenKind
from coordinator.protocol import ErrorCode
from coordinator.services.errors import Refused, not_found
from coordinator.services.schemas import TokenCreated, TokenView

#: A browser stays signed in for this long.
SESSION_TERM = timedelta(days=14)
#: Who comes late with a join code is told for so long that it has run out, and not that no one knows it.
_CODES_KEPT = timedelta(days=1)
#: Characters of a preset token behind its prefix; a random one has 43.
_SHORTEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a request."""

    kind: TokenKind
    name: str
    token_id: int
    agent_id: int | None
    single_use: bool = False
    """The token is void once an agent has joined with it."""


def prefix(kind: TokenKind) -> str:
    """Return what every token of a kind begins with, so that a person can see which one is wrong."""
    return f"rf_{kind.value}_"


def authenticate(tx: Transaction, plain: str) -> Principal:
    """Return who a token, or a join code as a person typed it, belongs to.

    Raises:
        Refused: TOKEN_WRONG.
    """
    token = tokens.by_digest(tx.conn, token_digest(plain), tx.now)
    if token is None:
        raise _wrong(tx, plain)
    return Principal(
        kind=token.kind,
        name=token.name,
        token_id=token.id,
        agent_id=token.agent_id,
        single_use=token.single_use,
    )


def ensure_first_tokens(tx: Transaction, admin: str | None, join: str | None) -> list[TokenCreated]:
    """Make sure that there are an admin and a join token; return those made just now, to be shown once.

    Preset tokens are taken over whenever they are new, and are not returned.

    Raises:
        Refused: INVALID, a preset token is too short or of another kind.
    """
    made = []
    for kind, preset in ((TokenKind.ADMIN, admin), (TokenKind.JOIN, join)):
        if preset is not None:
            _take_over(tx, kind, preset)
        elif not tokens.good(tx.conn, (kind,), tx.now):
            made.append(issue(tx, kind, kind.value))
    return made


def create_token(tx: Transaction, kind: TokenKind, name: str) -> TokenCreated:
    """Make an admin or a join token.

    Raises:
        Refused: INVALID, tokens of this kind are not made by hand.
    """
    if kind not in (TokenKind.ADMIN, TokenKind.JOIN):
        raise Refused(ErrorCode.INVALID, f"a token is admin or join; {kind.value} tokens are made by the coordinator")
    return issue(tx, kind, name)


def list_tokens(tx: Transaction) -> list[TokenView]:
    """Return the good tokens but those of browser sessions."""
    kinds = (TokenKind.ADMIN, TokenKind.JOIN, TokenKind.AGENT)
    return [_view(token) for token in tokens.good(tx.conn, kinds, tx.now)]


def revoke_token(tx: Transaction, token_id: int) -> None:
    """Make a token void.

    Raises:
        Refused: NOT_FOUND; CONFLICT, it is the last admin token.
    """
    admins = [token.id for token in tokens.good(tx.conn, (TokenKind.ADMIN,), tx.now, lock=True)]
    if admins == [token_id]:
        raise Refused(
            ErrorCode.CONFLICT, "this is the last admin token; make another one first, or no one can manage the farm"
        )
    if not tokens.revoke(tx.conn, token_id, tx.now):
        raise not_found(f"token {token_id}")
    tx.notify(REVOKED)


def revoke_agent(tx: Transaction, agent_id: int) -> None:
    """Make an agent's own tokens void."""
    tokens.revoke_of_agent(tx.conn, agent_id, tx.now)
    tx.notify(REVOKED)


def open_session(tx: Transaction, principal: Principal) -> TokenCreated:
    """Sign a browser in.

    Raises:
        Refused: FORBIDDEN, with a token that is not an admin's.
    """
    if principal.kind != TokenKind.ADMIN:
        raise Refused(
            ErrorCode.FORBIDDEN,
            f"sign in with an admin token (rf_admin_…); this is a token of kind {principal.kind}",
        )
    return issue(tx, TokenKind.SESSION, principal.name, term=SESSION_TERM)


def close_session(tx: Transaction, token_id: int) -> None:
    """Sign a browser out; doing it twice is fine."""
    tokens.revoke(tx.conn, token_id, tx.now)
    tx.notify(REVOKED)


def forget_expired(tx: Transaction) -> None:
    """Remove tokens whose term is over: browsers' sessions, and join codes of which no one asks any more."""
    tokens.remove_expired(tx.conn, tx.now, codes_before=tx.now - _CODES_KEPT)


def issue(
    tx: Transaction,
    kind: TokenKind,
    name: str,
    *,
    agent_id: int | None = None,
    term: timedelta | None = None,
    plain: str | None = None,
) -> TokenCreated:
    """Make a token of any kind and return it with its secret, a new one unless it is to be ``plain``.

    Raises:
        Refused: INVALID, there was a token of this secret before.
    """
    if plain is None:
        plain = prefix(kind) + secrets.token_urlsafe(32)
    elif tokens.is_known(tx.conn, token_digest(plain)):
        raise Refused(ErrorCode.INVALID, "this token was used before; make another one", {"token": "is not new"})
    token = tokens.insert_token(
        tx.conn,
        kind=kind,
        name=name,
        digest=token_digest(plain),
        created_at=tx.now,
        expires_at=tx.now + term if term is not None else None,
        agent_id=agent_id,
    )
    return TokenCreated(
        id=token.id,
        kind=token.kind,
        name=token.name,
        created_at=token.created_at,
        expires_at=token.expires_at,
        token=plain,
    )


def _take_over(tx: Transaction, kind: TokenKind, plain: str) -> None:
    if not plain.startswith(prefix(kind)) or len(plain) < len(prefix(kind)) + _SHORTEST:
        raise Refused(
            ErrorCode.INVALID,
            f"the preset {kind.value} token must begin with {prefix(kind)} and have at least {_SHORTEST} more"
            f" characters; change RENDERFARM_{kind.value.upper()}_TOKEN",
        )
    # One that was revoked stays so: it may be known to the wrong people.
    if not tokens.is_known(tx.conn, token_digest(plain)):
        tokens.insert_token(tx.conn, kind=kind, name=kind.value, digest=token_digest(plain), created_at=tx.now)


def _view(token: Token) -> TokenView:
    return TokenView(
        id=token.id, kind=token.kind, name=token.name, created_at=token.created_at, expires_at=token.expires_at
    )


def token_digest(plain: str) -> str:
    """Return what is stored of a token, or of a join code however it is written."""
    # A header may bring bytes that are no text; such a token is wrong like any other.
    return hashlib.sha256((plain_code(plain) or plain).encode(errors="surrogateescape")).hexdigest()


def code_refused(what: str) -> Refused:
    """Return the refusal of a join code; ``what`` is wrong with it."""
    return Refused(
        ErrorCode.TOKEN_WRONG,
        f"this join code {what}; make another one with “Add a machine” on the farm's page"
        " (or in a terminal: renderfarm join-code)",
    )


def _wrong(tx: Transaction, plain: str) -> Refused:
    """Return the refusal of a token that is not good."""
    if plain_code(plain) is None:
        return Refused(
            ErrorCode.TOKEN_WRONG,
            "this token is not known to the coordinator: it is mistyped, was revoked or has run out",
        )
    match tokens.fate(tx.conn, token_digest(plain)):
        case "revoked":
            return code_refused("was used already, and lets one machine in only")
        case "expired":
            return code_refused("has run out")
        case _:
            return code_refused("is not known to the coordinator: it is mistyped, or was made long ago")
