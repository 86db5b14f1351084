"""A browser signs in and out."""

from http.cookies import SimpleCookie

from aiohttp import web

from coordinator.domain.tokens import TokenKind
from coordinator.http.auth import SESSION_COOKIE, check_token
from coordinator.http.endpoint import Answer
from coordinator.keys import DATABASE, SETTINGS
from coordinator.services import accounts
from coordinator.services.accounts import SESSION_TERM, Principal
from coordinator.services.schemas import SessionRequest, SessionView


async def sign_in(request: web.Request, body: SessionRequest) -> Answer[SessionView]:
    """Sign a browser in: check an admin token, set the session's cookie."""
    principal = await check_token(request, body.token.strip())
    session = await request.app[DATABASE].write(accounts.open_session, principal)
    cookie = _cookie(request, session.token, int(SESSION_TERM.total_seconds()))
    return Answer(SessionView(kind=session.kind, name=session.name), headers={"Set-Cookie": cookie})


async def show(request: web.Request, caller: Principal) -> SessionView:  # noqa: ARG001 - all handlers get the request
    """Say who is calling."""
    return SessionView(kind=caller.kind, name=caller.name)


async def sign_out(request: web.Request, caller: Principal) -> Answer[None]:
    """Sign the browser out; an admin token stays good."""
    if caller.kind is TokenKind.SESSION:
        await request.app[DATABASE].write(accounts.close_session, caller.token_id)
    return Answer(None, headers={"Set-Cookie": _cookie(request, "", 0)})


def _cookie(request: web.Request, value: str, seconds: int) -> str:
    """Return a cookie that no script reads and no other site makes the browser send."""
    cookie: SimpleCookie = SimpleCookie()
    cookie[SESSION_COOKIE] = value
    morsel = cookie[SESSION_COOKIE]
    morsel["path"] = "/"
    morsel["max-age"] = seconds
    morsel["httponly"] = True
    morsel["samesite"] = "Strict"
    morsel["secure"] = request.secure or (request.app[SETTINGS].public_url or "").startswith("https:")
    return morsel.OutputString()
