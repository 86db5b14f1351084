"""What the coordinator asks of a place that keeps blobs."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

#: The bytes of a blob in memory, in the runs in which they came.
Parts: TypeAlias = Sequence[bytes | memoryview]


class StoreError(Exception):
    """The store did not do what was asked; the text is a sentence for people."""


class BlobMissing(StoreError):
    """There is no blob of that name."""


class ContentMismatch(StoreError):
    """The bytes received have another digest or another length than was announced; nothing was kept."""


class StoreFull(StoreError):
    """There is no room for the bytes; nothing was kept, and the same call may succeed later."""


class StoreUnusable(StoreError):
    """The place itself cannot be used (no permission, not a folder)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much there is room for.  Bytes."""

    total_bytes: int
    free_bytes: int
    """What may still be put: without what is kept free for others, and what uploads under way are going to take."""


class BlobStore(Protocol):
    """Keeps blobs.  A name is the SHA-256 of the bytes, 64 lower-case hexadecimal digits.

    A blob is whole or absent, whatever fails and whenever: no reader ever sees a part of one, and what :meth:`put`
    has answered survives a loss of power.  All calls may run concurrently, also for the same name.
    """

    async def put(self, sha256: str, size: int, pieces: AsyncIterator[bytes]) -> bool:
        """Store ``size`` bytes, which come in any number of pieces; return False when they were there already.

        Raises:
            ContentMismatch: the pieces end early, go on past ``size``, or have another digest.
            StoreFull: there is no room.
        """

    async def put_many(self, blobs: Sequence[tuple[str, Parts]]) -> None:
        """Store blobs that are in memory, given as name and bytes; those that were there already stay.

        Raises:
            ContentMismatch: a name is not that of its bytes; blobs before it may have been kept.
            StoreFull: there is no room; none of them was kept.
        """

    async def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Return the bytes of blobs, in the order of their names; what is asked for together must fit into memory.

        Raises:
            BlobMissing: one is not there.
        """

    async def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file made in :meth:`work_folder`, which is gone from there afterwards; return its name and length.

        Raises:
            StoreFull: there is no room.
        """

    async def work_folder(self) -> Path:
        """Return a new empty folder for making files.  The caller removes it; :meth:`sweep` removes forgotten ones.

        Raises:
            StoreFull: there is no room.
        """

    async def size(self, sha256: str) -> int | None:
        """Return a blob's length in bytes, or None when it is absent."""

    async def fetch(self, sha256: str) -> Path:
        """Return a local file with the blob's bytes; it must not be changed.

        Raises:
            BlobMissing: there is no such blob.
        """

    def holds(self, sha256: str) -> bool:
        """Tell whether a blob is there.  Blocks, for within a transaction."""

    def remove(self, sha256: str) -> None:
        """Make a blob absent, if it is there.  Blocks, but briefly, for within a transaction.

        Whoever reads it may finish.  What it takes may be free after the next :meth:`sweep` only.

        Raises:
            StoreError: it cannot be removed.
        """

    async def names(self, part: int, older_than_seconds: float) -> Sequence[tuple[str, int]]:
        """Return names and lengths of the blobs whose first byte is ``part`` and that were stored so long ago."""

    async def room(self) -> Room | None:
        """Return how much there is room for; None if the store tells no limit."""

    async def sweep(self, older_than_seconds: float) -> int:
        """Free what removed blobs took, and remove what broken uploads and crashes left unfinished this long ago.

        Returns how many things went.
        """

    async def close(self) -> None:
        """Wait for running work and free the threads; the store cannot be used afterwards."""
