"""Jobs: submit, list, look at, cancel."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from coordinator.domain.model import JobState
from coordinator.http.endpoint import Answer
from coordinator.http.paging import Cursor, PageQuery
from coordinator.keys import DATABASE
from coordinator.protocol import ErrorCode
from coordinator.services import control, submit, views
from coordinator.services.accounts import Principal
from coordinator.services.errors import Refused
from coordinator.services.schemas import EventView, JobDetail, JobRequest, JobView, Page


class JobQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which jobs, how many, from where."""

    state: Annotated[str, Meta(max_length=200)] | None = None
    """States with commas between them; all by default."""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Cursor | None = None


async def create(request: web.Request, caller: Principal, body: JobRequest) -> Answer[JobView]:
    """Submit a job whose pack has been uploaded."""
    job = await request.app[DATABASE].write(submit.submit, body, caller.name)
    return Answer(job, status=201, headers={"Location": f"/api/v1/jobs/{job.id}"})


async def index(request: web.Request, query: JobQuery) -> Page[JobView]:
    """List jobs, newest first."""
    return await request.app[DATABASE].read(views.list_jobs, _states(query.state), query.limit, query.cursor)


async def show(request: web.Request, job_id: int) -> JobDetail:
    """Show a job, with what failed and who works on it."""
    return await request.app[DATABASE].read(views.job_detail, job_id)


async def cancel(request: web.Request, job_id: int) -> JobView:
    """Cancel a job; what is finished stays."""
    return await request.app[DATABASE].write(control.cancel, job_id)


async def history(request: web.Request, job_id: int, query: PageQuery) -> Page[EventView]:
    """List a job's history, oldest first."""
    return await request.app[DATABASE].read(views.list_events, job_id, query.limit, query.cursor)


def _states(text: str | None) -> list[JobState]:
    if text is None:
        return []
    try:
        return [JobState(name.strip()) for name in text.split(",")]
    except ValueError as error:
        known = ", ".join(JobState)
        raise Refused(
            ErrorCode.INVALID,
            f"{text!r} names a state that no job has; there are {known}.",
            {"state": f"one of {known}"},
        ) from error
