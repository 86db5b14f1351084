"""Those who submit jobs, and what they may."""

from aiohttp import web

from coordinator.keys import DATABASE
from coordinator.services import users
from coordinator.services.schemas import Page, UserChange, UserView


async def index(request: web.Request) -> Page[UserView]:
    """List everyone who has submitted a job."""
    return Page(items=await request.app[DATABASE].read(users.list_users))


async def change(request: web.Request, name: str, body: UserChange) -> UserView:
    """Change what a user may."""
    return await request.app[DATABASE].write(users.change, name, body)
