"""What a file is made of: its blobs, found by reading it, or remembered from the last time."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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


def blobs_of(path: str, cache: DigestCache, advance: Callable[[int], None]) -> list[Blob]:
    """Return the blobs whose concatenation a file is; ``advance`` is told of every run of bytes that is done.

    Raises:
        FarmError: the file cannot be read, or was changed meanwhile.
    """
    with reading(path), open(path, "rb") as file:  # noqa: PTH123 - thousands of plain paths
        state = FileState.of(os.fstat(file.fileno()))
        known = cache.get(path, state)
        if known is None:
            known = []
            for piece in pieces(file, state.size):
                known.append((len(piece), hashlib.sha256(piece).digest()))
                advance(len(piece))
            if sum(size for size, _ in known) != state.size or FileState.of(os.stat(path)) != state:  # noqa: PTH116 - as above
                raise changed(path)
            cache.put(path, state, known)
        else:
            advance(state.size)
    blobs, start = [], 0
    for size, digest in known:
        blobs.append(Blob(path, start, size, digest.hex()))
        start += size
    return blobs


def read_blob(blob: Blob) -> bytes:
    """Return a blob's bytes.

    Raises:
        FarmError: the file cannot be read, or was changed meanwhile.
    """
    with reading(blob.path), open(blob.path, "rb") as file:  # noqa: PTH123 - thousands of plain paths
        file.seek(blob.start)
        data = file.read(blob.size)
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
