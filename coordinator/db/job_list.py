"""The list of jobs: filtered, searched and sorted, a page at a time.

Whatever is asked for, the ids of a page are found within one index alone, which has every column that is asked about:
at worst it is read from end to end, some hundred bytes for each job, and never the jobs themselves.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, literal_column, select, tuple_

from coordinator.db.schema import jobs
from coordinator.domain.model import Job, JobState


class JobOrder(enum.StrEnum):
    """What a list of jobs is sorted by; jobs alike in that, the newest first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    PRIORITY = "priority"
    """The highest first."""
    NAME = "name"
    ENDED = "ended"
    """What ended last comes first; only jobs that have ended are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs: those that meet all of it."""

    states: Sequence[JobState] = ()
    """Any of these; of any state if there are none."""
    user: str | None = None
    words: Sequence[str] = ()
    """As :func:`coordinator.domain.searching.search_words` has them."""
    since: datetime | None = None
    """Submitted then or later."""
    until: datetime | None = None
    """Submitted before."""


#: The column that comes before the id in each order, and whether the lowest comes first.
_SORTED: dict[JobOrder, tuple[ColumnElement[Any] | None, bool]] = {
    JobOrder.NEWEST: (None, False),
    JobOrder.OLDEST: (None, True),
    JobOrder.PRIORITY: (jobs.c.priority, False),
    JobOrder.NAME: (jobs.c.search, True),
    JobOrder.ENDED: (jobs.c.ended_at, False),
}


def key_of(job: Job, order: JobOrder) -> Any:
    """Return what a job is sorted by before its id; None where that is all."""
    column, _ = _SORTED[order]
    return None if column is None else getattr(job, column.name)


def page(conn: Connection, wanted: JobFilter, order: JobOrder, after: tuple[Any, int] | None, limit: int) -> list[Job]:
    """Return up to ``limit`` jobs in their order, behind the one with the key and the id ``after``."""
    ids = list(conn.execute(_page(wanted, order, after).limit(limit)).scalars())
    if not ids:
        return []
    found = {row["id"]: Job(**row) for row in conn.execute(select(jobs).where(jobs.c.id.in_(ids))).mappings()}
    return [found[job_id] for job_id in ids if job_id in found]


def _page(wanted: JobFilter, order: JobOrder, after: tuple[Any, int] | None) -> Select[tuple[int]]:
    column, ascending = _SORTED[order]
    keys: list[ColumnElement[Any]] = [jobs.c.id] if column is None else [column, jobs.c.id]
    removed = select(jobs.c.id).where(jobs.c.removal.is_not(None), jobs.c.removal == literal_column("'record'"))
    query = (
        select(jobs.c.id)
        .where(jobs.c.id.not_in(removed))
        .order_by(*(key.asc() if ascending else key.desc() for key in keys))
    )
    if order == JobOrder.ENDED:
        query = query.where(jobs.c.ended_at.is_not(None))
    if after is not None:
        place = tuple_(*keys)
        edge = tuple_(*(literal(value, key.type) for key, value in zip(keys, after[-len(keys) :], strict=True)))
        query = query.where(place > edge if ascending else place < edge)
    if wanted.states:
        query = query.where(_only_looked_at(jobs.c.state).in_([state.value for state in wanted.states]))
    if wanted.user is not None:
        query = query.where(_only_looked_at(jobs.c.created_by) == wanted.user)
    for word in wanted.words:
        query = query.where(jobs.c.search.contains(word, autoescape=True))
    if wanted.since is not None:
        query = query.where(jobs.c.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(jobs.c.created_at < wanted.until)
    return query


def _only_looked_at(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Return a column's value as something that leads to no other index: the order's own has all that is needed."""
    return func.coalesce(column, "", type_=jobs.c.search.type)
