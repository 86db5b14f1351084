"""What is in the store, for whom, and how it is had back."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from coordinator.keys import DATABASE, LIFETIME, STORE
from coordinator.services import retention, storage
from coordinator.services.accounts import Principal
from coordinator.services.storage_schemas import DueJob, Freed, JobStorage, StorageView, SweepRequest, SweepView

_DAY = 24 * 3600.0


class StorageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the largest jobs to list."""

    limit: Annotated[int, Meta(ge=0, le=100)] = 20


async def show(request: web.Request, query: StorageQuery) -> StorageView:
    """Tell what is in the store, for whom, and how much room there is."""
    database, lifetime = request.app[DATABASE], request.app[LIFETIME]
    room = await request.app[STORE].room()
    return StorageView(
        disk_total_bytes=None if room is None else room.total_bytes,
        disk_free_bytes=None if room is None else room.free_bytes,
        blob_bytes=await database.read(storage.stored_bytes),
        sweep_bytes=(await _planned(request)).freed_bytes,
        keep_days=None if lifetime.keep_seconds is None else lifetime.keep_seconds / _DAY,
        users=await database.read(storage.by_user),
        jobs=await database.read(storage.largest, query.limit),
    )


async def sweep(request: web.Request, body: SweepRequest) -> SweepView:
    """Sweep now, or only say what would go."""
    planned = await _planned(request)
    if not body.dry_run:
        await request.app[DATABASE].write(storage.ask_for_sweep)
    return planned


async def show_job(request: web.Request, job_id: int) -> JobStorage:
    """Tell what a job takes of the store, and what deleting it frees."""
    return await request.app[DATABASE].read(storage.job_storage, job_id)


async def delete_files(request: web.Request, caller: Principal, job_id: int) -> Freed:
    """Remove the files of a job that has ended; the record of it stays."""
    freed = await request.app[DATABASE].read(storage.check_removable, job_id)
    await request.app[DATABASE].write(storage.delete_files, job_id, caller.name)
    return freed


async def delete_job(request: web.Request, caller: Principal, job_id: int) -> Freed:
    """Remove a job that has ended, and all that is known of it."""
    freed = await request.app[DATABASE].read(storage.check_removable, job_id)
    await request.app[DATABASE].write(storage.delete_job, job_id, caller.name)
    return freed


async def _planned(request: web.Request) -> SweepView:
    """Return what the sweeper is about to remove."""
    database = request.app[DATABASE]
    due = await database.read(retention.due, request.app[LIFETIME])
    freed = await database.read(storage.condemned_bytes)
    for job in due:
        # One that was removed meanwhile frees nothing any more.
        freed += await database.read(storage.freed_bytes, job.id)
    jobs = [DueJob(id=job.id, name=job.name, user=job.user, reason=job.reason) for job in due]
    return SweepView(jobs=jobs, freed_bytes=freed)
