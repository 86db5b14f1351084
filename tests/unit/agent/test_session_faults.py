"""Sessions with children that misbehave: real processes, none of them Blender."""

import asyncio
import os
import select
import signal
from pathlib import Path

import pytest

from agent.blender import process
from agent.blender.locate import Blender
from agent.blender.output import MAX_LINE_BYTES, Progress
from agent.blender.session import Limits, Session, SessionError
from coordinator.protocol import ImageFormat, RenderSpec

HEAD = """#!/usr/bin/env python3
import json, os, signal, subprocess, sys, time
commands = os.fdopen(int(sys.argv[sys.argv.index("--commands-fd") + 1]), "r")
events = int(sys.argv[sys.argv.index("--events-fd") + 1])
def say(**event):
    os.write(events, (json.dumps(event) + "\\n").encode())
"""

READY = 'say(event="ready", blender=[4, 5, 0])\n'

SHORT = Limits(start=20.0, open=20.0, configure=20.0, render=20.0, close=0.5)


def child(tmp_path: Path, body: str) -> Blender:
    """Make an executable that behaves as ``body`` says."""
    path = tmp_path / "blender"
    path.write_text(HEAD + body)
    path.chmod(0o755)
    return Blender((4, 5, 0), "executable", path)


async def start(tmp_path: Path, body: str, limits: Limits = SHORT) -> Session:
    return await Session.start(child(tmp_path, body), tmp_path / "log", limits)


def wait_for_end(pid: int) -> None:
    """Wait until a process that is nobody's child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        select.select([file], [], [])


async def failing_start(tmp_path: Path, body: str, limits: Limits = SHORT) -> SessionError:
    with pytest.raises(SessionError) as raised:
        await start(tmp_path, body, limits)
    return raised.value


async def failing_open(tmp_path: Path, body: str, limits: Limits = SHORT) -> SessionError:
    session = await start(tmp_path, READY + body, limits)
    with pytest.raises(SessionError) as raised:
        await session.open(Path("/scene.blend"), {})
    await session.kill()
    return raised.value


async def test_ends_before_it_is_ready(tmp_path: Path) -> None:
    error = await failing_start(tmp_path, 'print("error while loading shared libraries: libEGL.so.1")\nsys.exit(127)')
    assert error.code == "crashed"
    assert "exit status 127" in error.message
    assert "libEGL.so.1" in error.message
    assert "\n" not in error.message


async def test_cannot_be_started_at_all(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="No such file"):
        await Session.start(Blender((4, 5, 0), "executable", tmp_path / "nothing"), tmp_path / "log", SHORT)


async def test_never_ready(tmp_path: Path) -> None:
    limits = Limits(start=0.3)
    error = await failing_start(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)", limits)
    assert error.code == "timeout"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL"])
@pytest.mark.parametrize(
    "die", ["os.kill(os.getpid(), signal.{})", "os._exit(128 + signal.{})"], ids=["itself", "shell"]
)
async def test_crash_names_the_signal(tmp_path: Path, name: str, die: str) -> None:
    # What starts a Blender, such as a shell script, tells of its signal in the exit status.
    error = await failing_open(tmp_path, f"commands.readline()\nos.write(2, b'out of luck')\n{die.format(name)}")
    assert error.code == "crashed"
    assert name in error.message
    assert "opening the file" in error.message
    assert "out of luck" in error.message


@pytest.mark.parametrize(
    ("prints", "die"),
    [
        ("Malloc returns null: len=1073741824 in BKE_mesh, total 8589934592", "os.kill(os.getpid(), signal.SIGSEGV)"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "os.abort()"),
    ],
)
async def test_crash_for_want_of_memory(tmp_path: Path, prints: str, die: str) -> None:
    error = await failing_open(tmp_path, f"commands.readline()\nos.write(2, {prints.encode()!r})\n{die}")
    assert error.code == "out_of_memory"
    assert "the memory did not suffice, while opening the file" in error.message
    assert prints in error.message


@pytest.mark.parametrize(
    ("prints", "code"),
    [
        ("Illegal address in CUDA queue copy_from_device (integrator_shade_surface)", "gpu_error"),
        ("NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", "gpu_lost"),
        ("cannot save: No space left on device", "no_room"),
    ],
)
async def test_crash_after_a_word_on_the_machine(tmp_path: Path, prints: str, code: str) -> None:
    error = await failing_open(tmp_path, f"commands.readline()\nos.write(2, {prints.encode()!r})\nos.abort()")
    assert error.code == code
    assert "crashed (SIGABRT) while opening the file" in error.message
    assert prints in error.message


@pytest.mark.parametrize(
    ("counts", "code"),
    [((7, 8), "out_of_memory"), ((7, 7), "crashed"), ((None, None), "out_of_memory")],
    ids=["by the kernel", "by a person", "nobody tells"],
)
async def test_killed_for_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: tuple[int | None, ...], code: str
) -> None:
    told = list(counts)
    monkeypatch.setattr("agent.blender.session.kernel_kills", lambda: told.pop(0))
    error = await failing_open(tmp_path, "commands.readline()\nos.kill(os.getpid(), signal.SIGKILL)")
    assert error.code == code
    assert "was killed (SIGKILL)" in error.message


async def test_frame_that_the_machine_could_not_render(tmp_path: Path) -> None:
    blender = await start(
        tmp_path,
        READY
        + """
