"""Tokens: list, make, revoke."""

from aiohttp import web

from coordinator.domain.tokens import TokenKind
from coordinator.http.endpoint import Answer
from coordinator.keys import DATABASE
from coordinator.services import accounts
from coordinator.services.schemas import Page, TokenCreated, TokenRequest, TokenView


async def index(request: web.Request) -> Page[TokenView]:
    """List the good tokens, without their secrets."""
    return Page(items=await request.app[DATABASE].read(accounts.list_tokens))


async def create(request: web.Request, body: TokenRequest) -> Answer[TokenCreated]:
    """Make a token; this answer is the only one that has it in plain."""
    made = await request.app[DATABASE].write(accounts.create_token, TokenKind(body.kind), body.name)
    return Answer(made, status=201)


async def revoke(request: web.Request, token_id: int) -> None:
    """Make a token void."""
    await request.app[DATABASE].write(accounts.revoke_token, token_id)
