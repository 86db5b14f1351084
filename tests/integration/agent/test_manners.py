"""An agent as a guest, with real Blender: it rests, it stops as it is told, and its frames outlive it."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest

from agent import rest
from agent.gpus import Card, Gpus
from agent.rest import Manners, RestWatch
from agent.settings import AgentSettings
from coordinator.protocol import ReportRequest
from tests.integration.agent.agents import A_WHILE, FOREVER, agent_of, blender_pid, waiting_frames
from tests.integration.agent.stand_in import StandIn

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agent")]


class Keyboard:
    """Tells whatever a test wants it to."""

    name = "a keyboard"
    idle = 3600.0

    def idle_seconds(self) -> float | None:
        return self.idle


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Keyboard:
    """Have agents watch nothing but this, and often."""
    found = Keyboard()

    def watch(manners: Manners, _gpus: Gpus, _cards: Sequence[Card], _environment: Mapping[str, str]) -> RestWatch:
        return RestWatch(manners, [found], None)

    monkeypatch.setattr(rest, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr("agent.daemon.watch_machine", watch)
    return found


def with_manners(settings: AgentSettings, *, at_once: bool = False) -> AgentSettings:
    return dataclasses.replace(settings, manners=Manners(idle_seconds=600.0, at_once=at_once))


async def test_agent_rests_while_somebody_works_and_goes_on_later(
    farm: StandIn, settings: AgentSettings, scene: bytes, keyboard: Keyboard
) -> None:
    pack = farm.add_pack(scene=scene)
    await farm.offer("one", pack, *range(1, 9), samples=A_WHILE)
    async with agent_of(with_manners(settings)) as (agent, _):
        rendering = await until_rendering(farm)
        session = psutil.Process(blender_pid(agent))
        keyboard.idle = 0.0
        await farm.until_seen(lambda: farm.asked[-1].resting is not None)
        assert farm.asked[-1].resting == "Someone is using this machine."
        assert (farm.asked[-1].open_pack, farm.asked[-1].busy_seconds) == (None, 0.0)
        await farm.until_released("one")
        done = sorted(frame for _, frame in farm.frames)
        assert rendering.frame in done, "the frame being rendered is finished"
        assert len(done) < 8, "and not all others are"
        assert farm.leases["one"].reports[-1].failures == []
        # Whoever works there has the memory of Blender.
        await asyncio.to_thread(session.wait, 60)
        keyboard.idle = 3600.0
        await farm.until_seen(lambda: farm.asked[-1].resting is None)
        await farm.offer("two", pack, 9)
        await farm.until(("two", 9))


async def test_agent_drops_its_frame_at_once_where_it_is_asked_to(
    farm: StandIn, settings: AgentSettings, scene: bytes, keyboard: Keyboard
) -> None:
    await farm.offer("one", farm.add_pack(scene=scene), 1, samples=FOREVER)
    async with agent_of(with_manners(settings, at_once=True)):
        await until_rendering(farm)
        keyboard.idle = 0.0
        await farm.until_released("one")
        await farm.until_seen(lambda: farm.asked[-1].resting is not None)
    assert farm.leases["one"].reports[-1].failures == [], "it is nobody's failure"
    assert farm.frames == {}


async def test_agent_that_is_started_while_somebody_works_asks_for_nothing(
    farm: StandIn, settings: AgentSettings, keyboard: Keyboard
) -> None:
    keyboard.idle = 0.0
    async with agent_of(with_manners(settings)):
        await farm.until_true("asked")
    assert all(request.resting for request in farm.asked)


async def until_rendering(farm: StandIn) -> ReportRequest:
    """Wait for the report that a frame of lease "one" has begun, and return it."""

    def begun() -> list[ReportRequest]:
        reports = farm.leases["one"].reports if "one" in farm.leases else []
        return [report for report in reports if report.frame is not None]

    await farm.until_seen(lambda: bool(begun()))
    return begun()[0]


class Command:
    """The real command, in a terminal of its own."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self.said = ""
        self._heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(terminal, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # nobody has it open any more
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._terminal)
        self.said += data.decode(errors="replace")
        self._heard.set()

    async def until_said(self, words: str) -> None:
        """Wait until it has printed some words."""
        while words not in self.said:
            self._heard.clear()
            await self._heard.wait()

    def press_ctrl_c(self) -> None:
        """Type it; the terminal makes a signal of it, for all that runs there."""
        os.write(self._terminal, b"\x03")

    async def ended(self) -> int:
        """Wait for it to end and return its exit code."""
        async with asyncio.timeout(120):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def command(settings: AgentSettings, **variables: str) -> AsyncIterator[Command]:
    """Run ``renderfarm agent`` as a person at a terminal does, or a service manager with variables of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RENDERFARM_")} | variables
    outside, inside = os.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        # The terminal is its own: what is typed there reaches it and its family.
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])",
        *(sys.executable, "-m", "renderfarm", "agent", "--blender", "bpy", "--device", "CPU", "--threads", "1"),
        *("--coordinator", settings.coordinator, "--join-token", settings.join_token),
        *("--name", settings.name, "--dir", str(settings.folder)),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=environment,
        start_new_session=True,
    )
    os.close(inside)
    running = Command(process, outside)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(outside)
        os.close(outside)


async def test_ctrl_c_once_finishes_the_frame_and_leaves(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    await farm.offer("one", farm.add_pack(scene=scene), *range(1, 30), samples=A_WHILE)
    async with command(settings) as agent:
        rendering = await until_rendering(farm)
        agent.press_ctrl_c()
        await agent.until_said("Ctrl-C, or SIGTERM, once more stops at once")
        assert await agent.ended() == 0
    assert farm.left
    assert farm.leases["one"].released
    assert ("one", rendering.frame) in farm.frames
    assert len(farm.frames) < 29


@pytest.mark.parametrize("by", ["Ctrl-C", "SIGTERM"])
async def test_ctrl_c_twice_stops_at_once(farm: StandIn, settings: AgentSettings, scene: bytes, by: str) -> None:
    await farm.offer("one", farm.add_pack(scene=scene), 1, samples=FOREVER)
    async with command(settings) as agent:
        await until_rendering(farm)
        family = await asyncio.to_thread(psutil.Process(agent.process.pid).children, recursive=True)
        if by == "Ctrl-C":
            agent.press_ctrl_c()
        else:
            agent.process.send_signal(signal.SIGTERM)
        await agent.until_said("once more stops at once")
        # It goes on rendering: reports keep coming.
        reports = len(farm.leases["one"].reports)
        await farm.until_seen(lambda: len(farm.leases["one"].reports) > reports + 2)
        agent.press_ctrl_c()
        assert await agent.ended() == 1
        await agent.until_said("Stopped at once; the frame being rendered is lost.")
    _, alive = await asyncio.to_thread(psutil.wait_procs, family, 60)
    assert family
    assert alive == [], "Blender went with it"
    assert farm.frames == {}


async def test_ctrl_c_while_it_waits_for_a_coordinator(settings: AgentSettings) -> None:
    nobody = dataclasses.replace(settings, coordinator="http://127.0.0.1:9")
    async with command(nobody) as agent:
        await agent.until_said("Trying again until it answers")
        agent.press_ctrl_c()
        assert await agent.ended() == 0
    assert "frames being rendered" not in agent.said


async def test_frames_of_an_agent_that_was_killed_while_the_coordinator_was_away_are_delivered_by_the_next(
    farm: StandIn, settings: AgentSettings, scene: bytes
) -> None:
    farm.faults["PUT leases/one/frames"] = [(503, "internal")] * 1000
    await farm.offer("one", farm.add_pack(scene=scene), *range(1, 5), samples=A_WHILE)
    async with command(settings) as agent:
        while len(await waiting_frames(settings)) < 2:
            await farm.until_report("one")
        agent.process.kill()
        assert await agent.ended() == -signal.SIGKILL
    notes = await waiting_frames(settings)
    kept = {int(note.parent.name): await asyncio.to_thread(read_picture, note) for note in notes}
    assert len(kept) >= 2
    assert farm.frames == {}
    farm.faults.clear()
    farm.asked.clear()
    async with command(settings):
        await farm.until(*(("one", frame) for frame in kept))
        await farm.until_true("asked")  # which it does when all of them are delivered
    # The very pictures, not rendered anew.
    for frame, picture in kept.items():
        assert farm.uploads[farm.frames["one", frame].output.sha256] == picture
    assert await waiting_frames(settings) == []


def read_picture(note: Path) -> bytes:
    """Return the picture that a note is about."""
    [picture] = note.parent.glob("frame.*")
    return picture.read_bytes()


async def test_service_manager_hears_what_the_agent_does(
    farm: StandIn, settings: AgentSettings, scene: bytes, tmp_path: Path
) -> None:
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)

        async def until_heard(line: str) -> None:
            while line not in heard:
                heard.extend((await loop.sock_recv(manager, 4096)).decode().splitlines())

        await farm.offer("one", farm.add_pack(scene=scene), 1, 2, samples=A_WHILE)
        async with command(settings, NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="200000") as agent:
            await until_heard("STATUS=Rendering on 1 of 1 slots.")
            assert heard[0] == "READY=1"
            assert f"STATUS=Joining the farm at {settings.coordinator}." in heard
            assert heard.count("WATCHDOG=1") >= 3
            agent.process.terminate()
            await until_heard("STOPPING=1")
            assert await agent.ended() == 0
    log = await asyncio.to_thread((settings.folder / "logs" / "agent.log").read_text)
    assert "INFO Joined the farm" in log
    assert "INFO Left the farm." in log
