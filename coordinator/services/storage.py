"""What jobs take of the store, and how a person has it back.

The files of a job are taken from it at once; the rows that tell of them go later, in small steps (``sweeping``).
"""

from coordinator.db import jobs, references, storage, sweeping, users
from coordinator.db.engine import STORAGE, Transaction
from coordinator.domain.model import Job, Removal
from coordinator.protocol import ErrorCode
from coordinator.services.changes import tell, update_job
from coordinator.services.errors import Refused
from coordinator.services.queueing import lock_job
from coordinator.services.storage_schemas import Freed, JobStorage, LargeJob, UserStorage
from coordinator.services.sweeping import condemn_used
from coordinator.services.views import known_job


def job_storage(tx: Transaction, job_id: int) -> JobStorage:
    """Return what a job takes.  A read of some seconds for a job of 100,000 frames.

    Raises:
        Refused: NOT_FOUND.
    """
    job = known_job(tx, job_id)
    if job.files_swept_at is not None:
        return JobStorage(bytes=0, freed_bytes=0)
    return JobStorage(
        bytes=references.size_with_pack(tx.conn, job_id, job.pack_id),
        freed_bytes=references.freed_size(tx.conn, job_id, job.pack_id),
    )


def check_removable(tx: Transaction, job_id: int) -> Freed:
    """Return what removing a job's files frees, if they may be removed.

    Raises:
        Refused: NOT_FOUND; CONFLICT, as :func:`delete_files`.
    """
    _require_removable(tx, known_job(tx, job_id))
    return Freed(freed_bytes=job_storage(tx, job_id).freed_bytes)


def delete_files(tx: Transaction, job_id: int, by: str) -> None:
    """Remove the files of a job that has ended; what it was and how it went stays.

    Raises:
        Refused: NOT_FOUND; CONFLICT, it has not ended, it is kept, or others wait for it.
    """
    job = lock_job(tx, job_id)
    _require_removable(tx, job)
    if job.files_swept_at is None:
        take_files(tx, job, Removal.FILES, f"{by} removed its files.")


def delete_job(tx: Transaction, job_id: int, by: str) -> None:
    """Remove a job that has ended, and all that is known of it.

    Raises:
        Refused: as :func:`delete_files`.
    """
    job = lock_job(tx, job_id)
    _require_removable(tx, job)
    # The request that made it may make another one.
    take_files(tx, job, Removal.RECORD, f"{by} deleted the job.", submission=None)


def may_go(tx: Transaction, job: Job) -> bool:
    """Tell whether a job, which is locked, has files that nobody works with."""
    return job.state.ended and job.files_swept_at is None and not storage.is_awaited(tx.conn, job.id)


def take_files(tx: Transaction, job: Job, removal: Removal, message: str, **values: object) -> None:
    """Take its files from a job that has ended; from now on, nobody gets one of them."""
    lost = [sha256 for sha256 in (job.sound_sha256, job.video_sha256) if sha256 is not None]
    gone = {"video_sha256": None, "sound_sha256": None, "latest_frame": None, "keep": False, "bytes": 0}
    swept_at = job.files_swept_at or tx.now
    job = update_job(tx, job, files_swept_at=swept_at, removal=removal, **gone, **values)
    condemn_used(tx, lost)
    tell(tx, job, "files_removed", message)
    tx.notify(STORAGE)


def largest(tx: Transaction, limit: int) -> list[LargeJob]:
    """Return the jobs that take most, the largest first."""
    found = []
    for job in storage.largest(tx.conn, limit):
        size = references.size_with_pack(tx.conn, job.id, job.pack_id)
        freed = references.freed_size(tx.conn, job.id, job.pack_id)
        found.append(
            LargeJob(
                id=job.id, name=job.name, user=job.user, state=job.state, keep=job.keep, bytes=size, freed_bytes=freed
            )
        )
    return sorted(found, key=lambda it: -it.bytes)


def by_user(tx: Transaction) -> list[UserStorage]:
    """Return what the jobs of each user take, the most first.

    A pack counts once for each user.  A picture that two of a user's jobs share counts for both.
    """
    taken = storage.by_user(tx.conn)
    for name, job_ids in storage.unended(tx.conn).items():
        size, count = taken[name]
        # They were not counted yet.
        taken[name] = size + sum(references.size_of_job(tx.conn, job_id) for job_id in job_ids), count
    views = [
        UserStorage(name=user.name, bytes=size, quota_bytes=user.quota_bytes, jobs=count)
        for user in users.everyone(tx.conn)
        for size, count in [taken.get(user.name, (0, 0))]
    ]
    return sorted(views, key=lambda it: (-it.bytes, it.name))


def stored_bytes(tx: Transaction) -> int:
    """Return how many bytes are in the store."""
    return storage.stored_bytes(tx.conn)


def condemned_bytes(tx: Transaction) -> int:
    """Return how many bytes wait to be removed."""
    return sweeping.condemned_size(tx.conn)


def freed_bytes(tx: Transaction, job_id: int) -> int:
    """Return what removing the files of a job frees; nothing if there is no such job any more."""
    job = jobs.get(tx.conn, job_id)
    return 0 if job is None else references.freed_size(tx.conn, job_id, job.pack_id)


def ask_for_sweep(tx: Transaction) -> None:
    """Wake the sweepers."""
    tx.notify(STORAGE)


def _require_removable(tx: Transaction, job: Job) -> None:
    problem = None
    if not job.state.ended:
        problem = f"it is {job.state.value}: cancel it first, and delete it then"
    elif job.keep:
        problem = "it is kept: allow first that its files are removed"
    elif job.files_swept_at is None and storage.is_awaited(tx.conn, job.id):
        problem = "a job that comes after it waits for it: cancel that one first"
    if problem is not None:
        raise Refused(ErrorCode.CONFLICT, f"job {job.id} cannot be deleted: {problem}")
