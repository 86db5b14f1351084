"""Those who submit jobs, and how much of the farm each may have at once."""

from coordinator.db import users
from coordinator.db.engine import WORK, Transaction
from coordinator.services.changes import update_user
from coordinator.services.errors import not_found
from coordinator.services.schemas import UserChange, UserView


def list_users(tx: Transaction) -> list[UserView]:
    """Return everyone who has submitted a job, by name."""
    slots = users.slots(tx.conn)
    return [
        UserView(name=user.name, max_slots=user.max_slots, slots=slots.get(user.name, 0))
        for user in users.everyone(tx.conn)
    ]


def limit(tx: Transaction, name: str, change: UserChange) -> UserView:
    """Let no more slots than these work for a user at once; those at work finish their leases.

    Raises:
        Refused: NOT_FOUND.
    """
    if users.lock(tx.conn, name) is None:
        raise not_found(f"user {name!r}; users are known once they have submitted a job")
    user = update_user(tx, users.change(tx.conn, name, max_slots=change.max_slots))
    tx.notify(WORK)
    return UserView(name=user.name, max_slots=user.max_slots, slots=users.slots(tx.conn).get(name, 0))
