"""Memory that the pieces of files are read to, used again and again: fresh memory costs more than reading does."""

import mmap
from io import BufferedIOBase


class Buffer:
    """Room for ``size`` bytes of pieces, and for no more than ``most`` pieces.  For one thread at a time."""

    def __init__(self, size: int, most: int) -> None:
        # Such memory is not taken before it is written to: short files take little of it.
        self._bytes = mmap.mmap(-1, size)
        self._view = memoryview(self._bytes)
        self._most = most
        self._used = self._count = 0

    @property
    def free(self) -> int:
        """How many bytes still fit behind the pieces."""
        return len(self._bytes) - self._used if self._count < self._most else 0

    def clear(self) -> None:
        """Forget the pieces: whoever has them must be done with them."""
        self._used = self._count = 0

    def read(self, file: BufferedIOBase, start: int, length: int) -> int:
        """Read bytes of a file to behind the pieces, at most ``free``; return how many there were."""
        file.seek(start)
        return file.readinto(self._view[self._used : self._used + length])

    def find(self, mark: bytes, start: int, end: int) -> int:
        """Return where two bytes are among those behind the pieces, from ``start`` to before ``end``; -1: nowhere."""
        return max(self._bytes.find(mark, self._used + start, self._used + end) - self._used, -1)

    def take(self, length: int) -> memoryview:
        """Make a piece of the first bytes behind the pieces, and return it; it holds until :meth:`clear`."""
        start = self._used
        self._used += length
        self._count += 1
        return self._view[start : self._used]
