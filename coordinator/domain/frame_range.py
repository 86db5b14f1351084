"""Frame ranges: ``1-10``, ``1,3,5-9``, ``-5--1``, ``1-100:5`` or ``1-100x5``.

They are read as Open Job Description's integer range expressions are (``1-10:2`` is 1, 3, 5, 7, 9; overlaps and
descending ranges without a negative step are errors), with ``x`` as a second sign for the step, since farms use both.
A range is kept as its runs, so a million frames cost as little as two.
"""

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

#: Blender's own limits (MINAFRAME, MAXFRAME).
FIRST_POSSIBLE_FRAME = -1_048_574
LAST_POSSIBLE_FRAME = 1_048_574

_TOKEN = re.compile(r"[ \t]*(?:(?P<number>[0-9]+)|(?P<sign>[-,:xX]))")


class FrameRangeError(ValueError):
    """The text is no frame range.

    ``str()`` is one sentence; ``position`` is where the mistake begins (counted from 0).
    """

    def __init__(self, text: str, position: int, problem: str) -> None:
        """Describe ``problem`` at ``position`` of ``text``."""
        shown = text if len(text) <= 60 else f"{text[max(0, position - 20) : position + 20]}…"
        super().__init__(f"frame range {shown!r}, at character {position + 1}: {problem}")
        self.position = position


@dataclass(frozen=True, slots=True)
class Run:
    """Frames ``first``, ``first + step``, … ``last``; ``last`` is one of them, ``step`` is at least 1."""

    first: int
    last: int
    step: int

    def __len__(self) -> int:
        return (self.last - self.first) // self.step + 1

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-{self.last}" if self.step == 1 else f"{self.first}-{self.last}:{self.step}"


