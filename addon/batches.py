"""Blobs in batches: many small ones travel in one request.  docs/PROTOCOL.md describes the body."""

import struct
from collections.abc import Iterable, Iterator

from .blobs import Blob

try:
    import zstandard
except ImportError:  # some builds of Blender come without it
    zstandard = None  # type: ignore[assignment]  # only ever compared with None

#: A batch is closed when it has so many bytes, before they are compressed, or so many blobs.
BATCH_BYTES, BATCH_BLOBS = 2 * 1024 * 1024, 1000

#: Stronger ones are slower than a fast line.
_LEVEL = 1

#: Compressed bytes are sent when they are less than this part of the blob's.
_WORTH_IT = 0.95

#: Digest, how the bytes are sent (0: as they are, 1: compressed with Zstandard), their number once unpacked, and sent.
_HEAD = struct.Struct(">32sBII")


def in_batches(blobs: Iterable[Blob]) -> Iterator[list[Blob]]:
    """Yield the blobs in lists that are each sent together."""
    batch: list[Blob] = []
    size = 0
    for blob in blobs:
        if batch and (size + blob.size > BATCH_BYTES or len(batch) == BATCH_BLOBS):
            yield batch
            batch, size = [], 0
        batch.append(blob)
        size += blob.size
    if batch:
        yield batch


def record(sha256: str, data: bytes) -> bytes:
    """Return a blob as a batch has it."""
    sent, packed = data, 0
    if zstandard is not None:
        smaller = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
        if len(smaller) < _WORTH_IT * len(data):
            sent, packed = smaller, 1
    return _HEAD.pack(bytes.fromhex(sha256), packed, len(data), len(sent)) + sent
