"""EEVEE's shaders: compiled once in a sandbox of the agent's own, and there when a session begins."""

import asyncio
import os
from pathlib import Path

import pytest

from agent.blender.confine import NoSandboxError, find_sandbox
from agent.blender.locate import Blender, find_blender
from agent.blender.sandbox import FIRST_GUEST, Sandbox
from agent.blender.session import Limits, Session
from agent.scratch import Scratch
from agent.shaders import LIFETIME, Shaders
from coordinator.protocol import Device, ImageFormat, RenderSpec

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sandbox")]


@pytest.fixture
def blender() -> Blender:
    """The module."""
    return find_blender("bpy")


@pytest.fixture
def sandbox(tmp_path: Path, blender: Blender) -> Sandbox:
    """This machine's."""
    (tmp_path / "agent").mkdir()
    try:
        return find_sandbox(blender, tmp_path / "agent", cards=False)
    except NoSandboxError as error:
        pytest.skip(str(error))


def files(folder: Path) -> set[str]:
    """Return the files below a folder, by their paths."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_session_begins_with_what_was_compiled_and_compiles_little_more(
    tmp_path: Path, blender: Blender, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests would have to end first.
    monkeypatch.setattr("agent.shaders.NICENESS", 0)
    sessions = tmp_path / "agent/sessions"
    shaders = Shaders(tmp_path / "agent/shaders", blender, sandbox, Limits())
    scratch = await asyncio.to_thread(Scratch.make, sessions, 1, sandboxed=True)
    assert not await asyncio.to_thread(shaders.lay, scratch, 1)
    await shaders.compile(sessions, tmp_path)
    before = await asyncio.to_thread(look_at, shaders, scratch)

    session = await Session.start(blender, tmp_path / "log", None, (sandbox, scratch.cell(scratch.kept, 1)))
    try:
        spec = RenderSpec(scene="Scene", engine="EEVEE", samples=1, resolution=(64, 64))
        await session.configure(spec, ImageFormat.PNG, Device.CPU, None)
        await session.render(1, scratch.output / "frame.png", None, None, lambda _: None)
    finally:
        await session.close()
    assert len(await asyncio.to_thread(files, scratch.shaders) - before) < len(before) / 4


def look_at(shaders: Shaders, scratch: Scratch) -> set[str]:
    """Give shaders to a session of slot 1 and return their files, when all is as it must be."""
    assert shaders.ready()
    (only,) = scratch.kept.parents[1].iterdir()  # the session that compiled them took its own away
    assert only == scratch.kept.parent
    assert shaders.lay(scratch, 1)
    if os.geteuid() == 0:
        assert {path.stat().st_uid for path in scratch.shaders.rglob("*")} == {FIRST_GUEST + 1}
    found = files(scratch.shaders)
    assert len(found) > 20
    return found


async def test_what_cannot_be_compiled_costs_nothing_else(
    tmp_path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    shaders = Shaders(tmp_path / "shaders", Blender((4, 5, 0), "executable", Path("/bin/false")), sandbox, Limits())
    for _ in range(2):
        await shaders.compile(tmp_path / "sessions", tmp_path)
    assert not await asyncio.to_thread(shaders.ready)
    assert caplog.text.count("each session anew") == 1


def test_old_shaders_are_compiled_anew(tmp_path: Path, blender: Blender, sandbox: Sandbox) -> None:
    shaders = Shaders(tmp_path, blender, sandbox, Limits())
    folder = tmp_path / f"bpy-{'.'.join(map(str, blender.version))}"
    folder.mkdir()
    assert shaders.ready()
    long_ago = folder.stat().st_mtime - LIFETIME - 10
    os.utime(folder, (long_ago, long_ago))
    assert not shaders.ready()
