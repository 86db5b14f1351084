"""Settings, identity, hardware and backoff: what an agent knows of itself."""

import re
import shutil
import stat
from pathlib import Path
from random import Random

import pytest

from agent.backoff import FIRST_DELAY, Backoff, Repeater
from agent.client import RetryError
from agent.devices import Wish
from agent.hours import parse_hours
from agent.identity import AgentFolder, IdentityError
from agent.rest import Manners
from agent.settings import SettingsError, read_settings
from coordinator.protocol import Device

RANDOM = Random(1)  # noqa: S311 - jitter, not a secret


def test_options_win_over_variables_and_those_over_defaults(tmp_path: Path) -> None:
    environment = {
        "RENDERFARM_COORDINATOR": "https://farm.example.com/",
        "RENDERFARM_SLOTS": "2",
        "RENDERFARM_TAGS": "gpu, big ,",
        "RENDERFARM_POOLS": "lighting,lighting,fx",
        "RENDERFARM_ENGINES": "cycles, BLENDER_EEVEE_NEXT,EEVEE",
        "RENDERFARM_THREADS": "",
        "RENDERFARM_DEVICE": "optix",
    }
    settings = read_settings(environment, {"slots": "3", "dir": str(tmp_path), "name": "box", "threads": None})
    assert settings.coordinator == "https://farm.example.com"
    assert (settings.tags, settings.threads) == (("gpu", "big"), None)
    assert settings.wish == Wish(Device.OPTIX, slots=3)
    assert (settings.pools, settings.engines) == (("lighting", "fx"), ("CYCLES", "EEVEE"))
    assert (settings.folder, settings.name, settings.blender) == (tmp_path, "box", None)
    assert (settings.frame_timeout, settings.cache_bytes) == (None, 50 * 1024**3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JOIN_CODE", "ABCD-EFG"),
        ("JOIN_CODE", "rf_join_x"),
        ("SLOTS", "0"),
        ("SLOTS", "many"),
        ("SLOTS", "1.5"),
        ("COORDINATOR", "farm:8420"),
        ("COORDINATOR", "ftp://farm"),
        ("DEVICE", "TPU"),
        ("DEVICE", "CPU:1"),
        ("DEVICE", "CUDA:1,"),
        ("DEVICES", "0-2"),
        ("GPUS_PER_SLOT", "0"),
        ("AGENT_NAME", "a/b"),
        ("AGENT_NAME", ".."),
        ("THREADS", "-1"),
        ("FRAME_TIMEOUT", "nan"),
        ("CACHE_GB", "inf"),
        ("SANDBOX", "yes"),
        ("HOURS", "Mon-Fry 19-7"),
        ("HOURS", "19:00"),
        ("WHEN_IDLE", "soon"),
        ("WHEN_IDLE", "0"),
        ("REST", "later"),
        ("TAGS", "a\tb"),
        ("POOLS", "p" * 201),
        ("ENGINES", ",".join(map(str, range(33)))),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"RENDERFARM_{name}.*{re.escape(repr(value)[1:-1])}") as raised:
        read_settings({f"RENDERFARM_{name}": value}, {})
    assert "\n" not in str(raised.value)


def test_manners() -> None:
    assert read_settings({}, {}).manners == Manners()
    environment = {"RENDERFARM_HOURS": "19-7", "RENDERFARM_WHEN_IDLE": "7.5", "RENDERFARM_REST": "AT-ONCE"}
    assert read_settings(environment, {}).manners == Manners(parse_hours("19-7"), idle_seconds=450.0, at_once=True)


@pytest.mark.parametrize(
    ("environment", "wish"),
    [
        ({}, Wish(None)),
        ({"DEVICE": "Auto", "SLOTS": "2"}, Wish(None, slots=2)),
        ({"DEVICE": "optix:2,0"}, Wish(Device.OPTIX, (2, 0))),
        ({"DEVICES": "0, 2", "GPUS_PER_SLOT": "2"}, Wish(None, (0, 2), gpus_per_slot=2)),
        ({"DEVICE": "CPU"}, Wish(Device.CPU)),
    ],
)
def test_what_is_asked_for_to_render_with(environment: dict[str, str], wish: Wish) -> None:
    assert read_settings({f"RENDERFARM_{name}": value for name, value in environment.items()}, {}).wish == wish


def test_devices_are_named_once() -> None:
    with pytest.raises(SettingsError, match="leave one of them out"):
        read_settings({"RENDERFARM_DEVICE": "CUDA:1", "RENDERFARM_DEVICES": "0"}, {})


