"""How a use case says no."""

from collections.abc import Mapping

from coordinator.domain.model import Job
from coordinator.protocol import ErrorCode


class Refused(Exception):
    """The request is understood and not granted; nothing was changed.

    One HTTP middleware turns ``code`` into a status and renders all three as the envelope of docs/PROTOCOL.md.
    """

    def __init__(self, code: ErrorCode, message: str, fields: Mapping[str, object] | None = None) -> None:
        """Refuse with a code for programs, one sentence for people, and details by field name."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields: dict[str, object] = dict(fields or {})


def lease_lost() -> Refused:
    """Return the refusal that makes an agent drop a chunk."""
    return Refused(
        ErrorCode.LEASE_LOST,
        "this lease has ended; its frames were given back, finished or cancelled: drop the chunk",
    )


def frame_lost(frame: int) -> Refused:
    """Return the refusal that makes an agent drop one frame of a chunk."""
    return Refused(
        ErrorCode.FRAME_LOST,
        f"frame {frame} is not this lease's any more: another slot has it, or it was cut off the job; drop the frame",
    )


def require_files(job: Job) -> None:
    """Refuse what needs a job's files when these were removed.

    Raises:
        Refused: FILES_GONE.
    """
    if job.files_swept_at is not None:
        raise Refused(
            ErrorCode.FILES_GONE,
            f"the files of job {job.id} were removed on {job.files_swept_at:%Y-%m-%d};"
            " to have them again, rerender the job, or submit its scene again from Blender",
        )


def not_found(what: str) -> Refused:
    """Return the refusal for something that is not there; ``what`` as in "job 7"."""
    return Refused(ErrorCode.NOT_FOUND, f"there is no {what}")
