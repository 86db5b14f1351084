"""Batches: the body in which many blobs travel together (docs/PROTOCOL.md, "Batches")."""

import asyncio
import struct
from collections.abc import AsyncIterator

import zstandard
from aiohttp import StreamReader

from coordinator.protocol import ErrorCode
from coordinator.services.errors import Refused

#: The longest blob in a batch, in bytes; longer ones travel alone.
MAX_BATCHED_BYTES = 8 * 1024 * 1024
#: The longest batch, in bytes as it travels, and the most blobs in one.
MAX_BATCH_BYTES, MAX_BATCH_BLOBS = 64 * 1024 * 1024, 10_000
#: Blobs are handed on in groups of so many bytes: this is what a batch takes of the memory, whatever its length.
_GROUP_BYTES = 2 * 1024 * 1024

#: Digest, how the bytes are sent (0: as they are, 1: compressed with Zstandard), their number once unpacked, and sent.
_HEAD = struct.Struct(">32sBII")


async def read_groups(content: StreamReader, length: int) -> AsyncIterator[list[tuple[str, bytes]]]:
    """Yield the blobs of a batch of ``length`` bytes, digest and bytes, in groups.

    Raises:
        Refused: TOO_LARGE; BAD_REQUEST, it is no batch.
    """
    group: list[tuple[str, bytes]] = []
    held = count = 0
    left = length
    while left:
        try:
            sha256, packed, size, sent = _HEAD.unpack(await content.readexactly(_HEAD.size))
            _check(size, sent, packed, left, count)
            data = await content.readexactly(sent)
        except asyncio.IncompleteReadError as error:
            raise _bad("it ends amid a blob") from error
        left -= _HEAD.size + sent
        count += 1
        if packed:
            data = await asyncio.to_thread(_unpack, data, size)
        group.append((sha256.hex(), data))
        held += size
        if held >= _GROUP_BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


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
