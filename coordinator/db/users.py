"""Queries on users."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Float, bindparam, case, distinct, func, insert, select, update

from coordinator.db.leases import LIVE
from coordinator.db.schema import jobs, leases, users
from coordinator.db.statement import records
from coordinator.domain.model import User

_GET = records(select(users).where(users.c.name == bindparam("name")), User)
# NO KEY: jobs that refer to the user may be added meanwhile.
_LOCK = records(select(users).where(users.c.name == bindparam("name")).with_for_update(key_share=True), User)
_EVERYONE = records(select(users).order_by(users.c.name), User)
_charged = users.c.vtime + bindparam("seconds", type_=Float)
_CHARGE = records(
    update(users)
    .where(users.c.name == bindparam("of_name"))
    # One that joined the others late begins where they are: less than nothing is given to no one.
    .values(vtime=case((_charged < 0, 0.0), else_=_charged))
    .returning(*users.c),
    User,
)


def insert_user(conn: Connection, name: str, vtime: float) -> User:
    """Add a user without a limit and return it."""
    query = (
        insert(users).values(name=name, vtime=vtime, max_slots=None, scripts=False, quota_bytes=None).returning(users)
    )
    return User(**conn.execute(query).mappings().one())


def get(conn: Connection, name: str) -> User | None:
    """Return a user."""
    return _GET.one_or_none(conn, name=name)


def lock(conn: Connection, name: str) -> User | None:
    """Return a user and keep other writers off; lock it after any job."""
    return _LOCK.one_or_none(conn, name=name)


def change(conn: Connection, name: str, **values: Any) -> User:
    """Set columns of a user that is there, and return it."""
    query = update(users).where(users.c.name == name).values(**values).returning(users)
    return User(**conn.execute(query).mappings().one())


def charge(conn: Connection, charges: Mapping[str, float]) -> list[User]:
    """Add slot-seconds, which may be negative, to what users were given; return the users."""
    # In order, as every transaction that locks several of them does.
    asked = [_CHARGE.ask(conn, of_name=name, seconds=seconds) for name, seconds in sorted(charges.items())]
    return [user for answer in asked for user in answer()]


def everyone(conn: Connection) -> list[User]:
    """Return all users by name."""
    return _EVERYONE.all(conn)


def slots(conn: Connection) -> dict[str, int]:
    """Return how many slots hold leases of each user's jobs; users without any are left out."""
    # An agent has 64 slots at most: one number for each slot of the farm.
    held = func.count(distinct(leases.c.agent_id * 64 + leases.c.slot))
    query = (
        select(jobs.c.created_by, held)
        .join_from(leases, jobs, jobs.c.id == leases.c.job_id)
        .where(LIVE)
        .group_by(jobs.c.created_by)
    )
    return {row[0]: row[1] for row in conn.execute(query)}
