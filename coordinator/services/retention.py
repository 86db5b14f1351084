"""Which jobs lose their files by themselves: those past their time, and the oldest of users over their quota."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from coordinator.db import jobs, references, storage, users
from coordinator.db.engine import Transaction
from coordinator.domain.lifetime import Lifetime
from coordinator.domain.model import Removal
from coordinator.services.storage import may_go, take_files

#: Jobs dealt with in one go; the next one deals with the rest.
MOST = 200
_DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A job whose files go, and why, a sentence."""

    id: int
    name: str
    user: str
    reason: str


def count_some(tx: Transaction) -> list[tuple[int, int]]:
    """Return some jobs that have ended, with what their files take in bytes; :func:`note_counts` writes it down."""
    return [(job_id, references.size_of_job(tx.conn, job_id)) for job_id in storage.uncounted(tx.conn, 20)]


def note_counts(tx: Transaction, counts: list[tuple[int, int]]) -> None:
    """Write down what jobs take."""
    for job_id, size in counts:
        job = jobs.lock(tx.conn, job_id)
        if job is not None and job.state.ended and job.bytes is None:
            jobs.change(tx.conn, job, bytes=size)


def due(tx: Transaction, lifetime: Lifetime) -> list[Due]:
    """Return jobs whose files are to go now, those that ended first at first."""
    found: dict[int, Due] = {}
    if lifetime.keep_seconds is not None:
        days = f"{lifetime.keep_seconds / _DAY:g}"
        reason = f"Its files were removed {days} {'day' if days == '1' else 'days'} after it had ended."
        for old in storage.ended_before(tx.conn, tx.now - timedelta(seconds=lifetime.keep_seconds), MOST):
            found[old.id] = Due(id=old.id, name=old.name, user=old.user, reason=reason)
    for it in _over_quota(tx):
        found.setdefault(it.id, it)
    return list(found.values())[:MOST]


def sweep(tx: Transaction, it: Due) -> bool:
    """Have the files of a job removed that was due, unless it may not go any more; tell whether they go."""
    job = jobs.lock(tx.conn, it.id)
    if job is None or job.keep or not may_go(tx, job):
        return False
    take_files(tx, job, Removal.FILES, it.reason)
    return True


def _over_quota(tx: Transaction) -> Iterator[Due]:
    taken = storage.by_user(tx.conn)
    for user in users.everyone(tx.conn):
        over = taken.get(user.name, (0, 0))[0] - (user.quota_bytes or 0)
        if user.quota_bytes is None or over <= 0:
            continue
        shared = storage.packs_of_user(tx.conn, user.name)
        for job in storage.of_user(tx.conn, user.name):
            if over <= 0:
                break
            shared[job.pack_id] -= 1
            freed = (job.own or 0) + (0 if shared[job.pack_id] else job.pack)
            if not freed:
                continue
            over -= freed
            reason = (
                f"Its files were removed: the jobs of {user.name} took more than their quota, and it was the oldest."
            )
            yield Due(id=job.id, name=job.name, user=job.user, reason=reason)