class FrameRange:
    """A set of frames in ascending order."""

    __slots__ = ("_firsts", "_starts", "runs")

    def __init__(self, runs: tuple[Run, ...]) -> None:
        """Take runs that are ascending and do not reach into each other; use :func:`parse` for text."""
        self.runs = runs
        self._firsts = [run.first for run in runs]
        # How many frames lie before each run.
        self._starts = list(accumulate((len(run) for run in runs), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[int]:
        for run in self.runs:
            yield from range(run.first, run.last + 1, run.step)

    def __contains__(self, frame: object) -> bool:
        if not isinstance(frame, int):
            return False
        index = bisect.bisect_right(self._firsts, frame) - 1
        if index < 0:
            return False
        run = self.runs[index]
        return frame <= run.last and (frame - run.first) % run.step == 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrameRange) and self.runs == other.runs

    def __hash__(self) -> int:
        return hash(self.runs)

    def __str__(self) -> str:
        return ",".join(str(run) for run in self.runs)

    def __repr__(self) -> str:
        return f"FrameRange({str(self)!r})"

    @property
    def first(self) -> int:
        """The first frame."""
        return self.runs[0].first

    @property
    def last(self) -> int:
        """The last frame."""
        return self.runs[-1].last

    @property
    def consecutive(self) -> bool:
        """Whether there is no gap between the first and the last frame."""
        return len(self) == self.last - self.first + 1

    def rank(self, frame: int) -> int:
        """Return how many frames of the range come before ``frame``, which need not be one of them."""
        index = bisect.bisect_right(self._firsts, frame) - 1
        if index < 0:
            return 0
        run, start = self.runs[index], self._starts[index]
        return min(self._starts[index + 1], start - (run.first - frame) // run.step)

    def at(self, rank: int) -> int:
        """Return the frame with ``rank`` frames before it.

        Raises:
            IndexError: there are not so many frames.
        """
        if not 0 <= rank < len(self):
            raise IndexError(f"no frame has rank {rank} in a range of {len(self)}")
        index = bisect.bisect_right(self._starts, rank) - 1
        run = self.runs[index]
        return run.first + (rank - self._starts[index]) * run.step

    def after(self, frame: int) -> int | None:
        """Return the next frame past ``frame``, or None."""
        rank = self.rank(frame + 1)
        return self.at(rank) if rank < len(self) else None

    def before(self, frame: int) -> int | None:
        """Return the frame just before ``frame``, or None."""
        rank = self.rank(frame)
        return self.at(rank - 1) if rank > 0 else None

    def count(self, first: int, last: int) -> int:
        """Return how many frames lie from ``first`` to ``last``, both included."""
        return self.rank(last + 1) - self.rank(first)

    def between(self, first: int, last: int) -> Iterator[int]:
        """Yield the frames from ``first`` to ``last``, both included, in ascending order."""
        index = max(0, bisect.bisect_right(self._firsts, first) - 1)
        for run in self.runs[index:]:
            if run.first > last:
                return
            start = run.first if run.first >= first else run.first - (run.first - first) // run.step * run.step
            yield from range(start, min(last, run.last) + 1, run.step)


@lru_cache(maxsize=1024)
def parse(text: str) -> FrameRange:
    """Return the frames that ``text`` names.

    Raises:
        FrameRangeError: with the place of the mistake and what was probably meant.
    """
    return _Parser(text).parse()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run and where it stands in the text."""

    run: Run
    position: int


class _Parser:
    """Reads ``piece, piece, …`` where a piece is ``A``, ``A-B`` or ``A-B:N``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def parse(self) -> FrameRange:
        if not self._text.strip():
            raise FrameRangeError(self._text, 0, "it is empty; write for example 1-100")
        pieces = [self._piece()]
        while self._sign(","):
            pieces.append(self._piece())
        if self._text[self._position :].strip():
            raise self._error("expected a comma or the end here")
        return FrameRange(_joined(_disjoint(self._text, pieces)))

    def _piece(self) -> _Piece:
        self._skip_blanks()
        position = self._position
        first = self._number()
        if not self._sign("-"):
            if self._peek() in (":", "x"):
                raise self._error("a step needs a range before it, as in 1-10:2")
            return _Piece(Run(first, first, 1), position)
        last = self._number()
        step, step_position = 1, None
        if self._sign(":") or self._sign("x"):
            self._skip_blanks()
            step_position = self._position
            step = self._number(limited=False)
        if step == 0:
            raise FrameRangeError(self._text, step_position or position, "a step of 0 never gets anywhere")
        if step > 0 and last < first:
            raise FrameRangeError(
                self._text,
                position,
                f"{first}-{last} runs backwards; write {last}-{first}, or {first}-{last}:{-step} to count down",
            )
        if step < 0 and last > first:
            raise FrameRangeError(
                self._text,
                position,
                f"{first}-{last} runs forwards but its step is {step}; write {first}-{last}:{-step}",
            )
        count = abs(last - first) // abs(step)
        end = first + count * step
        low, high = min(first, end), max(first, end)
        return _Piece(Run(low, high, abs(step) if count else 1), position)

    def _number(self, *, limited: bool = True) -> int:
        self._skip_blanks()
        position = self._position
        negative = self._sign("-")
        match = _TOKEN.match(self._text, self._position)
        if match is None or match["number"] is None or (negative and match.start("number") != self._position):
            raise self._error("expected a frame number here" if limited else "expected a step here")
        self._position = match.end()
        if len(match["number"]) > 9:
            raise FrameRangeError(self._text, position, "this number is too large")
        number = -int(match["number"]) if negative else int(match["number"])
        if limited and not FIRST_POSSIBLE_FRAME <= number <= LAST_POSSIBLE_FRAME:
            raise FrameRangeError(
                self._text,
                position,
                f"frame {number} is outside of what Blender has ({FIRST_POSSIBLE_FRAME} to {LAST_POSSIBLE_FRAME})",
            )
        return number

    def _peek(self) -> str | None:
        match = _TOKEN.match(self._text, self._position)
        return match["sign"].lower() if match and match["sign"] else None

    def _sign(self, sign: str) -> bool:
        """Step over ``sign`` if it comes next, and tell whether it did."""
        if self._peek() != sign:
            return False
        self._skip_blanks()
        self._position += 1
        return True

    def _skip_blanks(self) -> None:
        while self._position < len(self._text) and self._text[self._position] in " \t":
            self._position += 1

    def _error(self, problem: str) -> FrameRangeError:
        self._skip_blanks()
        return FrameRangeError(self._text, self._position, problem)


def _disjoint(text: str, pieces: list[_Piece]) -> list[Run]:
    """Return the runs in ascending order; two that reach into each other are an error, even when interleaved."""
    pieces = sorted(pieces, key=lambda piece: piece.run.first)
    for left, right in pairwise(pieces):
        if right.run.first <= left.run.last:
            later = max(left, right, key=lambda piece: piece.position)
            earlier = left if later is right else right
            raise FrameRangeError(
                text, later.position, f"{later.run} reaches into {earlier.run}; name every frame once"
            )
    return [piece.run for piece in pieces]


def _joined(runs: list[Run]) -> tuple[Run, ...]:
    """Return the runs with neighbours of one step joined: ``1-5,6-10`` is ``1-10``."""
    joined: list[Run] = []
    for run in runs:
        # What has just grown may now fit what came before it: 1,3,5-7:2 is 1-7:2.
        while joined and (merged := _merge(joined[-1], run)) is not None:
            joined.pop()
            run = merged  # noqa: PLW2901 - the run, grown
        joined.append(run)
    return tuple(joined)


def _merge(left: Run, right: Run) -> Run | None:
    """Return both runs as one, or None where one step does not fit."""
    gap = right.first - left.last
    steps = {run.step for run in (left, right) if len(run) > 1}
    if len(steps) > 1 or (steps and gap not in steps):
        return None
    if not steps and gap != 1:
        # Two single frames some way apart stay as they were written: 1,3 rather than 1-3:2.
        return None
    return Run(left.first, right.last, gap)
