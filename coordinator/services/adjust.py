"""What a person changes of a job while it goes on: its name, its priority, its limits, its needs, its frames."""

import msgspec
from msgspec import UNSET

from coordinator.db.engine import WORK, Transaction
from coordinator.domain.model import Job
from coordinator.domain.searching import renamed
from coordinator.protocol import ErrorCode, RenderSpec
from coordinator.services.changes import tell, update_job
from coordinator.services.errors import Refused, require_files
from coordinator.services.queueing import lock_job
from coordinator.services.reframe import reframe
from coordinator.services.schemas import JobChange, JobView, NeedsRequest
from coordinator.services.submit import check_needs, with_sandbox
from coordinator.services.views import job_view


def adjust(tx: Transaction, job_id: int, request: JobChange, by: str) -> JobView:
    """Change what the request names; what is as it shall be already changes nothing.

    Raises:
        Refused: NOT_FOUND; INVALID, naming what is wrong; CONFLICT, its video is being made of the frames it has.
    """
    job = lock_job(tx, job_id)
    values, said = _changes(job, request)
    if values:
        job = update_job(tx, job, **values)
        told = {name: value for name, value in values.items() if name != "search"}
        tell(tx, job, "changed", f"{by} {', '.join(said)}.", {"by": by, **told})
        # A slot that it did not fit may be waiting for it now.
        tx.notify(WORK)
    if request.frames is not UNSET:
        require_files(job)
        reframe(tx, job, request.frames, by)
    return job_view(tx, job_id)


def _changes(job: Job, request: JobChange) -> tuple[dict[str, object], list[str]]:
    """Return the columns that change, and what that is in words."""
    values: dict[str, object] = {}
    said = []
    if request.name is not UNSET and (name := request.name.strip()) != job.name:
        if not name:
            raise Refused(ErrorCode.INVALID, "the job needs a name", {"name": "the job needs a name"})
        values |= {"name": name, "search": renamed(job.search, name)}
        said.append(f"renamed the job to {name}")
    if request.priority is not UNSET and request.priority != job.priority:
        values["priority"] = request.priority
        said.append(f"changed the priority from {job.priority} to {request.priority}")
    if request.max_slots is not UNSET and request.max_slots != job.max_slots:
        values["max_slots"] = request.max_slots
        said.append(
            f"limited its slots to {request.max_slots}" if request.max_slots else "took its limit of slots away"
        )
    if request.hedge is not UNSET and request.hedge != job.hedge:
        values["hedge"] = request.hedge
        said.append(
            f"{'allowed' if request.hedge else 'forbade'} that a second slot renders a frame that takes too long"
        )
    if request.needs is not UNSET:
        needs = with_sandbox(request.needs, msgspec.json.decode(job.render, type=RenderSpec))
        if needs != msgspec.json.decode(job.needs, type=NeedsRequest):
            check_needs(needs, job.min_blender)
            values["needs"] = msgspec.json.encode(needs).decode()
        said.append("changed what a slot must have to render it")
    if request.keep is not UNSET and request.keep != job.keep:
        require_files(job)
        values["keep"] = request.keep
        said.append("had its files kept" if request.keep else "allowed that its files are removed")
    return values, said
