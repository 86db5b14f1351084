"""What files are made of: their blobs, found by reading them once, or remembered from the last time."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .buffers import Buffer
from .cutting import pieces
from .digest_cache import DigestCache, FileState
from .transport import FarmError


@dataclass(frozen=True, slots=True)
class Blob:
    """A run of a file's bytes."""

    path: str
    start: int
    size: int
    sha256: str


@dataclass(eq=False, slots=True)
class _ReadFile:
    """A file of which pieces are in memory."""

    path: str
    state: FileState
    digests: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    """Size and digest of the pieces that were hashed, by number."""
    count: int | None = None
    """How many pieces it has, once it was read to its end."""


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """Bytes of a file that are in a buffer, to become a blob."""

    number: int
    data: memoryview
    file: _ReadFile


class FileReader:
    """Reads files once, in pieces, for several threads that hash and send them.

    ``blobs`` has those of every file that was read whole, or that ``cache`` knows: these are not read at all.
    """

    def __init__(self, paths: Iterable[str], cache: DigestCache, advance: Callable[[int], None]) -> None:
        """``advance`` is told of the bytes that need not be read."""
        self.blobs: dict[str, list[Blob]] = {}
        self._cache = cache
        self._advance = advance
        self._lock = threading.Lock()
        self._pieces = self._read(paths)
        self._buffer: Buffer

    def next_pieces(self, buffer: Buffer) -> list[Piece]:
        """Fill a buffer and return the pieces that lie in it; none at the end.

        Raises:
            FarmError: a file cannot be read, or was changed meanwhile.
        """
        buffer.clear()
        read: list[Piece] = []
        with self._lock:
            self._buffer = buffer
            for piece in self._pieces:
                if piece is not None:
                    read.append(piece)
                elif read:
                    break
        return read

    def hashed(self, piece: Piece, digest: bytes) -> None:
        """Take note of a piece's SHA-256."""
        with self._lock:
            piece.file.digests[piece.number] = len(piece.data), digest
            self._finish(piece.file)

    def _read(self, paths: Iterable[str]) -> Iterator[Piece | None]:
        for path in paths:
            with reading(path), open(path, "rb") as file:  # noqa: PTH123 - thousands of plain paths
                found = _ReadFile(path, FileState.of(os.fstat(file.fileno())))
                known = self._cache.get(path, found.state)
                if known is not None:
                    self.blobs[path] = _blobs(path, known)
                    self._advance(found.state.size)
                    continue
                size = number = 0
                for data in pieces(file, found.state.size, lambda: self._buffer):
                    if data is None:
                        yield None
                        continue
                    size += len(data)
                    number += 1
                    yield Piece(number, data, found)
                if size != found.state.size or FileState.of(os.stat(path)) != found.state:  # noqa: PTH116 - as above
                    raise changed(path)
            found.count = number
            self._finish(found)

    def _finish(self, file: _ReadFile) -> None:
        if len(file.digests) == file.count:
            known = [file.digests[number] for number in sorted(file.digests)]
            self.blobs[file.path] = _blobs(file.path, known)
            self._cache.put(file.path, file.state, known)


def _blobs(path: str, known: Iterable[tuple[int, bytes]]) -> list[Blob]:
    blobs, start = [], 0
    for size, digest in known:
        blobs.append(Blob(path, start, size, digest.hex()))
        start += size
    return blobs


def read_blob(blob: Blob, buffer: Buffer) -> memoryview:
    """Return a blob's bytes, read into a buffer that has room for them.

    Raises:
        FarmError: the file cannot be read, or was changed meanwhile.
    """
    with reading(blob.path), open(blob.path, "rb") as file:  # noqa: PTH123 - thousands of plain paths
        data = buffer.take(buffer.read(file, blob.start, blob.size))
    if hashlib.sha256(data).hexdigest() != blob.sha256:
        raise changed(blob.path)
    return data


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Say in a person's words why a file cannot be read."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise FarmError("unreadable", f"{path} cannot be read: {reason}.", "Mend that and submit again.") from error


def changed(path: str) -> FarmError:
    """Return the error for a file that is being written just now."""
    return FarmError(
        "changed", f"{path} was changed while it was being sent.", "Submit again when it is no longer being written."
    )
