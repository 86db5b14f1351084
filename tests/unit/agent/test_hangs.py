"""Children that hang, each in a way of its own: real processes, none of them Blender."""

import asyncio
import logging
import signal
import subprocess
from pathlib import Path

import pytest

from agent.blender.output import Progress
from agent.blender.session import Limits, Session, SessionError
from agent.blender.vitals import ask_for_stacks, describe, read_vitals
from agent.blender.watchdog import Patience
from tests.unit.agent.blenders import child

pytestmark = pytest.mark.slow  # they take seconds to be sure

STACKS = "import faulthandler\nfaulthandler.register(signal.SIGUSR1, file=2, all_threads=True)\n"
RENDER = "commands.readline()\n"


def limits(**patience: float) -> Limits:
    return Limits(start=20.0, close=0.5, patience=Patience(**{"look": 0.05, "idle": 60.0, "busy": 60.0, **patience}))


async def start(folder: Path, body: str, **patience: float) -> Session:
    session = await Session.start(child(folder, STACKS + body), folder / "log", limits())
    session._limits = limits(**patience)
    return session


async def hangs(session: Session, folder: Path, expected_seconds: float | None = None) -> SessionError:
    with pytest.raises(SessionError) as raised:
        await session.render(7, folder / "o", folder / "p", None, lambda _: None, expected_seconds)
    assert not session._process.running
    return raised.value


async def test_one_that_sleeps_is_killed_and_its_stack_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = "def wait_for_ever():\n    time.sleep(600)\n" + RENDER + "wait_for_ever()"
    error = await hangs(await start(tmp_path, body, idle=0.3), tmp_path)
    assert error.code == "hung"
    assert "while rendering frame 7: it has done nothing" in error.message
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    told = record.getMessage()
    assert "in wait_for_ever" in told
    assert "threads" in told
    assert "s of processor time" in told
    assert "MiB of memory" in told


async def test_one_that_was_stopped_still_tells_where_it_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    body = "def stop():\n    os.kill(os.getpid(), signal.SIGSTOP)\n    time.sleep(600)\n" + RENDER + "stop()"
    error = await hangs(await start(tmp_path, body, idle=0.3), tmp_path)
    assert error.code == "hung"
    assert "): stopped," in caplog.text
    assert "in stop" in caplog.text


async def test_one_that_turns_in_circles_is_given_longer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # The processor's share is what tells it from one that sleeps, which would be given up much sooner.
    body = "def turn():\n    while True:\n        pass\n" + RENDER + "turn()"
    error = await hangs(await start(tmp_path, body, look=0.3, idle=2.0, busy=2.5), tmp_path)
    assert error.code == "hung"
    assert "without getting any further" in error.message
    assert "in turn" in caplog.text


async def test_one_that_works_long_and_tells_of_it_is_left_alone(tmp_path: Path) -> None:
    body = (
        RENDER
        + """
for step in range(10):
    time.sleep(0.1)
    say(event="progress", progress=0.0, remaining_seconds=None, memory_bytes=1)
say(event="rendered", frame=7, seconds=1.0, output="o", memory_bytes=1)
commands.readline()
"""
    )
    session = await start(tmp_path, body, idle=0.6, busy=0.6)
    told: list[Progress] = []
    await session.render(7, tmp_path / "o", tmp_path / "p", None, told.append)
    assert len(told) == 10
    assert (await asyncio.to_thread(read_vitals, session._process.pid)).memory_bytes > 1_000_000
    await session.kill()


async def test_what_is_expected_to_take_long_may_be_silent_for_long(tmp_path: Path) -> None:
    body = (
        RENDER
        + """
until = time.monotonic() + 1
while time.monotonic() < until:
    pass
say(event="rendered", frame=7, seconds=1.0, output="o", memory_bytes=1)
commands.readline()
"""
    )
    session = await start(tmp_path, body, busy=0.1, times=10)
    await session.render(7, tmp_path / "o", tmp_path / "p", None, lambda _: None, 60.0)
    await session.kill()


async def test_a_start_that_hangs(tmp_path: Path) -> None:
    blender = child(tmp_path, "")
    blender.path.write_text("#!/bin/sh\nsleep 600\n")
    with pytest.raises(SessionError, match="while starting") as raised:
        await Session.start(blender, tmp_path / "log", limits(idle=0.3))
    assert raised.value.code == "hung"


def test_a_process_that_is_gone_has_no_vitals() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert read_vitals(process.pid).memory_bytes == 0
    assert describe(process.pid) == []
    assert not ask_for_stacks(process.pid)


def test_who_has_no_handler_is_not_asked_for_stacks() -> None:
    process = subprocess.Popen(["sleep", "600"])
    try:
        assert not ask_for_stacks(process.pid)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
