"""Frame ranges, as people write them: ``1-10``, ``1,3,5-9``, ``-5--1``, ``1-100x5`` or ``1-100:5``.

The coordinator has the last word; this reads them before anything is uploaded, so that a slip costs no waiting.
"""

import re
from dataclasses import dataclass

#: Blender's own limits.
FIRST_FRAME, LAST_FRAME = -1_048_574, 1_048_574

_ITEM = re.compile(r"(?P<first>-?\d+)(?:-(?P<last>-?\d+)(?:[:x](?P<step>-?\d+))?)?")


class FrameRangeError(ValueError):
    """The text is no frame range; the message says where and what was probably meant."""


@dataclass(frozen=True)
class FrameRange:
    """The frames of a job, in ascending order."""

    frames: tuple[int, ...]

    @property
    def consecutive(self) -> bool:
        """No frame is left out between the first and the last."""
        return self.frames[-1] - self.frames[0] + 1 == len(self.frames)


def parse_frames(text: str) -> FrameRange:
    """Return the frames that ``text`` names.

    Raises:
        FrameRangeError: it names none, names one twice, or cannot be read.
    """
    # Blanks mean nothing; positions in messages count the text as it was written.
    place_of = [index for index, character in enumerate(text) if not character.isspace()]
    compact = "".join(text[index] for index in place_of)
    if not compact:
        raise FrameRangeError("The frame range is empty; write for example 1-10.")
    seen: set[int] = set()
    position = 0
    for item in compact.split(","):
        place = place_of[min(position, len(place_of) - 1)] + 1
        for frame in _item_frames(item, text, place):
            if frame in seen:
                raise FrameRangeError(f"{_at(text, place)}: frame {frame} is named twice; name each frame once.")
            seen.add(frame)
        position += len(item) + 1
    return FrameRange(tuple(sorted(seen)))


def format_frames(start: int, end: int, step: int) -> str:
    """Return the text for a scene's own range."""
    if start == end:
        return str(start)
    return f"{start}-{end}" if step == 1 else f"{start}-{end}:{step}"


def _item_frames(item: str, text: str, place: int) -> range:
    match = _ITEM.fullmatch(item)
    if match is None:
        shown = f"“{item}” is no frame or range" if item else "a frame is missing"
        raise FrameRangeError(f"{_at(text, place)}: {shown}; write for example 1-10, 5 or 1-100:5.")
    first = int(match["first"])
    last = int(match["last"]) if match["last"] else first
    step = int(match["step"]) if match["step"] else 1
    for frame in (first, last):
        if not FIRST_FRAME <= frame <= LAST_FRAME:
            raise FrameRangeError(
                f"{_at(text, place)}: frame {frame} does not exist; Blender's go from {FIRST_FRAME} to {LAST_FRAME}."
            )
    if step == 0:
        raise FrameRangeError(f"{_at(text, place)}: a step of 0 leads nowhere; leave it out or write 1.")
    if first > last and step > 0:
        raise FrameRangeError(f"{_at(text, place)}: “{item}” runs backwards; did you mean {last}-{first}?")
    if first < last and step < 0:
        raise FrameRangeError(f"{_at(text, place)}: “{item}” goes up with a negative step; leave out the minus.")
    return range(first, last + (1 if step > 0 else -1), step)


def _at(text: str, place: int) -> str:
    return f"In the frame range “{text}”, at character {place}"
