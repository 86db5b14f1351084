"""The list of jobs as the public API shows it: filtered, searched, sorted, in pages."""

import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec

from coordinator.db import job_list
from coordinator.db.engine import Transaction
from coordinator.db.job_list import JobFilter, JobOrder
from coordinator.domain.model import Job
from coordinator.protocol import ErrorCode
from coordinator.services.errors import Refused
from coordinator.services.schemas import JobView, Page
from coordinator.services.views import job_views, known_job_views

__all__ = ["JobFilter", "JobOrder", "cursor_behind", "job_of_number", "list_jobs"]

#: What a cursor has in each order: the key and the id of the last job.
_KEYS: dict[JobOrder, type[tuple[Any, int]]] = {
    JobOrder.NEWEST: tuple[None, int],
    JobOrder.OLDEST: tuple[None, int],
    JobOrder.PRIORITY: tuple[int, int],
    JobOrder.NAME: tuple[str, int],
    JobOrder.ENDED: tuple[datetime, int],
}
_MOST = 2**62


def list_jobs(
    tx: Transaction, wanted: JobFilter, limit: int, cursor: str | None, order: JobOrder = JobOrder.NEWEST
) -> Page[JobView]:
    """Return a page of the jobs that are wanted, and the cursor of the next one.

    A cursor names the place of the last job, so it stays good when that job is removed.

    Raises:
        Refused: INVALID, the cursor is none that this list gave out in this order.
    """
    after = None if cursor is None else _read(cursor, order)
    found = job_list.page(tx.conn, wanted, order, after, limit + 1)
    shown = found[:limit]
    return Page(
        items=job_views(tx, shown),
        next=cursor_behind(shown[-1], order) if len(found) > limit else None,
    )


def job_of_number(tx: Transaction, number: int) -> Page[JobView]:
    """Return the one job of a number, or an empty page."""
    return Page(items=known_job_views(tx, [number]))


def cursor_behind(job: Job, order: JobOrder) -> str:
    """Return the cursor of the page that follows on a job."""
    place = (job_list.key_of(job, order), job.id)
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read(cursor: str, order: JobOrder) -> tuple[Any, int]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key, job_id = msgspec.convert(msgspec.json.decode(text), _KEYS[order])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass
    else:
        aware = not isinstance(key, datetime) or key.tzinfo is not None
        small = not isinstance(key, int) or abs(key) < 2**31
        if aware and small and abs(job_id) < _MOST:
            return key, job_id
    raise Refused(
        ErrorCode.INVALID, "the cursor is not one that this list gave out in this order", {"cursor": "is not known"}
    )
