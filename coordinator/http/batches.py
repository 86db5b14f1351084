"""Batches: the body in which many blobs travel together (docs/PROTOCOL.md, "Batches")."""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import zstandard
from aiohttp import StreamReader

from coordinator.protocol import ErrorCode
from coordinator.services.errors import Refused
from coordinator.store import Parts

#: The longest blob in a batch, in bytes; longer ones travel alone.
MAX_BATCHED_BYTES = 8 * 1024 * 1024
#: The longest batch, in bytes as it travels, and the most blobs in one.
MAX_BATCH_BYTES, MAX_BATCH_BLOBS = 64 * 1024 * 1024, 10_000
#: Blobs are handed on in groups of so many bytes: this is what a batch takes of the memory, whatever its length.
_GROUP_BYTES = 1 * 1024 * 1024

#: Digest, how the bytes are sent (0: as they are, 1: compressed with Zstandard), their number once unpacked, and sent.
_HEAD = struct.Struct(">32sBII")


@dataclass(frozen=True, slots=True)
class _Blob:
    """A blob as it was sent."""

    sha256: str
    packed: int
    size: int
    parts: Parts

    def unpacked(self) -> Parts:
        """Return its bytes; takes its time.

        Raises:
            Refused: BAD_REQUEST, they cannot be unpacked.
        """
        return [_unpack(b"".join(self.parts), self.size)] if self.packed else self.parts


async def read_groups(content: StreamReader, length: int) -> AsyncIterator[list[tuple[str, Parts]]]:
    """Yield the blobs of a batch of ``length`` bytes, digest and bytes, in groups.

    Raises:
        Refused: TOO_LARGE; BAD_REQUEST, it is no batch.
    """
    arriving = _Arriving(content)
    group: list[_Blob] = []
    held = count = 0
    left = length
    while left:
        digest, packed, size, sent = _HEAD.unpack(b"".join(await arriving.take(_HEAD.size)))
        _check(size, sent, packed, left, count)
        group.append(_Blob(digest.hex(), packed, size, await arriving.take(sent)))
        left -= _HEAD.size + sent
        count += 1
        held += size
        if held >= _GROUP_BYTES:
            yield await _unpacked(group)
            group, held = [], 0
    if group:
        yield await _unpacked(group)


class _Arriving:
    """A request's body, whose bytes stay where they arrived: nothing is copied to put it together."""

    def __init__(self, content: StreamReader) -> None:
        self._content = content
        self._arrived: deque[memoryview] = deque()
        self._held = 0

    async def take(self, size: int) -> list[memoryview]:
        """Return the next bytes, in the runs in which they came.

        Raises:
            Refused: BAD_REQUEST, there are fewer.
        """
        while self._held < size:
            data = await self._content.readany()
            if not data:
                raise _bad("it ends amid a blob")
            self._arrived.append(memoryview(data))
            self._held += len(data)
        self._held -= size
        parts = []
        while size:
            part = self._arrived.popleft()
            if len(part) > size:
                self._arrived.appendleft(part[size:])
                part = part[:size]
            parts.append(part)
            size -= len(part)
        return parts


async def _unpacked(group: Sequence[_Blob]) -> list[tuple[str, Parts]]:
    if any(blob.packed for blob in group):
        return await asyncio.to_thread(_all_unpacked, group)
    return _all_unpacked(group)


def _all_unpacked(group: Sequence[_Blob]) -> list[tuple[str, Parts]]:
    return [(blob.sha256, blob.unpacked()) for blob in group]


def _check(size: int, sent: int, packed: int, left: int, count: int) -> None:
    if max(size, sent) > MAX_BATCHED_BYTES or count >= MAX_BATCH_BLOBS:
        raise Refused(
            ErrorCode.TOO_LARGE,
            f"A batch has at most {MAX_BATCH_BLOBS} blobs, each of at most {MAX_BATCHED_BYTES} bytes.",
        )
    if packed not in (0, 1) or (not packed and size != sent) or _HEAD.size + sent > left:
        raise _bad("the lengths of its blobs do not fit")


def _unpack(data: bytes, size: int) -> bytes:
    """Return what was compressed, without ever taking more memory than ``size`` bytes for it."""
    try:
        # The decompressor believes what the data itself says of its length.
        if zstandard.frame_content_size(data) != size:
            raise _bad("a compressed blob is of another length than announced")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise _bad(f"a blob cannot be decompressed: {error}") from error


def _bad(problem: str) -> Refused:
    return Refused(ErrorCode.BAD_REQUEST, f"The body is no batch of blobs: {problem}; send it again.")
