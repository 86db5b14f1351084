"""Whether a picture in which there is nothing to be seen may be a mistake: the finished frames beside it tell.

A film may well fade to black, so a blank frame is suspicious only where it stands out.  It is rendered once more then,
and taken if that brings nothing else, with a doubt for people to read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coordinator.domain.frame_range import FrameRange
from coordinator.domain.model import Attempt, Blank
from coordinator.domain.retry import BLANK_FRAME, may_retry

#: Frames more places of the job's range away than this tell nothing of each other.
NEAR = 10

_WHAT = {
    Blank.BLACK: "All black",
    Blank.TRANSPARENT: "Fully transparent",
    Blank.NAN: "All NaN (not one pixel is a number)",
}

Finished = Mapping[int, Blank | None]
"""How finished frames are blank; None: they are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen in a frame's file."""

    blank: Blank | None = None
    nan_pixels: int = 0
    """How many of its pixels are no numbers."""

    @property
    def odd(self) -> bool:
        """Whether there is anything to think about."""
        return self.blank is not None or self.nan_pixels > 0


PLAIN = Look()
"""Nothing odd."""


def span_around(frames: FrameRange, frame: int) -> tuple[int, int]:
    """Return the first and the last frame that have a say in the doubts which a new frame can change."""
    rank = frames.rank(frame)
    return frames.at(max(0, rank - 2 * NEAR)), frames.at(min(len(frames) - 1, rank + 2 * NEAR))


def beside(frames: FrameRange, frame: int, finished: Finished) -> list[int]:
    """Return the finished frames next before and after a frame, where there are any near it."""
    before = max((other for other in finished if other < frame), default=None)
    after = min((other for other in finished if other > frame), default=None)
    rank = frames.rank(frame)
    return [it for it in (before, after) if it is not None and abs(frames.rank(it) - rank) <= NEAR]


def reason_to_try_again(
    frames: FrameRange, frame: int, blank: Blank, finished: Finished, tried: Sequence[Attempt], max_retries: int
) -> str | None:
    """Return why a blank frame is to be rendered once more, a sentence, or None to take it as it is."""
    if not _stands_out(frames, frame, finished) or not may_retry(len(tried) + 1, max_retries):
        return None
    return None if any(it.code == BLANK_FRAME for it in tried) else _reason(blank)


def doubt(
    frames: FrameRange, frame: int, look: Look, agent_id: int, finished: Finished, tried: Sequence[Attempt]
) -> str | None:
    """Return why a frame that was taken may not be what the artist meant, a sentence, or None.

    Args:
        frames: the job's frames.
        frame: the one in question.
        look: what was seen in it.
        agent_id: who rendered it.
        finished: the finished frames around it.
        tried: the failed attempts at it.
    """
    if look.blank is None:
        return f"{look.nan_pixels:,} of its pixels are NaN (not a number)." if look.nan_pixels else None
    if not _stands_out(frames, frame, finished):
        return f"{_WHAT[look.blank]}." if look.blank is Blank.NAN else None
    others = beside(frames, frame, finished)
    though = f"frame {others[0]} is not" if len(others) == 1 else f"frames {others[0]} and {others[1]} are not"
    return f"{_WHAT[look.blank]}, though {though}{_tries(look.blank, agent_id, tried)}."


def _stands_out(frames: FrameRange, frame: int, finished: Finished) -> bool:
    others = beside(frames, frame, finished)
    return bool(others) and all(finished[other] is None for other in others)


def _reason(blank: Blank) -> str:
    return f"{_WHAT[blank]}, though the frames beside it are not."


def _tries(blank: Blank, agent_id: int, tried: Sequence[Attempt]) -> str:
    before = [it for it in tried if it.code == BLANK_FRAME]
    if not before:
        return ""
    if any(it.message != _reason(blank) for it in before):
        return "; it was blank in another way before"
    alike = any(it.agent_id != agent_id for it in before)
    return "; two agents rendered it alike" if alike else "; the same agent rendered it alike twice"
