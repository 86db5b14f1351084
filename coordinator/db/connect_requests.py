"""Queries on requests to be let in."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from coordinator.db.schema import connect_requests
from coordinator.domain.connecting import ConnectRequest, ConnectState

_TABLE = connect_requests.c


def insert_request(
    conn: Connection, *, name: str, code_digest: str, token_digest: str, created_at: datetime, expires_at: datetime
) -> ConnectRequest:
    """Add a request that waits, and return it."""
    query = insert(connect_requests).values(
        name=name,
        state=ConnectState.WAITING,
        code_digest=code_digest,
        token_digest=token_digest,
        wrong_codes=0,
        created_at=created_at,
        expires_at=expires_at,
    )
    return ConnectRequest(**conn.execute(query.returning(*_TABLE)).mappings().one())


def get(conn: Connection, request_id: int, *, lock: bool = False) -> ConnectRequest | None:
    """Return a request; ``lock`` keeps other writers off it."""
    query = select(*_TABLE).where(_TABLE.id == request_id)
    row = conn.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return ConnectRequest(**row) if row else None


def by_token(conn: Connection, token_digest: str) -> ConnectRequest | None:
    """Return the request for the token with this digest."""
    row = conn.execute(select(*_TABLE).where(_TABLE.token_digest == token_digest)).mappings().one_or_none()
    return ConnectRequest(**row) if row else None


def count_waiting(conn: Connection, now: datetime) -> int:
    """Return how many requests can still be approved."""
    waiting = (_TABLE.state == ConnectState.WAITING) & (_TABLE.expires_at > now)
    return conn.execute(select(func.count()).select_from(connect_requests).where(waiting)).scalar_one()


def decide(conn: Connection, request_id: int, state: ConnectState) -> bool:
    """Approve or refuse a request; False if that was done before."""
    query = update(connect_requests).where(_TABLE.id == request_id, _TABLE.state == ConnectState.WAITING)
    return conn.execute(query.values(state=state)).rowcount == 1


def count_wrong_code(conn: Connection, request_id: int) -> None:
    """Count a wrong code."""
    query = update(connect_requests).where(_TABLE.id == request_id)
    conn.execute(query.values(wrong_codes=_TABLE.wrong_codes + 1))


def remove_before(conn: Connection, expired_before: datetime) -> None:
    """Forget requests whose term had been over by then."""
    conn.execute(delete(connect_requests).where(_TABLE.expires_at <= expired_before))
