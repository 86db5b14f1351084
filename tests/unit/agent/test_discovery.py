"""Which coordinator an agent takes of those that announce themselves."""

from pathlib import Path

import pytest

from agent.discovery import DiscoveryError, Found, addresses_of, choose
from agent.identity import AgentFolder, known_coordinators
from coordinator.protocol.announcement import Announcement, read_announcement

ONE, TWO = Found("ant", "http://10.0.0.1:8420", "1.0"), Found("bee", "http://10.0.0.2:8420", "1.0")


def test_the_only_coordinator_is_taken() -> None:
    assert choose([ONE], []) == ONE.url
    assert choose([ONE], ["http://10.0.0.9:8420"]) == ONE.url


def test_of_several_the_one_that_let_the_agent_in_is_taken() -> None:
    assert choose([ONE, TWO], ["http://10.0.0.9:8420", TWO.url, ONE.url]) == TWO.url
    with pytest.raises(DiscoveryError) as caught:
        choose([ONE, TWO], [])
    for words in (ONE.url, "on bee", "--coordinator", "RENDERFARM_COORDINATOR"):
        assert words in str(caught.value)


def test_without_any_the_agent_tries_where_it_was_last_and_else_this_machine() -> None:
    assert choose([], [TWO.url, ONE.url]) == TWO.url
    assert choose([], []) == "http://127.0.0.1:8420"


def test_the_coordinators_that_an_agent_has_met(tmp_path: Path) -> None:
    assert known_coordinators(tmp_path) == []
    folder = AgentFolder(tmp_path, ONE.url)
    folder.claim()
    assert known_coordinators(tmp_path) == []
    folder.save(1, "rf_agent_x", "ant")
    (tmp_path / "coordinators/broken").mkdir()
    (tmp_path / "coordinators/broken/identity.json").write_text("{")
    assert known_coordinators(tmp_path) == [ONE.url]
    folder.release()


@pytest.mark.parametrize("url", [None, "https://farm.example.com"])
def test_an_announcement_is_read_as_it_was_written(url: str | None) -> None:
    said = Announcement(name="ant.local", version="1.2.3", url=url)
    on_the_wire: dict[bytes, bytes | None] = {key.encode(): value.encode() for key, value in said.properties().items()}
    assert read_announcement(on_the_wire | {b"later": None}) == said


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {b"name": b"ant"},
        {b"name": b"", b"version": b"1"},
        {b"name": None, b"version": b"1"},
        {b"name": b"a\x1b[31m", b"version": b"1"},
        {b"name": b"\xff" * 300, b"version": b"1"},
        {b"name": b"ant", b"version": b"1", b"url": b"javascript:alert(1)"},
        {b"name": b"ant", b"version": b"1", b"url": b"https://ana:secret@farm"},
        {b"name": b"ant", b"version": b"1", b"url": b"http://farm/path"},
    ],
)
def test_what_no_coordinator_would_announce_is_left_alone(properties: dict[bytes, bytes | None]) -> None:
    assert read_announcement(properties) is None


def test_where_an_announced_coordinator_may_be() -> None:
    plain, behind = Announcement(name="ant", version="1"), Announcement(name="ant", version="1", url="https://farm")
    addresses = ["fe80::1%3", "fd00::2", "10.0.0.1"]
    assert addresses_of(plain, addresses, 8420) == ["http://10.0.0.1:8420", "http://[fd00::2]:8420"]
    assert addresses_of(behind, addresses, 8420) == ["https://farm"]
    assert addresses_of(plain, addresses, None) == []