for words in (
    "System is out of GPU and shared host memory",
    "Launch failed in cuCtxSynchronize() (device/cuda/queue.cpp:180)",
    "Render error (No space left on device) cannot save: '/tmp/1.png'",
    "Cannot render, no camera of memory",
):
    commands.readline()
    say(event="error", code="render_failed", message=words)
""",
    )
    codes = []
    for _ in range(4):
        with pytest.raises(SessionError) as raised:
            await blender.render(1, tmp_path / "o", tmp_path / "p", None, lambda _: None)
        codes.append(raised.value.code)
    await blender.kill()
    assert codes == ["out_of_gpu_memory", "gpu_error", "no_room", "render_failed"]


@pytest.mark.parametrize(
    "says",
    [
        'os.write(events, b"Fra:1 Mem:8M\\n")',
        'say(event="unheard of")',
        f'os.write(events, b"x" * {MAX_LINE_BYTES + 10})',
        'os.write(events, b\'{"event": "opened"\')\nos.close(events)',
    ],
    ids=["chatter", "unknown", "endless", "half a line"],
)
async def test_what_is_no_answer(tmp_path: Path, says: str) -> None:
    error = await failing_open(tmp_path, f"commands.readline()\n{says}\ntime.sleep(600)")
    assert error.code == "crashed"


async def test_error_leaves_the_session_usable(tmp_path: Path) -> None:
    session = await start(
        tmp_path,
        READY
        + """
for line in commands:
    if json.loads(line)["do"] == "close":
        os._exit(0)
    say(event="error", code="no_scene", message="There is none.")
""",
    )
    for _ in range(2):
        with pytest.raises(SessionError, match="There is none") as raised:
            await session.configure(RenderSpec(scene="Scene"), ImageFormat.PNG, "CPU", None)
        assert raised.value.code == "no_scene"
    await session.close()
    assert not session._process.running


async def test_hung_child_and_its_children_are_killed(tmp_path: Path) -> None:
    session = await start(
        tmp_path,
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen(['sleep', '600'])\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        + READY
        + "time.sleep(600)",
        Limits(start=20.0, close=0.1),
    )
    await session.close()
    assert not session._process.running
    grandchild = int(await asyncio.to_thread((tmp_path / "pid").read_text))
    async with asyncio.timeout(20.0):
        await asyncio.to_thread(wait_for_end, grandchild)


async def test_cancelled_command_kills_the_child(tmp_path: Path) -> None:
    session = await start(
        tmp_path,
        READY + 'commands.readline()\nsay(event="progress", progress=0.5, remaining_seconds=1, memory_bytes=1)\n'
        "time.sleep(600)",
    )
    told = asyncio.Event()

    def on_progress(_progress: Progress) -> None:
        told.set()

    rendering = asyncio.create_task(session.render(1, tmp_path / "o", tmp_path / "p", None, on_progress))
    await told.wait()
    rendering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rendering
    assert not session._process.running


async def test_chatty_child_neither_blocks_nor_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 10_000)
    session = await start(
        tmp_path,
        f"for i in range(20000):\n    print('line', i)\nsys.stdout.flush()\n{READY}commands.readline()\nsys.exit(5)",
    )
    with pytest.raises(SessionError, match="line 19999"):
        await session.open(Path("/scene.blend"), {})
    assert (await asyncio.to_thread((tmp_path / "log").stat)).st_size <= 10_000


async def test_no_descriptors_are_left(tmp_path: Path) -> None:
    async def once() -> int:
        session = await start(tmp_path, READY + "commands.readline()\nos._exit(0)")
        await session.close()
        await session._process.log.last_lines(1)  # its thread has ended
        return len(await asyncio.to_thread(os.listdir, "/proc/self/fd"))

    first = await once()
    assert await once() <= first
    assert signal.getsignal(signal.SIGCHLD) is not None
