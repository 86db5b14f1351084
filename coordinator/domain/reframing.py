"""What becomes of a job's chunks when its frame range changes, or when frames that ended are opened again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from coordinator.domain.carving import Span
from coordinator.domain.frame_range import FrameRange
from coordinator.domain.model import Chunk


@dataclass(frozen=True, slots=True)
class Reframed:
    """A job's frames after its range has changed."""

    kept: dict[int, list[Span]]
    """By chunk: what is left of it, in the new range; nothing where all of its frames were cut off."""
    added: list[Span]
    """Frames that the old range had not got."""
    cut: list[Span]
    """Runs of the old range that the new one has not got, whether they have ended or not."""


def spans(frames: FrameRange, chosen: Iterable[int]) -> list[Span]:
    """Return the chosen frames of a range, which come in ascending order, as runs of neighbours in that range."""
    runs: list[list[int]] = []
    neighbours: Iterator[int] = iter(())
    for frame in chosen:
        if runs and frame == next(neighbours, None):
            runs[-1][1:] = frame, runs[-1][2] + 1
        else:
            runs.append([frame, frame, 1])
            neighbours = frames.between(frame + 1, frames.last)
    return [Span(first, last, count) for first, last, count in runs]


def reframe(old: FrameRange, new: FrameRange, chunks: Sequence[Chunk]) -> Reframed:
    """Return what a change of the range makes of a job's chunks.

    A chunk's frames are those of the range between its first and its last one.  New frames in between would become its
    own by that alone, and cut ones would leave it: so each chunk is divided into runs of its own frames.
    """
    wanted = set(new)
    kept = {
        chunk.id: spans(new, (frame for frame in old.between(chunk.first, chunk.last) if frame in wanted))
        for chunk in chunks
    }
    had = set(old)
    return Reframed(
        kept=kept,
        added=spans(new, (frame for frame in new if frame not in had)),
        cut=spans(old, (frame for frame in old if frame not in wanted)),
    )
