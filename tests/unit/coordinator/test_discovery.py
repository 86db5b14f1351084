"""What a coordinator announces of itself, and where."""

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest

from coordinator import discovery
from coordinator.discovery import announced, reachable_addresses, service_info
from coordinator.protocol.announcement import Announcement, read_announcement
from coordinator.settings import Settings, read_settings


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that other machines could reach."""
    with socket.socket() as bound:
        bound.bind(("0.0.0.0", 0))  # noqa: S104 - nothing listens on it
        yield bound


def test_what_only_this_machine_reaches_is_not_announced() -> None:
    assert reachable_addresses("127.0.0.1") == []
    assert reachable_addresses("::1") == []
    assert reachable_addresses("192.0.2.7") == ["192.0.2.7"]
    everywhere = reachable_addresses("0.0.0.0")  # noqa: S104 - not bound
    assert not any(address.startswith("127.") or ":" in address for address in everywhere)


def test_the_announcement_names_the_machine_and_the_version() -> None:
    info = service_info(Settings(public_url="https://farm.example.com/"), ["192.0.2.7"], 8420, "1.2")
    assert info.type == "_renderfarm._tcp.local."
    assert (info.port, info.parsed_addresses()) == (8420, ["192.0.2.7"])
    said = read_announcement(info.properties)
    assert said == Announcement(name=socket.gethostname(), version="1.2", url="https://farm.example.com")


async def test_a_network_without_multicast_is_a_warning_and_no_error(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = asyncio.Event()

    def no_network() -> None:
        tried.set()
        raise OSError(19, "No such device")

    monkeypatch.setattr(discovery, "AsyncZeroconf", no_network)
    monkeypatch.setattr(discovery, "reachable_addresses", lambda _host: ["192.0.2.7"])
    with caplog.at_level(logging.WARNING):
        async with announced(Settings(), listener, "1"), asyncio.timeout(10):
            await tried.wait()
    [record] = caplog.records
    assert "--coordinator" in record.message


async def test_announcing_can_be_left(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "AsyncZeroconf", None)
    async with announced(read_settings({"RENDERFARM_ANNOUNCE": "0"}), listener, "1"):
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "announcement"]
