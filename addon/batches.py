"""Blobs in batches: several travel in one request.  docs/PROTOCOL.md describes the body."""

import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

try:
    import zstandard
except ImportError:  # some builds of Blender come without it
    zstandard = None  # type: ignore[assignment]  # only ever compared with None

#: A batch is closed when it has so many bytes, before they are compressed, or so many blobs.
BATCH_BYTES, BATCH_BLOBS = 8 * 1024 * 1024, 1000

#: Shorter runs of bytes are put together before they are sent: each costs a call of the system.
_SHORT_BYTES = 64 * 1024

#: Stronger ones are slower than a fast line.
_LEVEL = 1

#: So many bytes from the middle of a blob tell whether it can be compressed.
_SAMPLE_BYTES = 64 * 1024

#: Compressed bytes are sent when they are less than this part of the blob's.
_WORTH_IT = 0.95

#: How much a new measurement counts against those before it.
_NEWEST = 0.2

#: Digest, how the bytes are sent (0: as they are, 1: compressed with Zstandard), their number once unpacked, and sent.
_HEAD = struct.Struct(">32sBII")

T = TypeVar("T")

Bytes: TypeAlias = bytes | bytearray | memoryview


def in_batches(sized: Iterable[tuple[int, T]]) -> Iterator[list[T]]:
    """Yield things, each given with its bytes, in lists that are each sent together."""
    batch: list[T] = []
    total = 0
    for size, thing in sized:
        if batch and (total + size > BATCH_BYTES or len(batch) == BATCH_BLOBS):
            yield batch
            batch, total = [], 0
        batch.append(thing)
        total += size
    if batch:
        yield batch


def joined(runs: Iterable[Bytes]) -> Iterator[memoryview]:
    """Yield runs of bytes in fewer ones; long ones as they are."""
    short = bytearray()
    for run in runs:
        if len(run) < _SHORT_BYTES:
            short += run
        if short and (len(run) >= _SHORT_BYTES or len(short) >= _SHORT_BYTES):
            yield memoryview(short)
            short = bytearray()
        if len(run) >= _SHORT_BYTES:
            yield memoryview(run)
    if short:
        yield memoryview(short)


class Packing:
    """Puts blobs into a batch's form, compressed where that takes less time than it saves on the line.

    For several threads: what each of them finds out about the line holds for all.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sending = 0.0
        """Bytes a second of one connection; 0: not known yet."""

    def sent(self, size: int, seconds: float) -> None:
        """Take note of how long a connection took for so many bytes."""
        rate = size / max(seconds, 1e-6)
        with self._lock:
            self._sending = rate if not self._sending else self._sending + _NEWEST * (rate - self._sending)

    def record(self, digest: bytes, data: Bytes) -> Sequence[Bytes]:
        """Return a blob as a batch has it, in one or more runs of bytes."""
        sent: Bytes = data
        packed = 0
        if self._pays(data):
            smaller = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
            if len(smaller) < _WORTH_IT * len(data):
                sent, packed = smaller, 1
        return _HEAD.pack(digest, packed, len(data), len(sent)), sent

    def _pays(self, data: Bytes) -> bool:
        """Tell whether to compress: on trial, the seconds it takes are fewer than those it saves."""
        if zstandard is None:
            return False
        if len(data) <= 2 * _SAMPLE_BYTES:
            return True
        middle = (len(data) - _SAMPLE_BYTES) // 2
        sample = data[middle : middle + _SAMPLE_BYTES]
        began = time.perf_counter()
        part = len(zstandard.ZstdCompressor(level=_LEVEL).compress(sample)) / _SAMPLE_BYTES
        seconds = time.perf_counter() - began
        with self._lock:
            return part < _WORTH_IT and seconds * self._sending < (1 - part) * _SAMPLE_BYTES
