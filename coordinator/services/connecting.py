"""Letting a Blender in: it asks, a person approves it on the page, and the token that it has made itself is good.

The coordinator is told the token's digest only, so that neither an answer nor the database can give the token away.
"""

import hmac

from coordinator.db import connect_requests, tokens
from coordinator.db.engine import Transaction
from coordinator.domain.connecting import (
    MOST_WAITING,
    MOST_WRONG_CODES,
    TERM,
    ConnectRequest,
    ConnectState,
)
from coordinator.domain.join_codes import new_code, plain_code
from coordinator.domain.tokens import TokenKind
from coordinator.protocol import ErrorCode
from coordinator.services.accounts import token_digest
from coordinator.services.errors import Refused, not_found
from coordinator.services.schemas import ConnectApproval, ConnectAsked, ConnectStart, ConnectStateView, ConnectView


def start(tx: Transaction, request: ConnectStart) -> ConnectAsked:
    """Take note of someone who asks to be let in; this answer is the only one that has the code.

    Raises:
        Refused: INVALID, the token is not new or the name is empty; TOO_MANY_REQUESTS.
    """
    if not request.name.strip():
        raise Refused(ErrorCode.INVALID, "say who asks: the name is empty", {"name": "is empty"})
    known = tokens.is_known(tx.conn, request.token_sha256) or connect_requests.by_token(tx.conn, request.token_sha256)
    if known:
        raise Refused(ErrorCode.INVALID, "this token was used before; make another one", {"token_sha256": "is not new"})
    if connect_requests.count_waiting(tx.conn, tx.now) >= MOST_WAITING:
        raise Refused(
            ErrorCode.TOO_MANY_REQUESTS, "too many programs wait to be let in; try again later", {"retry_after": 60}
        )
    code = new_code()
    made = connect_requests.insert_request(
        tx.conn,
        name=request.name.strip(),
        code_digest=token_digest(code),
        token_digest=request.token_sha256,
        created_at=tx.now,
        expires_at=tx.now + TERM,
    )
    return ConnectAsked(id=made.id, code=code, expires_at=made.expires_at)


def state_of(tx: Transaction, token_sha256: str) -> ConnectStateView:
    """Tell the one who asked what became of it.

    Raises:
        Refused: NOT_FOUND, it did not ask, or long ago.
    """
    request = connect_requests.by_token(tx.conn, token_sha256)
    if request is None:
        raise not_found("a request for this token")
    return ConnectStateView(state=_state(tx, request))


def view(tx: Transaction, request_id: int) -> ConnectView:
    """Return a request, for the person who is to approve it.

    Raises:
        Refused: NOT_FOUND.
    """
    request = connect_requests.get(tx.conn, request_id)
    if request is None:
        raise not_found(f"connect request {request_id}")
    return _view(tx, request)


def approve(tx: Transaction, request_id: int, approval: ConnectApproval) -> ConnectView | Refused:
    """Make the token good of the one who asked, if the code is the one that it shows.

    A wrong code is returned, not raised: that it is counted must be kept.

    Raises:
        Refused: NOT_FOUND; CONFLICT, it was approved or refused before, or its term is over.
    """
    request = _waiting(tx, request_id)
    code = plain_code(approval.code)
    # Digests of one length, compared in a time that tells nothing of them.
    if code is None or not hmac.compare_digest(token_digest(code), request.code_digest):
        connect_requests.count_wrong_code(tx.conn, request_id)
        left = MOST_WRONG_CODES - request.wrong_codes - 1
        if left <= 0:
            connect_requests.decide(tx.conn, request_id, ConnectState.REFUSED)
        hint = f"{left} more tries" if left > 1 else "one more try" if left else "connect once more for another code"
        return Refused(
            ErrorCode.INVALID, f"this is not the code that Blender shows; {hint}", {"code": "is another one"}
        )
    name = (approval.name or request.name).strip() or request.name
    _decide(tx, request_id, ConnectState.APPROVED)
    tokens.insert_token(
        tx.conn, kind=TokenKind.ADMIN, name=name, digest=request.token_digest, created_at=tx.now, expires_at=None
    )
    return _view(tx, _get(tx, request_id))


def refuse(tx: Transaction, request_id: int) -> ConnectView:
    """Do not let in the one who asked.

    Raises:
        Refused: as :func:`approve`.
    """
    _waiting(tx, request_id)
    _decide(tx, request_id, ConnectState.REFUSED)
    return _view(tx, _get(tx, request_id))


def forget_old(tx: Transaction) -> None:
    """Forget requests of which nobody asks any more."""
    connect_requests.remove_before(tx.conn, tx.now - TERM)


def _waiting(tx: Transaction, request_id: int) -> ConnectRequest:
    request = connect_requests.get(tx.conn, request_id, lock=True)
    if request is None:
        raise not_found(f"connect request {request_id}")
    state = _state(tx, request)
    if state != "waiting":
        raise Refused(ErrorCode.CONFLICT, f"this request was {state} already; connect once more in Blender")
    return request


def _decide(tx: Transaction, request_id: int, state: ConnectState) -> None:
    if not connect_requests.decide(tx.conn, request_id, state):
        raise Refused(ErrorCode.CONFLICT, "this request was answered already; connect once more in Blender")


def _get(tx: Transaction, request_id: int) -> ConnectRequest:
    request = connect_requests.get(tx.conn, request_id)
    assert request is not None  # noqa: S101 - it is locked by this transaction
    return request


def _state(tx: Transaction, request: ConnectRequest) -> str:
    if request.state is ConnectState.WAITING and request.expires_at <= tx.now:
        return "expired"
    return request.state.value


def _view(tx: Transaction, request: ConnectRequest) -> ConnectView:
    return ConnectView(
        id=request.id,
        name=request.name,
        state=_state(tx, request),
        created_at=request.created_at,
        expires_at=request.expires_at,
    )
