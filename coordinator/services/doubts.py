"""Frames in which there is nothing to be seen: rendered once more where they stand out, and flagged if that is in vain.

Functions take the job locked.  They are called for odd frames, and for jobs that have blank ones: others cost nothing.
"""

from typing import Any

from coordinator.db import attempts, frames
from coordinator.db.engine import Transaction
from coordinator.domain import verification
from coordinator.domain.matching import needs_of
from coordinator.domain.model import Blank, Job
from coordinator.domain.retry import BLANK_FRAME
from coordinator.domain.verification import Look
from coordinator.services.changes import tell
from coordinator.services.schemas import DoubtView

#: Doubts listed on a job; the list of its frames has all of them.
_LISTED = 50


def reason_to_try_again(tx: Transaction, job: Job, frame: int, blank: Blank, agent_id: int) -> str | None:
    """Return why a blank frame of an agent is to be rendered once more, a sentence, or None to take it as it is."""
    order = job.frame_range
    first, last = verification.span_around(order, frame)
    tried = attempts.with_code(tx.conn, job.id, first, last, BLANK_FRAME)
    alone = tx.board.fleet(needs_of(job)).agents < 2
    # What another agent rendered blank, or the only one, is no mistake of this agent, though it is not settled yet:
    # else a fade to black would cost as many frames again as lie near its beginning.
    known: dict[int, Blank | None] = {}
    known |= {it.frame: blank for it in tried if it.frame is not None and (alone or it.agent_id != agent_id)}
    known |= {it.frame: it.blank for it in frames.finished_between(tx.conn, job.id, first, last)}
    own = attempts.of_frame(tx.conn, job.id, frame)
    return verification.reason_to_try_again(order, frame, blank, known, own, job.max_retries)


def weigh(tx: Transaction, job: Job, frame: int, look: Look, agent_id: int) -> tuple[str | None, dict[str, Any]]:
    """Return what is doubted of a frame about to be recorded, and the job's counters with it.

    What is doubted of the blank frames beside it is written anew: it may make them stand out, or no more.
    """
    order = job.frame_range
    near = frames.finished_between(tx.conn, job.id, *verification.span_around(order, frame))
    finished = {it.frame: it.blank for it in near} | {frame: look.blank}

    def doubt_of(number: int, seen: Look, renderer: int) -> str | None:
        tried = attempts.of_frame(tx.conn, job.id, number) if seen.blank else []
        return verification.doubt(order, number, seen, renderer, finished, tried)

    changed, neighbours = 0, verification.beside(order, frame, finished)
    for known in near:
        if known.frame not in neighbours or known.blank is None or known.agent_id is None:
            continue
        doubt = doubt_of(known.frame, Look(blank=known.blank), known.agent_id)
        if doubt != known.doubt:
            frames.set_doubt(tx.conn, job.id, known.frame, doubt)
            changed += (doubt is not None) - (known.doubt is not None)
        if known.doubt is None:
            _tell(tx, job, known.frame, doubt)
    doubt = doubt_of(frame, look, agent_id)
    _tell(tx, job, frame, doubt)
    return doubt, {
        "blank": job.blank + (look.blank is not None),
        "doubtful": job.doubtful + changed + (doubt is not None),
    }


def doubts_of(tx: Transaction, job: Job) -> list[DoubtView]:
    """Return the first frames of a job that may not be what the artist meant."""
    views = []
    for frame in frames.doubtful(tx.conn, job.id, _LISTED) if job.doubtful else []:
        span = verification.span_around(job.frame_range, frame.frame)
        finished = {it.frame: it.blank for it in frames.finished_between(tx.conn, job.id, *span)}
        others = verification.beside(job.frame_range, frame.frame, finished)
        views.append(DoubtView(frame=frame.frame, doubt=frame.doubt or "", beside=others))
    return views


def _tell(tx: Transaction, job: Job, frame: int, doubt: str | None) -> None:
    if doubt is not None:
        tell(tx, job, "frame_doubtful", f"Frame {frame} may be wrong: {doubt}", {"frame": frame})
