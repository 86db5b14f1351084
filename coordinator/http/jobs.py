"""Jobs: submit, list, look at, and all that one can do to them."""

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from coordinator.domain.model import JobState
from coordinator.domain.searching import job_number, search_words
from coordinator.http.endpoint import Answer
from coordinator.http.notifications import no_mail
from coordinator.http.paging import Cursor, PageQuery
from coordinator.keys import DATABASE, MAIL
from coordinator.protocol import ErrorCode
from coordinator.services import adjust, control, job_contents, job_list, submit, views
from coordinator.services import requeue as requeueing
from coordinator.services.accounts import Principal
from coordinator.services.errors import Refused
from coordinator.services.frame_schemas import CostView, Kinds, Order, PackView
from coordinator.services.job_list import JobFilter, JobOrder
from coordinator.services.schemas import (
    EventView,
    JobChange,
    JobDetail,
    JobRequest,
    JobView,
    Page,
    RequeueRequest,
    RerenderRequest,
)


class JobQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which jobs, how many, from where."""

    state: Annotated[str, Meta(max_length=200)] | None = None
    """States with commas between them; all by default."""
    user: Annotated[str, Meta(max_length=200)] | None = None
    """Who submitted them."""
    q: Annotated[str, Meta(max_length=200)] | None = None
    """Words, all of which are in the name, the submitter's name or the name of the .blend; or ``#`` and a number."""
    since: datetime | None = None
    """Submitted then or later."""
    until: datetime | None = None
    """Submitted before."""
    sort: JobOrder = JobOrder.NEWEST
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(max_length=3000)] | None = None


class HistoryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events, how many, from where."""

    order: Order = "oldest"
    """What comes first; a cursor is good for the order that gave it out."""
    kinds: Kinds = "all"


class PackQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many files, from where."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 200
    cursor: Cursor | None = None


async def create(request: web.Request, caller: Principal, body: JobRequest) -> Answer[JobView]:
    """Submit a job whose pack has been uploaded."""
    if body.notify and request.app[MAIL] is None:
        raise no_mail("notify")
    return _created(await request.app[DATABASE].write(submit.submit, body, caller.name))


async def index(request: web.Request, query: JobQuery) -> Page[JobView]:
    """List jobs."""
    database = request.app[DATABASE]
    number = None if query.q is None else job_number(query.q)
    if number is not None:
        return await database.read(job_list.job_of_number, number)
    wanted = JobFilter(
        states=_states(query.state),
        user=query.user,
        words=search_words(query.q or ""),
        since=_aware("since", query.since),
        until=_aware("until", query.until),
    )
    return await database.read(job_list.list_jobs, wanted, query.limit, query.cursor, query.sort)


async def show(request: web.Request, job_id: int) -> JobDetail:
    """Show a job, with what failed and who works on it."""
    return await request.app[DATABASE].read(views.job_detail, job_id)


async def change(request: web.Request, caller: Principal, job_id: int, body: JobChange) -> JobView:
    """Change what is named: the name, the priority, the limits, the needs, the frames."""
    return await request.app[DATABASE].write(adjust.adjust, job_id, body, caller.name)


async def pause(request: web.Request, caller: Principal, job_id: int) -> JobView:
    """Finish the frames being rendered, and begin no other one."""
    return await request.app[DATABASE].write(control.pause, job_id, caller.name)


async def resume(request: web.Request, caller: Principal, job_id: int) -> JobView:
    """Go on with a paused job."""
    return await request.app[DATABASE].write(control.resume, job_id, caller.name)


async def cancel(request: web.Request, caller: Principal, job_id: int) -> JobView:
    """Cancel a job; what is finished stays."""
    return await request.app[DATABASE].write(control.cancel, job_id, caller.name)


async def requeue(request: web.Request, caller: Principal, job_id: int, body: RequeueRequest) -> JobView:
    """Render frames again: those that are named, or all that failed."""
    return await request.app[DATABASE].write(requeueing.requeue, job_id, body, caller.name)


async def rerender(request: web.Request, caller: Principal, job_id: int, body: RerenderRequest) -> Answer[JobView]:
    """Submit a job of the same pack, with what is named done differently."""
    return _created(await request.app[DATABASE].write(submit.rerender, job_id, body, caller.name))


async def history(request: web.Request, job_id: int, query: HistoryQuery) -> Page[EventView]:
    """List a job's history, oldest or newest first; all of it, or what is more than a frame's or a lease's business."""
    return await request.app[DATABASE].read(
        views.list_events,
        job_id,
        query.limit,
        query.cursor,
        newest_first=query.order == "newest",
        notable=query.kinds == "notable",
    )


async def pack(request: web.Request, job_id: int, query: PackQuery) -> PackView:
    """List the files that a job is rendered from, the largest first."""
    return await request.app[DATABASE].read(job_contents.pack_view, job_id, query.limit, query.cursor)


async def cost(request: web.Request, job_id: int) -> CostView:
    """Show what a job's finished frames took, by what rendered them."""
    return await request.app[DATABASE].read(job_contents.cost_view, job_id)


def _created(job: JobView) -> Answer[JobView]:
    return Answer(job, status=201, headers={"Location": f"/api/v1/jobs/{job.id}"})


def _aware(name: str, time: datetime | None) -> datetime | None:
    if time is not None and time.tzinfo is None:
        raise Refused(
            ErrorCode.INVALID, f"{name} needs a time zone, as in 2026-01-31T00:00:00Z.", {name: "has no zone"}
        )
    return time


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
