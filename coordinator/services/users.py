"""Those who submit jobs, and how much of the farm each may have at once."""

from msgspec import UNSET

from coordinator.db import tokens, users
from coordinator.db.engine import STORAGE, WORK, Transaction
from coordinator.domain.model import User
from coordinator.domain.tokens import TokenKind
from coordinator.services.changes import update_user
from coordinator.services.errors import not_found
from coordinator.services.schemas import UserChange, UserView
from coordinator.services.shares import join


def list_users(tx: Transaction) -> list[UserView]:
    """Return everyone who has submitted a job, or was given leave for something, by name."""
    slots = users.slots(tx.conn)
    return [_view(user, slots.get(user.name, 0)) for user in users.everyone(tx.conn)]


def change(tx: Transaction, name: str, request: UserChange) -> UserView:
    """Change what a user may.

    With fewer slots at once, those at work finish their leases.  Where scripts are not allowed any more, jobs that were
    submitted before still run theirs.

    Raises:
        Refused: NOT_FOUND.
    """
    if users.lock(tx.conn, name) is None:
        if not any(token.name == name for token in tokens.good(tx.conn, (TokenKind.ADMIN,), tx.now)):
            raise not_found(f"user {name!r}; users are known by their tokens, or once they have submitted a job")
        join(tx, name)
    values = {field: value for field in UserChange.__struct_fields__ if (value := getattr(request, field)) is not UNSET}
    user = update_user(tx, users.change(tx.conn, name, **values)) if values else users.get(tx.conn, name)
    if user is None:
        raise not_found(f"user {name!r}")
    tx.notify(WORK)
    if request.quota_bytes is not UNSET:
        tx.notify(STORAGE)
    return _view(user, users.slots(tx.conn).get(name, 0))


def _view(user: User, slots: int) -> UserView:
    return UserView(
        name=user.name, max_slots=user.max_slots, scripts=user.scripts, slots=slots, quota_bytes=user.quota_bytes
    )
