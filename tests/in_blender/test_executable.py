"""A session with a ``blender`` executable, from opening a file to its sound: as one with the module."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from agent.blender.locate import Blender, find_blender
from agent.blender.output import Progress
from agent.blender.session import Session, SessionError
from coordinator.protocol import ImageFormat, RenderSpec
from tests.e2e.executable import ROOT_PATIENCE, make_executable, render_plainly
from tests.e2e.farm import PATIENCE
from tests.e2e.pictures import assert_same_pixels
from tests.in_blender.session_scenes import HEIGHT, WIDTH, plain_blender

pytestmark = [
    pytest.mark.slow,
    pytest.mark.window,
    pytest.mark.xdist_group("executable"),
    pytest.mark.timeout(ROOT_PATIENCE + PATIENCE),
]

SCENE = RenderSpec(scene="Scene")

#: What a farm must deal with, in one file: a texture that is not there, sound, another scene without a camera.
MAKE_SHOT = """
scene = bpy.context.scene
small_scene(scene)
scene.cycles.samples = 64
move(bpy.data.objects["Cube"])
scene.render.image_settings.color_mode, scene.render.image_settings.color_depth = "RGBA", "16"
shader = bpy.data.materials["Material"].node_tree.nodes["Principled BSDF"]
texture = bpy.data.materials["Material"].node_tree.nodes.new("ShaderNodeTexImage")
bpy.data.materials["Material"].node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
texture.image = bpy.data.images.new("wood.png", 8, 8)
texture.image.source, texture.image.filepath = "FILE", "/home/ana/wood.png"
import wave
with wave.open(str(Path(arguments["folder"]) / "tone.wav"), "wb") as tone:
    tone.setnchannels(1); tone.setsampwidth(2); tone.setframerate(48000)
    tone.writeframes(bytes(range(256)) * 750)
scene.sequence_editor_create().sequences.new_sound("tone", str(Path(arguments["folder"]) / "tone.wav"), 1, 1)
small_scene(bpy.data.scenes.new("Other"))
save("shot.blend")
"""


@pytest.fixture(scope="module")
def blender(tmp_path_factory: pytest.TempPathFactory) -> Blender:
    """The executable, found as an agent finds the one it is told of."""
    found = find_blender(str(make_executable(tmp_path_factory.mktemp("executable"))))
    assert (found.kind, found.version[:2]) == ("executable", (4, 3))
    return found


@pytest.fixture(scope="module")
def shot(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shot")
    plain_blender(blender, MAKE_SHOT, folder)
    return folder / "shot.blend"


@pytest.fixture
async def session(blender: Blender, tmp_path: Path) -> AsyncIterator[Session]:
    """A session that has nothing open."""
    started = await Session.start(blender, tmp_path / "blender.log")
    try:
        yield started
    finally:
        await started.kill()


async def test_a_file_becomes_frames_and_sound(blender: Blender, session: Session, shot: Path, tmp_path: Path) -> None:
    assert session.version == blender.version
    opened = await session.open(shot, {})
    assert [(file.kind, file.path) for file in opened.missing] == [("image", "/home/ana/wood.png")]

    await session.configure(RenderSpec(scene="Other"), ImageFormat.PNG, "CPU", 1)
    with pytest.raises(SessionError) as raised:
        await session.render(1, tmp_path / "1.png", tmp_path / "1.jpg", None, lambda _: None)
    assert raised.value.code == "no_camera"

    configured = await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    assert (configured.width, configured.height, configured.warnings) == (WIDTH, HEIGHT, [])
    for frame in (1, 3):
        told: list[Progress] = []
        output, preview, display = (tmp_path / f"{frame:04}{end}" for end in (".png", ".jpg", ".display.png"))
        await session.render(frame, output, preview, display, told.append)
        assert [step.progress for step in told] == sorted({step.progress for step in told})
        assert told[-1].progress == 1.0
        with Image.open(preview) as small, Image.open(display) as shown:
            assert (small.size, small.mode, shown.size, shown.mode) == (
                (WIDTH, HEIGHT), "RGB", (WIDTH, HEIGHT), "RGBA",
            )  # fmt: skip
    await session.mix_sound(tmp_path / "sound.flac", 1, 24)
    assert (tmp_path / "sound.flac").read_bytes().startswith(b"fLaC")
    await session.close()
    assert not session._process.running

    for plain in await asyncio.to_thread(render_plainly, blender.path, shot, tmp_path / "plain", 1, 3):
        assert_same_pixels(tmp_path / plain.name, plain)


async def test_killed_while_rendering(session: Session, shot: Path, tmp_path: Path) -> None:
    await session.open(shot, {})
    await session.configure(RenderSpec(scene="Scene", samples=1_000_000), ImageFormat.PNG, "CPU", 1)
    # What was started only starts Blender.
    starter = session._process._process.pid
    children = Path(f"/proc/{starter}/task/{starter}/children")
    [started] = (await asyncio.to_thread(children.read_text)).split()

    def kill(_: Progress) -> None:
        os.kill(int(started), signal.SIGKILL)

    with pytest.raises(SessionError, match="SIGKILL") as raised:
        await session.render(1, tmp_path / "1.png", tmp_path / "1.jpg", None, kill)
    assert raised.value.code == "crashed"
    assert not session._process.running


async def test_it_ends_with_the_agent_even_while_it_renders(session: Session, shot: Path, tmp_path: Path) -> None:
    await session.open(shot, {})
    await session.configure(RenderSpec(scene="Scene", samples=1_000_000), ImageFormat.PNG, "CPU", 1)
    # All that a dead agent leaves behind is a closed pipe.
    with pytest.raises(SessionError) as raised:
        await session.render(
            1, tmp_path / "1.png", tmp_path / "1.jpg", None, lambda _: session._process.commands.close()
        )
    assert "exit status 4" in raised.value.message
