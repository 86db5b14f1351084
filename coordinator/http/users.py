"""Those who submit jobs, and their limits."""

from aiohttp import web

from coordinator.keys import DATABASE
from coordinator.services import users
from coordinator.services.schemas import Page, UserChange, UserView


async def index(request: web.Request) -> Page[UserView]:
    """List everyone who has submitted a job."""
    return Page(items=await request.app[DATABASE].read(users.list_users))


async def limit(request: web.Request, name: str, body: UserChange) -> UserView:
    """Limit how many slots work for a user at once; null takes the limit away."""
    return await request.app[DATABASE].write(users.limit, name, body)
