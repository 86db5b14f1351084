"""The stream of events, without sockets."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from coordinator.db.engine import Notice
from coordinator.http.live import HELLO, KEEP_ALIVE, MAX_WAITING, Client, LiveStream


def stream(reads: list[tuple[str, list[int]]], *, broken: bool = False) -> LiveStream:
    """Return a stream that notes what it reads."""

    async def read_jobs(ids: Sequence[int]) -> Sequence[Any]:
        reads.append(("job", list(ids)))
        if broken:
            raise ValueError
        return [{"id": number} for number in ids]

    async def read_agents(ids: Sequence[int]) -> Sequence[Any]:
        reads.append(("agent", list(ids)))
        return [{"id": number} for number in ids]

    async def read_frames(frames: Sequence[tuple[int, int]]) -> Sequence[Any]:
        reads.append(("frame", [number for _, number in frames]))
        return [{"job": job, "frame": number} for job, number in frames]

    return LiveStream(read_jobs, read_agents, read_frames)


async def test_a_client_begins_with_hello_and_then_gets_comments() -> None:
    client = Client()
    assert await client.take(1) == HELLO
    assert await client.take(0.001) == KEEP_ALIVE
    client.add(b"a")
    client.add(b"b")
    assert await client.take(1) == b"ab"


async def test_a_slow_client_is_told_to_fetch_everything() -> None:
    client = Client()
    for _ in range(MAX_WAITING * 3):
        client.add(b"event")
    waiting = await client.take(1)
    assert waiting.startswith(HELLO)
    assert waiting.count(b"event") - HELLO.count(b"event") < MAX_WAITING


async def test_many_changes_are_read_once_for_all_clients() -> None:
    reads: list[tuple[str, list[int]]] = []
    live = stream(reads)
    clients = [live.connect() for _ in range(3)]
    for _ in range(10):
        for notice in (Notice("job", 2), Notice("job", 1), Notice("agent", 5), Notice("frame", 1, 7, "finished")):
            live.on_notice(notice)
    live.on_notice(Notice("work"))
    await live.flush()
    assert reads == [("frame", [7]), ("job", [1, 2]), ("agent", [5])]
    for client in clients:
        events = await client.take(1)
        assert events.count(b"event: ") == 5
        assert b'event: frame\ndata: {"job":1,"frame":7}\n\n' in events


async def test_nothing_is_read_while_no_one_listens() -> None:
    reads: list[tuple[str, list[int]]] = []
    live = stream(reads)
    live.disconnect(live.connect())
    live.on_notice(Notice("job", 1))
    await live.flush()
    assert reads == []


async def test_what_cannot_be_read_is_a_gap(caplog: pytest.LogCaptureFixture) -> None:
    live = stream([], broken=True)
    client = live.connect()
    await client.take(1)
    task = asyncio.create_task(live.run())
    live.on_notice(Notice("job", 1))
    assert await client.take(10) == HELLO
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "live events could not be read" in caplog.text


async def test_closing_wakes_everyone() -> None:
    live = stream([])
    client = live.connect()
    await client.take(1)
    live.close()
    assert live.closed
    assert await client.take(10) == b""
