"""Who works at a machine: real terminals, and what logind, an X server, a Mac and NVIDIA's driver would say."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.card_use import CardUse, sees_processes
from agent.gpus import Gpus
from agent.hours import parse_hours
from agent.idleness import LoginSessions, MacInput, Terminals, XServer, ask_program, people_sources
from agent.rest import Manners, RestWatch
from tests.fakes.nvml import FakeCard, FakeNvml

NOW = 1_800_000_000.0


class Programs:
    """Answers instead of the programs that are asked."""

    def __init__(self, **answers: str | None) -> None:
        self.answers = answers

    def __call__(self, argv: Sequence[str]) -> str | None:
        name = argv[0] if argv[0] != "loginctl" else argv[1].replace("-", "_")
        return self.answers.get(name)


def session(kind: str, *, idle: bool = False, since: float = 0.0, state: str = "active", of: str = "user") -> str:
    """Return what ``loginctl show-session`` prints of a session that is idle since so many seconds ago."""
    microseconds = int((NOW - since) * 1e6) if since else 0
    return f"IdleHint={'yes' if idle else 'no'}\nIdleSinceHint={microseconds}\nType={kind}\nClass={of}\nState={state}\n"


def sessions(*shown: str, desktops: bool = True) -> float | None:
    listed = "".join(f"{number} 1000 ana seat0 tty2\n" for number, _ in enumerate(shown))
    programs = Programs(list_sessions=listed, show_session="\n".join(shown))
    return LoginSessions(programs, lambda: NOW, desktops=desktops).idle_seconds()


def test_desktop_that_does_not_say_that_nobody_is_there_is_used() -> None:
    assert sessions(session("wayland")) == 0.0
    assert sessions(session("wayland", idle=True, since=600.0)) == 600.0
    assert sessions(session("x11", idle=True, since=600.0), session("tty", since=90.0)) == 90.0
    assert sessions(session("x11"), desktops=False) == math.inf


def test_sessions_that_nobody_sits_before_do_not_count() -> None:
    assert sessions() == math.inf
    assert sessions(session("wayland", of="greeter"), session("wayland", state="online"), session("tty")) == math.inf
    assert sessions(session("tty", since=7.0, of="user-early")) == 7.0
    # Its clock was put back meanwhile.
    assert sessions(session("tty", since=-7.0)) == 0.0


def test_logind_that_does_not_answer_cannot_tell() -> None:
    assert LoginSessions(Programs(), lambda: NOW).idle_seconds() is None
    assert LoginSessions(Programs(list_sessions="1 0 root"), lambda: NOW).idle_seconds() is None


def test_session_that_ends_while_it_is_looked_at_hides_no_other() -> None:
    programs = Programs(show_session=session("tty", since=7.0))
    listed = ["1 0 root\n2 1000 ana\n", "2 1000 ana\n"]

    def ask(argv: Sequence[str]) -> str | None:
        if argv[1] == "list-sessions":
            return listed.pop(0)
        return None if "1" in argv else programs(argv)

    assert LoginSessions(ask, lambda: NOW).idle_seconds() == 7.0


def test_x_server_and_mac() -> None:
    assert XServer(Programs(xprintidle="90500\n")).idle_seconds() == 90.5
    assert XServer(Programs(xprintidle="couldn't open display")).idle_seconds() is None
    ioreg = '    |   "HIDServiceSupport" = Yes\n    |   "HIDIdleTime" = 90500000000\n'
    assert MacInput(Programs(ioreg=ioreg)).idle_seconds() == 90.5
    assert MacInput(Programs()).idle_seconds() is None


@pytest.fixture
def terminal() -> Iterator[tuple[int, int, str]]:
    """A terminal: the end that a person types into, the end that a program reads from, and its name."""
    typed, read = os.openpty()
    yield typed, read, os.ttyname(read)
    os.close(typed)
    os.close(read)


def test_what_is_typed_into_a_terminal_is_noticed_and_what_is_printed_is_not(
    terminal: tuple[int, int, str], tmp_path: Path
) -> None:
    typed, read, name = terminal
    devices = tmp_path / "dev"
    (devices / "pts").mkdir(parents=True)
    (devices / "pts" / "0").symlink_to(name)
    source = Terminals(time.time, devices)
    long_ago = time.time() - 1000
    os.utime(name, (long_ago, long_ago))
    os.write(read, b"frame 7 of 100\r\n")
    assert source.idle_seconds() == pytest.approx(1000, abs=20)
    os.write(typed, b"ls\n")
    assert os.read(read, 100) == b"ls\n"
    idle = source.idle_seconds()
    assert idle is not None
    assert idle < 20


def test_machine_without_terminals(tmp_path: Path) -> None:
    assert Terminals(time.time, tmp_path).idle_seconds() == math.inf


@pytest.mark.parametrize(
    ("platform", "environment", "programs", "names"),
    [
        ("linux", {}, Programs(), ["terminals"]),
        ("linux", {"DISPLAY": ":0"}, Programs(list_sessions=""), ["login sessions", "terminals"]),
        (
            "linux",
            {"DISPLAY": ":0"},
            Programs(list_sessions="", xprintidle="1"),
            ["the X server", "login sessions", "terminals"],
        ),
        ("linux", {}, Programs(list_sessions="", xprintidle="1"), ["login sessions", "terminals"]),
        ("darwin", {}, Programs(ioreg='"HIDIdleTime" = 1'), ["keyboard and mouse", "terminals"]),
    ],
)
def test_sources_that_can_tell_are_asked(
    platform: str, environment: dict[str, str], programs: Programs, names: list[str]
) -> None:
    assert [one.name for one in people_sources(environment, platform=platform, ask=programs)] == names


def test_desktop_is_left_to_the_x_server_where_that_tells() -> None:
    programs = Programs(list_sessions="1 a", show_session=session("x11"), xprintidle="60000")
    asked = people_sources({"DISPLAY": ":0"}, platform="linux", ask=programs, clock=lambda: NOW)
    assert [source.idle_seconds() for source in asked][:2] == [60.0, math.inf]


def test_programs_that_are_not_there_fail_or_hang_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_program([sys.executable, "-c", "print(7)"]) == "7\n"
    assert ask_program(["/nowhere/loginctl"]) is None
    assert ask_program([sys.executable, "-c", "raise SystemExit(1)"]) is None
    monkeypatch.setattr("agent.idleness._PATIENCE", 0.01)
    assert ask_program([sys.executable, "-c", "while True: pass"]) is None


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that is not the agent's: its parent has ended."""
    script = "import os, sys, time\nif os.fork(): os._exit(0)\nprint(os.getpid(), flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.wait()
        yield int(line)


