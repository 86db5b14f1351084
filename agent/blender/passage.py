"""What Blender said about one frame, short enough to be kept with it (pure).

A renderer tells many times a second how far it is.  Of that only so much is kept as shows what it did for how long;
what else it says, of files it lacks or things it cannot do, is kept word for word.
"""

from collections import deque

#: What is kept of a frame at most: so many characters, this many lines of its beginning and of its end.
MAX_CHARACTERS = 8_000
HEAD_LINES = 60
TAIL_LINES = 60
LINE_CHARACTERS = 300

#: Another line of progress is kept when so many seconds have passed since the last one, or this share of the time since
#: the frame began: the longer it takes, the wider apart they are.
PROGRESS_SECONDS = 0.5
PROGRESS_SHARE = 0.1

_LEFT_OUT = "[{} more lines]"


class Passage:
    """Takes the lines that a Blender writes between two frames' ends."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._left_out = 0
        self._began: float | None = None
        self._kept_at = 0.0
        self._progress: str | None = None
        """The last line of progress that was not kept."""

    def add(self, line: str, now: float) -> None:
        """Take a line that came at ``now`` (seconds, of any clock that goes forward)."""
        line = line.strip()[:LINE_CHARACTERS]
        if not line:
            return
        if not line.startswith("Fra:"):
            # What a renderer did last, before it said something else, is kept.
            self._keep_progress()
            self._keep(line)
            return
        if self._began is None:
            self._began = now
        elif now - self._kept_at < max(PROGRESS_SECONDS, PROGRESS_SHARE * (now - self._began)):
            self._progress = line
            return
        self._kept_at, self._progress = now, None
        self._keep(line)

    def text(self) -> str:
        """Return what is kept, at most :data:`MAX_CHARACTERS` characters."""
        self._keep_progress()
        left_out = [_LEFT_OUT.format(self._left_out)] if self._left_out else []
        text = "\n".join([*self._head, *left_out, *self._tail])
        if len(text) <= MAX_CHARACTERS:
            return text
        half = MAX_CHARACTERS // 2 - 10
        return f"{text[:half]}\n[…]\n{text[-half:]}"

    def _keep_progress(self) -> None:
        line, self._progress = self._progress, None
        if line is not None:
            self._keep(line)

    def _keep(self, line: str) -> None:
        if len(self._head) < HEAD_LINES:
            self._head.append(line)
            return
        if len(self._tail) == TAIL_LINES:
            self._left_out += 1
        self._tail.append(line)
