"""What a real Blender does when it hangs, crashes, runs out of memory or of disk, and how it is told."""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest

from agent.blender.locate import Blender
from agent.blender.output import Progress
from agent.blender.session import Limits, Session, SessionError
from agent.blender.watchdog import Patience
from agent.card_meter import CardMeter
from agent.events import Checked, WorkDone
from agent.frame_upload import Outbox
from agent.inputs import Pack
from agent.instructions import Check, Prepare, Render
from agent.renderer import Renderer
from agent.tools import Tools
from coordinator.protocol import ImageFormat, OutputSpec, RegisterResponse, RenderSpec
from tests.in_blender.session_scenes import BLENDERS, plain_blender
from tests.unit.agent.jobs import job

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("session")]

SCENE = RenderSpec(scene="Scene")

#: What frames of the scene do instead of being rendered: a script that is part of the file sees to it.
TURN, SLEEP, CRASH, GROW = 2, 3, 4, 5

MAKE_FAULTY = """
scene = bpy.context.scene
small_scene(scene)
script = bpy.data.texts.new("mischief.py")
script.use_module = True
script.write('''
import os, signal, time
import bpy

def turn_in_circles():
    while True:
        pass

def sleep_for_ever():
    time.sleep(600)

@bpy.app.handlers.persistent
def mischief(scene, *_):
    if scene.frame_current == 2:
        turn_in_circles()
    if scene.frame_current == 3:
        sleep_for_ever()
    if scene.frame_current == 4:
        os.kill(os.getpid(), signal.SIGSEGV)
    if scene.frame_current == 5:
        grow = b"x" * 3 * 2**30

bpy.app.handlers.frame_change_pre.append(mischief)
''')
save("faulty.blend")

bpy.ops.wm.read_factory_settings()
scene = bpy.context.scene
small_scene(scene)
driver = bpy.data.objects["Cube"].driver_add("location", 0).driver
driver.expression = "no_such_name + 1"
save("failing_driver.blend")

bpy.ops.wm.read_factory_settings()
scene = bpy.context.scene
small_scene(scene)
script = bpy.data.texts.new("remembers.py")
script.use_module = True
script.write('''
import bpy

@bpy.app.handlers.persistent
def grow(scene, *_):
    bpy.data.objects["Cube"].scale *= 1.3

bpy.app.handlers.frame_change_pre.append(grow)
''')
save("remembers.blend")
"""

CGROUP = Path("/sys/fs/cgroup/memory")


@pytest.fixture(scope="module", params=BLENDERS, ids=lambda blender: "-".join(blender.path.parts[-3:]))
def blender(request: pytest.FixtureRequest) -> Blender:
    """Return a Blender to have sessions with."""
    found: Blender = request.param
    return found


