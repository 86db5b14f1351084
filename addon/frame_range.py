"""Frame ranges, as people write them: ``1-10``, ``1,3,5-9``, ``-5--1``, ``1-100x5`` or ``1-100:5``.

The coordinator has the last word; this reads them before anything is uploaded, so that a slip costs no waiting.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

#: Blender's own limits.
FIRST_FRAME, LAST_FRAME = -1_048_574, 1_048_574

_ITEM = re.compile(r"\s*(?P<first>-?\d{1,9})\s*(?:-\s*(?P<last>-?\d{1,9})\s*(?:[:xX]\s*(?P<step>-?\d{1,9})\s*)?)?")


class FrameRangeError(ValueError):
    """The text is no frame range; the message says where and what was probably meant."""


@dataclass(frozen=True)
class FrameRange:
    """The frames of a job, in ascending order."""

    runs: tuple[range, ...]
    """Ascending, none reaching into the next."""

    def __len__(self) -> int:
        return sum(len(run) for run in self.runs)

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.runs)

    @property
    def consecutive(self) -> bool:
        """No frame is left out between the first and the last."""
        return self.runs[-1][-1] - self.runs[0][0] + 1 == len(self)


def parse_frames(text: str) -> FrameRange:
    """Return the frames that ``text`` names.

    Raises:
        FrameRangeError: it names none, reaches into itself, or cannot be read.
    """
    if not text.strip():
        raise FrameRangeError("The frame range is empty; write for example 1-10.")
    runs: list[tuple[range, str]] = []
    position = 0
    for item in text.split(","):
        runs.append((_run(item, text, position), item.strip()))
        position += len(item) + 1
    runs.sort(key=lambda run: run[0][0])
    for (earlier, earlier_text), (later, later_text) in pairwise(runs):
        if later[0] <= earlier[-1]:
            raise FrameRangeError(
                f"In the frame range “{text}”, {earlier_text} and {later_text} overlap at frame {later[0]}; "
                "name each frame once."
            )
    return FrameRange(tuple(run for run, _ in runs))


def format_frames(start: int, end: int, step: int) -> str:
    """Return the text for a scene's own range."""
    if start == end:
        return str(start)
    return f"{start}-{end}" if step == 1 else f"{start}-{end}:{step}"


def _run(item: str, text: str, position: int) -> range:
    """Return the frames of one item, ascending; ``position`` is where it stands in ``text``."""
    place = f"In the frame range “{text}”, at character {position + len(item) - len(item.lstrip()) + 1}"
    match = _ITEM.fullmatch(item)
    if match is None:
        problem = f"“{item.strip()}” is no frame or range" if item.strip() else "a frame is missing"
        raise FrameRangeError(f"{place}: {problem}; write for example 5, 1-10 or 1-100:5.")
    first = int(match["first"])
    last = int(match["last"] or first)
    step = int(match["step"] or 1)
    for frame in (first, last):
        if not FIRST_FRAME <= frame <= LAST_FRAME:
            raise FrameRangeError(
                f"{place}: frame {frame} does not exist; Blender's go from {FIRST_FRAME} to {LAST_FRAME}."
            )
    if step == 0:
        raise FrameRangeError(f"{place}: a step of 0 never gets anywhere; leave it out.")
    if first > last and step > 0:
        raise FrameRangeError(
            f"{place}: {first}-{last} runs backwards; write {last}-{first}, or {first}-{last}:{-step} to count down."
        )
    if first < last and step < 0:
        raise FrameRangeError(
            f"{place}: {first}-{last} runs forwards but its step is {step}; write {first}-{last}:{-step}."
        )
    frames = range(first, last + (1 if step > 0 else -1), step)
    return frames if step > 0 else frames[::-1]
