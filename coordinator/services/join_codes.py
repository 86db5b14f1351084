"""Join codes: tokens that a person types on the machine that is to join, each good for one machine and not for long."""

from datetime import timedelta

from coordinator.db import tokens
from coordinator.db.engine import REVOKED, Transaction
from coordinator.domain.join_codes import new_code
from coordinator.domain.tokens import TokenKind
from coordinator.services.accounts import Principal, code_refused, token_digest
from coordinator.services.agent_schemas import JoinCodeCreated, JoinCodeView
from coordinator.services.errors import not_found

#: How long a code can be used.
TERM = timedelta(minutes=15)


def create(tx: Transaction, by: str) -> JoinCodeCreated:
    """Make a code; this answer is the only one that has it."""
    code = new_code()
    token = tokens.insert_token(
        tx.conn,
        kind=TokenKind.JOIN,
        name=f"join code made by {by}",
        digest=token_digest(code),
        created_at=tx.now,
        expires_at=tx.now + TERM,
        single_use=True,
    )
    return JoinCodeCreated(id=token.id, code=code, expires_at=tx.now + TERM)


def view(tx: Transaction, code_id: int) -> JoinCodeView:
    """Return what became of a code.

    Raises:
        Refused: NOT_FOUND.
    """
    token = tokens.get(tx.conn, code_id)
    if token is None or not token.single_use or token.expires_at is None:
        raise not_found(f"join code {code_id}")
    return JoinCodeView(id=token.id, expires_at=token.expires_at, agent=token.agent_id)


def spend(tx: Transaction, principal: Principal, agent_id: int) -> None:
    """Make the code void that an agent joins with, if it does; of two that join with one, the second is too late.

    Raises:
        Refused: TOKEN_WRONG, the code was used, or has run out, since it was looked at.
    """
    if not principal.single_use:
        return
    if not tokens.spend(tx.conn, principal.token_id, agent_id, tx.now):
        raise code_refused("was used already")
    tx.notify(REVOKED)