@pytest.fixture(scope="module")
def scenes(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the scenes."""
    folder = tmp_path_factory.mktemp("faulty scenes")
    plain_blender(blender, MAKE_FAULTY, folder)
    return folder


@pytest.fixture
async def session(blender: Blender, scenes: Path, tmp_path: Path) -> AsyncIterator[Session]:
    """A session that has the faulty scene open."""
    started = await Session.start(blender, tmp_path / "blender.log")
    try:
        await started.open(scenes / "faulty.blend", {}, allow_scripts=True)
        await started.configure(SCENE, ImageFormat.PNG, "CPU", 1)
        yield started
    finally:
        await started.kill()


def be_impatient(session: Session, **patience: float) -> None:
    """Have a session that has started wait less long than a farm does."""
    session._limits = Limits(patience=Patience(**{"look": 0.2, "idle": 60.0, "busy": 60.0, **patience}))


async def fails(session: Session, folder: Path, frame: int) -> SessionError:
    with pytest.raises(SessionError) as raised:
        await session.render(frame, folder / "o.png", folder / "p.jpg", None, lambda _: None)
    return raised.value


@pytest.mark.parametrize(
    ("frame", "patience", "where"),
    [
        (TURN, {"idle": 1.5, "busy": 3.0}, "turn_in_circles"),
        # On some machines what Cycles does for nothing in one thread looks like work (docs/FACTS.md).
        (SLEEP, {"idle": 1.5, "busy": 10.0}, "sleep_for_ever"),
    ],
    ids=["busy", "asleep"],
)
async def test_script_that_hangs_is_seen_by_its_stack(
    session: Session,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    frame: int,
    patience: dict[str, float],
    where: str,
) -> None:
    # What was kept of a frame has a thread of Cycles go round for nothing.
    await session.render(1, tmp_path / "o.png", tmp_path / "p.jpg", None, lambda _: None)
    be_impatient(session, **patience)
    error = await fails(session, tmp_path, frame)
    assert error.code == "hung"
    assert f"in {where}" in caplog.text
    assert "mischief.py" in caplog.text
    assert not session._process.running


async def test_stopped_in_the_middle_of_a_frame(
    session: Session, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await session.configure(RenderSpec(scene="Scene", samples=1_000_000), ImageFormat.PNG, "CPU", 1)
    be_impatient(session, idle=1.5)

    def stop(progress: Progress) -> None:
        if progress.progress > 0:
            os.kill(session._process.pid, signal.SIGSTOP)

    with pytest.raises(SessionError) as raised:
        await session.render(1, tmp_path / "o.png", tmp_path / "p.jpg", None, stop)
    assert raised.value.code == "hung"
    assert "stopped" in caplog.text
    assert "in render" in caplog.text  # of host.py


async def test_long_preparation_and_rare_samples_are_no_hang(session: Session, tmp_path: Path) -> None:
    be_impatient(session, idle=1.0)
    await session.configure(RenderSpec(scene="Scene", samples=3_000), ImageFormat.PNG, "CPU", 1)
    told: list[Progress] = []
    await session.render(1, tmp_path / "o.png", tmp_path / "p.jpg", None, told.append)
    assert [it.progress for it in told] == sorted(it.progress for it in told)


async def test_crash_names_its_signal(session: Session, tmp_path: Path) -> None:
    error = await fails(session, tmp_path, CRASH)
    assert (error.code, "SIGSEGV" in error.message) == ("crashed", True)


async def test_scene_that_makes_blender_hang_at_its_exit_does_not_hold_the_agent_up(
    blender: Blender, scenes: Path, tmp_path: Path
) -> None:
    session = await Session.start(blender, tmp_path / "blender.log", Limits(close=30.0))
    await session.open(scenes / "failing_driver.blend", {}, allow_scripts=True)
    await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    await session.render(1, tmp_path / "o.png", tmp_path / "p.jpg", None, lambda _: None)
    async with asyncio.timeout(15.0):  # not the patience of a close, at whose end it would be killed
        await session.close()
    assert not session._process.running


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """A control group whose processes may use 512 MB more than they have."""
    try:
        group = Path(tempfile.mkdtemp(prefix="farm-test-", dir=CGROUP))
    except OSError:
        pytest.skip("needs root and a memory controller of the first kind")
    try:
        (group / "memory.limit_in_bytes").write_text(str(512 * 1024**2))
        yield group
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


async def test_killed_by_the_kernel_for_want_of_memory(session: Session, small_memory: Path, tmp_path: Path) -> None:
    await asyncio.to_thread((small_memory / "cgroup.procs").write_text, str(session._process.pid))
    error = await fails(session, tmp_path, GROW)
    assert error.code == "out_of_memory"
    assert "the memory did not suffice" in error.message
    assert "SIGKILL" in error.message


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with hardly more room than a frame's folders take."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def renderer_on(disk: Path, blender: Blender, blend: Path, tmp_path: Path) -> Renderer:
    """Return what renders on a slot whose Blender writes to ``disk``."""
    timing = RegisterResponse(agent_id=1, token="", lease_seconds=30, report_seconds=10, poll_seconds=25)
    tools = Tools(
        link=Mock(),
        inputs=Mock(pack=lambda _: Pack(folder=blend.parent, main=blend, remap={})),
        outbox=Outbox(tmp_path / "frames", Mock()),
        tasks=Mock(),
        blender=blender,
        sandbox=None,
        shaders=None,
        limits=Limits(),
        threads=1,
        logs=tmp_path,
        sessions=disk,
        timing=timing,
        telemeter=Mock(),
        card_meters=[CardMeter(Mock(), ())],
    )
    return Renderer(0, "CPU", tools, lambda _: None)


async def test_disk_that_fills_up_is_the_machines_fault(
    blender: Blender, scenes: Path, small_disk: Path, tmp_path: Path
) -> None:
    # Blender itself reports success, and leaves a file that ends in the middle.
    renderer = renderer_on(small_disk, blender, scenes / "failing_driver.blend", tmp_path)
    large = msgspec.structs.replace(job(), render=RenderSpec(scene="Scene", samples=1, resolution=(640, 480)))
    large = msgspec.structs.replace(large, output=OutputSpec(format=ImageFormat.PNG))
    try:
        await renderer.carry_out(Prepare("one", large), lambda _: None)
        with pytest.raises(SessionError) as raised:
            await renderer.carry_out(Render("one", large, 1), lambda _: None)
        assert raised.value.code == "no_room"
        assert "disk is full" in raised.value.message
    finally:
        await renderer.drop()


async def test_first_frame_comes_out_the_same_in_a_sound_session_and_differs_in_one_that_remembers(
    blender: Blender, scenes: Path, tmp_path: Path
) -> None:
    for blend, same in (("failing_driver.blend", True), ("remembers.blend", False)):
        renderer = renderer_on(tmp_path / "sessions", blender, scenes / blend, tmp_path)
        spec = msgspec.structs.replace(job(), render=RenderSpec(scene="Scene", allow_scripts=True))
        try:
            await renderer.carry_out(Prepare("one", spec), lambda _: None)
            for frame in (1, 2):
                await renderer.carry_out(Render("one", spec, frame), lambda _: None)
            assert await renderer.carry_out(Check("one", spec, 1), lambda _: None) == Checked(same=same)
            done = await renderer.carry_out(Render("one", spec, 3), lambda _: None)
            assert isinstance(done, WorkDone)
            assert done.memory_bytes > 50_000_000
        finally:
            await renderer.drop()