def test_other_programs_that_compute_on_a_card(stranger: int) -> None:
    card, other = FakeCard(drawing={1: None}), FakeCard(bus=2)
    gpus = Gpus(FakeNvml(card, other).load)
    now = 0.0
    use = CardUse(gpus, gpus.cards[:1], lambda: now)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as own:
        card.processes = {own.pid: 5, os.getpid(): None}
        other.processes = {stranger: 5}
        assert use.idle_seconds() == math.inf, "its own, a desktop's, and those on cards it has not"
        own.communicate()
    # The driver forgets slowly.
    assert use.idle_seconds() == math.inf
    card.processes = {stranger: None}
    assert use.idle_seconds() == 0.0
    card.processes = {}
    now = 50.0
    assert use.idle_seconds() == 50.0


def test_own_process_that_has_lost_its_parent_stays_our_own(stranger: int, monkeypatch: pytest.MonkeyPatch) -> None:
    card = FakeCard(processes={stranger: None})
    gpus = Gpus(FakeNvml(card).load)
    use = CardUse(gpus, gpus.cards)
    with monkeypatch.context() as earlier:
        earlier.setattr("agent.card_use._family", lambda: {stranger})
        assert use.idle_seconds() == math.inf
    assert use.idle_seconds() == math.inf


def test_process_ids_of_the_driver_mean_nothing_in_a_container(tmp_path: Path) -> None:
    (tmp_path / "machine").symlink_to("pid:[4026531836]")
    (tmp_path / "container").symlink_to("pid:[4026532201]")
    assert sees_processes(tmp_path / "machine")
    assert not sees_processes(tmp_path / "container")
    assert not sees_processes(tmp_path / "nothing")


class Idle:
    """A source that says what a test wants."""

    name = "a test"

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds

    def idle_seconds(self) -> float | None:
        return self.seconds


async def test_why_an_agent_rests() -> None:
    moment = datetime(2026, 11, 23, 9, tzinfo=UTC)
    hours = parse_hours("19:00-07:00", UTC)
    person, silent, program = Idle(60.0), Idle(None), Idle(900.0)
    watch = RestWatch(Manners(hours, idle_seconds=600.0), [silent, person], program, lambda: moment)
    assert await watch.look() == "Outside its hours until 19:00."
    moment = moment.replace(hour=19)
    assert await watch.look() == "Someone is using this machine."
    person.seconds = 600.0
    assert await watch.look() is None
    program.seconds = 0.0
    assert await watch.look() == "Another program is using the graphics card."
    # Who was not asked to care does not.
    assert await RestWatch(Manners(hours), [Idle(0.0)], Idle(0.0), lambda: moment).look() is None
