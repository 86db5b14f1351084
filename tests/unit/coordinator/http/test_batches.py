"""Blobs of a batch are read as they are, in whatever runs their bytes arrive."""

import asyncio
import hashlib
import itertools
import random
import struct

import pytest
import zstandard
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol

from coordinator.http import batches
from coordinator.http.batches import read_groups
from coordinator.services.errors import Refused

BLOBS = [b"", b"a", b"wood" * 50, bytes(range(256)), b"", bytes(700)]


def body_of(blobs: list[bytes]) -> bytes:
    """Return a batch; every other blob is compressed."""
    body = b""
    for number, data in enumerate(blobs):
        sent = zstandard.ZstdCompressor().compress(data) if number % 2 else data
        body += struct.pack(">32sBII", hashlib.sha256(data).digest(), number % 2, len(data), len(sent)) + sent
    return body


async def read(body: bytes, runs: list[int], length: int) -> list[list[tuple[str, bytes]]]:
    """Return the groups of a batch that arrives in runs of so many bytes, again and again."""
    content = StreamReader(BaseProtocol(asyncio.get_running_loop()), 2**16)
    start = 0
    for size in itertools.cycle(runs):
        if start >= len(body):
            break
        content.feed_data(body[start : start + size])
        start += size
    content.feed_eof()
    return [[(sha256, b"".join(parts)) for sha256, parts in group] async for group in read_groups(content, length)]


@pytest.mark.parametrize("runs", [[1], [41], [40, 1], [7, 300, 1], [100_000]])
async def test_blobs_come_as_they_were_sent(runs: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_GROUP_BYTES", 250)
    body = body_of(BLOBS)
    groups = await read(body, runs, len(body))
    assert [data for group in groups for _, data in group] == BLOBS
    assert all(hashlib.sha256(data).hexdigest() == name for group in groups for name, data in group)
    assert [len(group) for group in groups] == [4, 2], "a group ends when it has enough"


async def test_a_batch_that_ends_early_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_GROUP_BYTES", 1)
    body = body_of(BLOBS)
    for end in random.Random(1).sample(range(len(body)), 40):  # noqa: S311 - for test data
        with pytest.raises(Refused, match="ends amid"):
            await read(body[:end], [13], len(body))
