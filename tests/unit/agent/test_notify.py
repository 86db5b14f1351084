"""What systemd hears from an agent: over a real socket, without systemd."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.notify import ServiceManager


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket as systemd has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.setblocking(False)
        yield found


async def heard(listener: socket.socket) -> list[str]:
    """Return the lines of the next message."""
    async with asyncio.timeout(10):
        return (await asyncio.get_running_loop().sock_recv(listener, 4096)).decode().splitlines()


@contextlib.asynccontextmanager
async def telling(manager: ServiceManager, status: list[str]) -> AsyncIterator[None]:
    """Have it told of the last status there is."""
    task = asyncio.create_task(manager.keep_told(lambda: status[-1]))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_beginning_and_end(listener: socket.socket) -> None:
    manager = ServiceManager(listener.getsockname())
    manager.ready()
    assert await heard(listener) == ["READY=1"]
    manager.stopping()
    assert await heard(listener) == ["STOPPING=1"]


async def test_status_is_told_when_it_changes_and_signs_of_life_again_and_again(listener: socket.socket) -> None:
    status = ["Rendering on 1 of 2 slots."]
    async with telling(ServiceManager(listener.getsockname(), watchdog_seconds=0.02), status):
        assert await heard(listener) == ["STATUS=Rendering on 1 of 2 slots.", "WATCHDOG=1"]
        assert await heard(listener) == ["WATCHDOG=1"]
        status.append("Rendering on 2 of 2 slots.")
        while (lines := await heard(listener)) == ["WATCHDOG=1"]:
            pass
        assert lines == ["STATUS=Rendering on 2 of 2 slots.", "WATCHDOG=1"]


async def test_status_alone_where_no_signs_of_life_are_wanted(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.notify.STATUS_SECONDS", 0.001)
    status = ["one"]
    async with telling(ServiceManager(listener.getsockname()), status):
        assert await heard(listener) == ["STATUS=one"]
        status.append("two")
        assert await heard(listener) == ["STATUS=two"]


async def test_nobody_listens(tmp_path: Path) -> None:
    await ServiceManager().keep_told(lambda: "nothing")
    gone = ServiceManager(str(tmp_path / "gone"), watchdog_seconds=60.0)
    gone.ready()
    async with telling(gone, ["something"]):
        await asyncio.sleep(0)


async def test_environment_is_read_once_and_not_handed_on() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # the kernel gives it an abstract name
        listener.setblocking(False)
        environment = {
            "NOTIFY_SOCKET": "@" + listener.getsockname()[1:].decode(),
            "WATCHDOG_USEC": "20000",
            "WATCHDOG_PID": str(os.getpid()),
            "HOME": "/tmp",  # noqa: S108 - a value
        }
        async with telling(ServiceManager.of(environment), ["here"]):
            assert await heard(listener) == ["STATUS=here", "WATCHDOG=1"]
        assert environment == {"HOME": "/tmp"}  # noqa: S108 - likewise


async def test_signs_of_life_that_are_meant_for_another_process_are_not_given(listener: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
    async with telling(ServiceManager.of(environment), ["here"]):
        assert await heard(listener) == ["STATUS=here"]
