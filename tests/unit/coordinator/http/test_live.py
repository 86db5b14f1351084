"""The stream of events, without sockets."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from coordinator.db.engine import Notice
from coordinator.http.live import KEEP_ALIVE, MAX_KEPT, MAX_WAITING, STEADY_OF_AGENT, STEADY_OF_JOB, Client, LiveStream

HELLO = b"event: hello\ndata: {}\n\n"

View = msgspec.defstruct(
    "View", [("id", int), ("state", str, "new"), *((name, str, "same") for name in {*STEADY_OF_JOB, *STEADY_OF_AGENT})]
)


def stream(reads: list[tuple[str, list[int]]], *, broken: bool = False, gone: Sequence[int] = ()) -> LiveStream:
    """Return a stream that notes what it reads."""

    async def read_jobs(ids: Sequence[int]) -> Sequence[Any]:
        reads.append(("job", list(ids)))
        if broken:
            raise ValueError
        return [View(number) for number in ids if number not in gone]

    async def read_agents(ids: Sequence[int]) -> Sequence[Any]:
        reads.append(("agent", list(ids)))
        return [View(number) for number in ids]

    async def read_frames(frames: Sequence[tuple[int, int]]) -> Sequence[Any]:
        reads.append(("frame", [number for _, number in frames]))
        return [{"job": job, "frame": number} for job, number in frames]

    return LiveStream(read_jobs, read_agents, read_frames)


async def test_a_client_begins_with_hello_and_then_gets_comments() -> None:
    client = Client([HELLO], lambda: HELLO)
    assert await client.take(1) == HELLO
    assert await client.take(0.001) == KEEP_ALIVE
    client.add(b"a")
    client.add(b"b")
    assert await client.take(1) == b"ab"


async def test_a_slow_client_is_told_to_fetch_everything() -> None:
    client = Client([HELLO], lambda: HELLO)
    for _ in range(MAX_WAITING * 3):
        client.add(b"event")
    waiting = await client.take(1)
    assert waiting.startswith(HELLO)
    assert waiting.count(b"event") - HELLO.count(b"event") < MAX_WAITING


def last_id(events: bytes) -> str:
    """Return the number of the last event, as a browser would send it."""
    return events.rpartition(b"id: ")[2].partition(b"\n")[0].decode()


async def told(live: LiveStream, *notices: Notice) -> None:
    """Have changes told."""
    for notice in notices:
        live.on_notice(notice)
    await live.flush()


async def test_a_stream_that_was_cut_goes_on_behind_what_was_told() -> None:
    live = stream([])
    client = live.connect()
    await told(live, Notice("job", 1))
    had = last_id(await client.take(1))
    live.disconnect(client)
    await told(live, Notice("job", 2))
    await told(live, Notice("job", 3))
    resumed = await live.connect(had).take(1)
    assert resumed.startswith(b"event: resumed\n")
    assert b'"id":1' not in resumed
    assert [b'"id":2' in resumed, b'"id":3' in resumed] == [True, True]
    nothing_new = await live.connect(last_id(resumed)).take(1)
    assert nothing_new == b"event: resumed\ndata: {}\n\n"


async def test_what_cannot_be_resumed_is_fetched_anew() -> None:
    live = stream([])
    client = live.connect()
    had = last_id(await client.take(1))
    for strange in ("", "x", "0-0", f"{had}9", f"{had}-1", last_id(await stream([]).connect().take(1))):
        assert HELLO in await live.connect(strange).take(1), strange
    for number in range(MAX_KEPT + 1):
        await told(live, Notice("job", number + 1))
    assert HELLO in await live.connect(had).take(1)


async def test_what_seldom_changes_is_told_once() -> None:
    live = stream([])
    client = live.connect()
    await client.take(1)
    await told(live, Notice("job", 1), Notice("agent", 1))
    first = await client.take(1)
    await told(live, Notice("job", 1), Notice("agent", 1))
    second = await client.take(1)
    assert b'"pack":"same"' in first
    assert b'"hardware":"same"' in first
    assert second.count(b'"state":"new"') == 2
    job, agent = second.split(b"event: agent")
    assert not any(f'"{name}":'.encode() in job for name in STEADY_OF_JOB)
    assert not any(f'"{name}":'.encode() in agent for name in STEADY_OF_AGENT)


async def test_a_job_that_is_gone_is_told() -> None:
    live = stream([], gone=[7])
    client = live.connect()
    await client.take(1)
    await told(live, Notice("job", 7), Notice("job", 8))
    assert b'event: job_gone\ndata: {"id":7}\n\n' in await client.take(1)


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
    await told(live, Notice("job", 1))
    assert reads == []


async def test_what_cannot_be_read_is_a_gap(caplog: pytest.LogCaptureFixture) -> None:
    live = stream([], broken=True)
    client = live.connect()
    await client.take(1)
    task = asyncio.create_task(live.run())
    live.on_notice(Notice("job", 1))
    assert HELLO in await client.take(10)
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