def test_more_places_of_blenders() -> None:
    settings = read_settings({"RENDERFARM_BLENDER_PATHS": "/farm/*/blender::~/b/blender"}, {})
    assert settings.blender_paths == ("/farm/*/blender", "~/b/blender")


def test_identity_is_kept_for_each_coordinator_and_for_this_user_alone(tmp_path: Path) -> None:
    first = AgentFolder(tmp_path / "agent", "http://one:8420")
    first.claim()
    assert first.load() is None
    first.save(7, "rf_agent_secret", "ant")
    identity = first.load()
    assert identity is not None
    assert (identity.agent_id, identity.token, identity.name) == (7, "rf_agent_secret", "ant")
    assert AgentFolder(tmp_path / "agent", "http://two:8420").load() is None
    assert stat.S_IMODE((tmp_path / "agent").stat().st_mode) == 0o700
    (file,) = (tmp_path / "agent").rglob("identity.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"{")
    assert first.load() is None
    first.release()


def test_one_agent_for_each_folder(tmp_path: Path) -> None:
    first, second = AgentFolder(tmp_path, "http://one"), AgentFolder(tmp_path, "http://two")
    first.claim()
    with pytest.raises(IdentityError, match="Another agent"):
        second.claim()
    first.release()
    second.claim()
    second.release()
    (tmp_path / "file").touch()
    with pytest.raises(IdentityError, match="--dir"):
        AgentFolder(tmp_path / "file", "http://one").claim()


def test_agents_of_one_host_have_a_folder_each(tmp_path: Path) -> None:
    folders = [AgentFolder(tmp_path / "ant", "http://one") for _ in range(3)]
    assert [folder.claim_any() for folder in folders] == [1, 2, 3]
    assert [folder.root.name for folder in folders] == ["ant", "ant-2", "ant-3"]
    folders[1].save(2, "rf_agent_two", "ant-2")
    folders[1].release()
    # The next one to start takes the first that is free, and is who used it before.
    again = AgentFolder(tmp_path / "ant", "http://one")
    assert again.claim_any() == 2
    identity = again.load()
    assert identity is not None
    assert identity.name == "ant-2"
    for folder in (folders[0], folders[2], again):
        folder.release()


def test_an_agent_is_named_after_its_host_unless_it_is_given_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "ant")
    own = read_settings({}, {})
    assert (own.name, own.named, own.folder.name, own.folder_given) == ("ant", False, "ant", False)
    given = read_settings({"RENDERFARM_AGENT_NAME": "bee", "RENDERFARM_AGENT_DIR": "/tmp/x"}, {})  # noqa: S108 - a path
    assert (given.name, given.named, given.folder_given) == ("bee", True, True)
    assert own.coordinator == ""


def test_a_join_code_wins_over_a_join_token() -> None:
    token, code = "rf_join_x", "abcd efgh"
    assert read_settings({"RENDERFARM_JOIN_TOKEN": token, "RENDERFARM_JOIN_CODE": code}, {}).join_token == code
    assert read_settings({"RENDERFARM_JOIN_TOKEN": token, "RENDERFARM_JOIN_CODE": ""}, {}).join_token == token


def test_backoff_grows_to_its_limit_with_jitter() -> None:
    backoff = Backoff(RANDOM, first=0.5, longest=30.0)
    ceilings = [0.5, 1, 2, 4, 8, 16, 30, 30]
    delays = [backoff.next_delay() for _ in ceilings]
    assert all(ceiling / 2 <= delay <= ceiling for delay, ceiling in zip(delays, ceilings, strict=True))
    other = Backoff(RANDOM)
    assert delays != [other.next_delay() for _ in ceilings]


async def test_calls_are_repeated_until_they_are_answered(caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []
    answers: list[Exception | str] = [RetryError("Away."), RetryError("Away."), "here"]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await Repeater(RANDOM, sleep).until_answered(call) == "here"
    assert len(slept) == 2
    assert slept[0] < slept[1]
    assert caplog.text.count("Away.") == 1


async def test_call_that_gets_further_does_not_wait_longer() -> None:
    slept: list[float] = []
    answers = [RetryError("Cut.", progressed=True)] * 8

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def call() -> str:
        if answers:
            raise answers.pop()
        return "here"

    await Repeater(RANDOM, sleep).until_answered(call)
    assert max(slept) <= FIRST_DELAY


def test_folder_that_went_away_is_a_sentence(tmp_path: Path) -> None:
    folder = AgentFolder(tmp_path / "agent", "http://one")
    folder.claim()
    try:
        shutil.rmtree(tmp_path / "agent")
        with pytest.raises(IdentityError, match="--dir"):
            folder.save(1, "rf_agent_one", "ant")
    finally:
        folder.release()
