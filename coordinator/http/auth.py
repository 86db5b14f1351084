"""Who is calling, and may they?"""

import hashlib
from collections.abc import Collection

from aiohttp import web

from coordinator.domain.tokens import TokenKind
from coordinator.keys import DATABASE, FAILED_SIGN_INS, KNOWN_CALLERS
from coordinator.protocol import ErrorCode
from coordinator.services import accounts
from coordinator.services.accounts import Principal
from coordinator.services.errors import Refused

SESSION_COOKIE = "renderfarm_session"
WRITE_HEADER = "X-Renderfarm"

PUBLIC: frozenset[TokenKind] = frozenset()
ADMIN = frozenset({TokenKind.ADMIN, TokenKind.SESSION})
JOIN = frozenset({TokenKind.JOIN, TokenKind.AGENT})
AGENT = frozenset({TokenKind.AGENT})

_READING = {"GET", "HEAD"}


async def authenticate(request: web.Request, allowed: Collection[TokenKind]) -> Principal:
    """Return who is calling.

    Raises:
        Refused: there is no token, it is wrong, or it is good but of a kind that is not ``allowed``.
    """
    token, from_cookie = _token(request)
    if token is None:
        raise Refused(ErrorCode.TOKEN_MISSING, f"This needs {_names(allowed)}, and none was sent.")
    try:
        caller = await check_token(request, token)
    except Refused as refusal:
        if from_cookie and refusal.code is ErrorCode.TOKEN_WRONG:
            raise Refused(refusal.code, "The browser's session has ended; sign in again.") from refusal
        raise
    if caller.kind not in allowed:
        raise Refused(
            ErrorCode.FORBIDDEN, f"This needs {_names(allowed)}; the token that was sent is {_name(caller.kind)}."
        )
    if from_cookie and request.method not in _READING and request.headers.get(WRITE_HEADER) != "1":
        # The browser adds the cookie to whatever another site makes it send, but never this header.
        raise Refused(
            ErrorCode.FORBIDDEN, f"A page that is signed in must send the header {WRITE_HEADER}: 1 with every change."
        )
    return caller


async def check_token(request: web.Request, token: str) -> Principal:
    """Return whose token it is.

    Raises:
        Refused: it is no one's, or too many wrong ones came from the same address.
    """
    known, attempts = request.app[KNOWN_CALLERS], request.app[FAILED_SIGN_INS]
    # Plain tokens are not kept, not even in memory.
    digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
    caller = known.find(digest)
    if caller is not None:
        return caller
    address = request.remote or ""
    seconds = attempts.retry_after(address, digest)
    if seconds is not None:
        raise Refused(
            ErrorCode.TOO_MANY_REQUESTS,
            f"Too many wrong tokens came from this address; try again in {seconds} s.",
            {"retry_after": seconds},
        )
    revocations = known.revocations
    try:
        caller = await request.app[DATABASE].read(accounts.authenticate, token)
    except Refused:
        attempts.failed(address)
        raise
    attempts.succeeded(digest)
    if caller.kind is not TokenKind.SESSION and not caller.single_use:
        # Sessions and join codes end by themselves, and who has one does not ask often.
        known.remember(digest, caller, revocations)
    return caller


def _token(request: web.Request) -> tuple[str | None, bool]:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip(), False
    cookie = request.cookies.get(SESSION_COOKIE)
    return cookie or None, cookie is not None


def _name(kind: TokenKind) -> str:
    article = "a" if kind in (TokenKind.JOIN, TokenKind.SESSION) else "an"
    return f"{article} {kind} token (rf_{kind}_…)"


def _names(allowed: Collection[TokenKind]) -> str:
    # A browser's session stands for an admin token; people are told of the one they can get.
    return " or ".join(_name(kind) for kind in TokenKind if kind in allowed and kind is not TokenKind.SESSION)
