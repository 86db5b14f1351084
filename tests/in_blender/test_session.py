"""A warm session's pictures are those of plain Blender, bit for bit; and it tells what is wrong with a scene."""

import asyncio
import os
import resource
import signal
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.blender.locate import Blender
from agent.blender.output import Configured, Progress, Rendered
from agent.blender.session import Limits, Session, SessionError
from coordinator.protocol import ImageFormat, RenderSpec
from tests.in_blender.as_stored import assert_same_pixels, exr_channels
from tests.in_blender.session_scenes import (
    BLENDERS,
    FORMATS,
    HEIGHT,
    MAKE_FORMATS,
    MAKE_OTHERS,
    PLAIN_RENDER,
    WIDTH,
    plain_blender,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("session")]

FRAMES = (1, 2, 3)
SCENE = RenderSpec(scene="Scene")


@pytest.fixture(scope="module", params=BLENDERS, ids=lambda blender: "-".join(blender.path.parts[-3:]))
def blender(request: pytest.FixtureRequest) -> Blender:
    """Return a Blender to have sessions with."""
    found: Blender = request.param
    return found


@pytest.fixture(scope="module")
def scenes(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all scenes, and in ``plain/`` what Blender itself renders from them."""
    folder = tmp_path_factory.mktemp("scenes")
    plain_blender(blender, MAKE_FORMATS, folder, formats=FORMATS, elsewhere=str(folder / "elsewhere"))
    plain_blender(blender, MAKE_OTHERS, folder)
    plain_blender(blender, PLAIN_RENDER, folder, names=list(FORMATS), settings={}, first=FRAMES[0], last=FRAMES[-1])
    # The comparison itself wrote there; the farm must not.
    for stray in sorted((folder / "elsewhere").rglob("*"), reverse=True):
        stray.unlink()
    return folder


@pytest.fixture
async def session(blender: Blender, tmp_path: Path) -> AsyncIterator[Session]:
    """A session that has nothing open."""
    started = await Session.start(blender, tmp_path / "blender.log")
    try:
        yield started
    finally:
        await started.kill()


async def render(
    session: Session, folder: Path, frame: int, extension: str, *, display: bool = False
) -> tuple[Rendered, list[Progress]]:
    """Render a frame into ``folder``."""
    told: list[Progress] = []
    rendered = await session.render(
        frame,
        folder / f"{frame:04d}.{extension}",
        folder / f"preview{frame}.jpg",
        folder / f"display{frame}.png" if display else None,
        told.append,
    )
    return rendered, told


@pytest.mark.parametrize("name", FORMATS)
async def test_pictures_equal_plain_blenders(session: Session, scenes: Path, tmp_path: Path, name: str) -> None:
    await session.open(scenes / f"{name}.blend", {})
    image_format = ImageFormat(FORMATS[name]["file_format"])
    configured = await session.configure(SCENE, image_format, "CPU", 1)
    assert (configured.width, configured.height) == (WIDTH, HEIGHT)
    for frame in FRAMES:
        rendered, _ = await render(session, tmp_path, frame, configured.extension, display=True)
        assert rendered.seconds > 0
        assert rendered.memory_bytes > 10_000_000
        output = tmp_path / f"{frame:04d}.{configured.extension}"
        assert_same_pixels(output, scenes / "plain" / name / output.name)
        with Image.open(tmp_path / f"display{frame}.png") as display:
            assert display.size == (WIDTH, HEIGHT)
            assert display.mode == ("RGBA" if FORMATS[name]["color_mode"] == "RGBA" else "RGB")
        with Image.open(tmp_path / f"preview{frame}.jpg") as preview:
            assert (preview.format, preview.size, preview.mode) == ("JPEG", (WIDTH, HEIGHT), "RGB")
    assert not any(path.is_file() for path in (scenes / "elsewhere").rglob("*"))


async def test_frames_differ(scenes: Path) -> None:
    """The comparison above would say nothing if nothing moved."""
    pictures = await asyncio.to_thread(lambda: {(scenes / f"plain/jpeg/{n:04d}.jpg").read_bytes() for n in FRAMES})
    assert len(pictures) == len(FRAMES)


async def test_settings_left_to_the_scene_are_its_own_again(session: Session, scenes: Path, tmp_path: Path) -> None:
    await session.open(scenes / "exr_half.blend", {})
    other = RenderSpec(scene="Scene", samples=1, resolution=(20, 10), percentage=50, persistent_data=False)
    configured = await session.configure(other, ImageFormat.PNG, "CPU", 1)
    assert (configured.width, configured.height, configured.extension) == (10, 5, "png")
    await render(session, tmp_path, 2, "png")
    configured = await session.configure(SCENE, ImageFormat.OPEN_EXR, "CPU", 1)
    assert (configured.width, configured.height, configured.extension) == (WIDTH, HEIGHT, "exr")
    await render(session, tmp_path, 2, "exr")
    assert_same_pixels(tmp_path / "0002.exr", scenes / "plain/exr_half/0002.exr")


async def test_progress_grows_to_the_end(session: Session, scenes: Path, tmp_path: Path) -> None:
    await session.open(scenes / "png8.blend", {})
    await session.configure(RenderSpec(scene="Scene", samples=64), ImageFormat.PNG, "CPU", 1)
    _, told = await render(session, tmp_path, 1, "png")
    assert [step.progress for step in told] == sorted({step.progress for step in told})
    assert told[-1].progress == 1.0
    said = session.said()
    # All of it but most of what it counts: sixty samples in a blink are two lines.
    assert said.startswith("Read blend:")
    assert "Fra:1" in said
    assert "| Sample 33/64" not in said
    await render(session, tmp_path, 2, "png")
    again = session.said()
    assert "Fra:2" in again
    assert "Fra:1 " not in again
    assert "Read blend:" not in again


async def test_another_scene_of_the_file(session: Session, scenes: Path, tmp_path: Path) -> None:
    await session.open(scenes / "two_scenes.blend", {})
    configured = await session.configure(RenderSpec(scene="Other", camera=None), ImageFormat.PNG, "CPU", 1)
    assert (configured.width, configured.height) == (40, 30)
    with pytest.raises(SessionError, match="no camera") as raised:
        await render(session, tmp_path, 1, "png")
    assert raised.value.code == "no_camera"
    assert (await session.configure(RenderSpec(), ImageFormat.PNG, "CPU", 1)).width == WIDTH
    await render(session, tmp_path, 1, "png")
    assert (tmp_path / "0001.png").is_file()


async def test_what_a_scene_lacks(session: Session, scenes: Path, tmp_path: Path) -> None:
    opened = await session.open(scenes / "no_camera.blend", {})
    assert (opened.missing, opened.warnings) == ([], [])
    for spec, code, words in (
        (RenderSpec(scene="Nowhere"), "no_scene", 'no scene "Nowhere"; its scenes are "Other", "Scene"'),
        (RenderSpec(scene="Scene", camera="Cube"), "no_camera", 'no camera "Cube"; its cameras: "Camera"'),
        (RenderSpec(scene="Scene", engine="LUXCORE"), "no_engine", "LUXCORE"),
    ):
        with pytest.raises(SessionError) as raised:
            await session.configure(spec, ImageFormat.PNG, "CPU", 1)
        assert raised.value.code == code
        assert words in raised.value.message
    with pytest.raises(SessionError) as raised:
        await session.configure(SCENE, ImageFormat.PNG, "CUDA:7", 1)
    assert raised.value.code == "no_device"
    await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    with pytest.raises(SessionError) as raised:
        await render(session, tmp_path, 1, "png")
    assert raised.value.code == "no_camera"
    await session.configure(RenderSpec(scene="Scene", camera="Camera"), ImageFormat.PNG, "CPU", 1)
    await render(session, tmp_path, 1, "png")


@pytest.mark.parametrize("image_format", ImageFormat)
async def test_movie_scene_writes_pictures_of_the_size_it_says(
    session: Session, scenes: Path, tmp_path: Path, image_format: ImageFormat
) -> None:
    await session.open(scenes / "cropped_movie.blend", {})
    configured = await session.configure(SCENE, image_format, "CPU", 1)
    await render(session, tmp_path, 1, configured.extension)
    output = tmp_path / f"0001.{configured.extension}"
    if image_format.is_exr:
        height, width = next(iter(exr_channels(output).values())).shape
    else:
        with Image.open(output) as picture:
            width, height = picture.size
    assert (configured.width, configured.height) == (width, height)


async def test_all_views_in_one_file_are_refused(session: Session, scenes: Path) -> None:
    await session.open(scenes / "stereo.blend", {})
    with pytest.raises(SessionError, match="stereoscopic") as raised:
        await session.configure(SCENE, ImageFormat.OPEN_EXR, "CPU", 1)
    assert raised.value.code == "unsupported"


async def test_bad_commands_are_refused_and_the_session_goes_on(session: Session, scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="No scene is configured") as raised:
        await render(session, tmp_path, 1, "png")
    assert raised.value.code == "bad_command"
    await session.open(scenes / "plain.blend", {})
    with pytest.raises(SessionError, match="open already") as raised:
        await session.open(scenes / "plain.blend", {})
    assert raised.value.code == "bad_command"
    await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    await render(session, tmp_path, 1, "png")


async def test_job_for_the_processor_needs_no_card(session: Session, scenes: Path, tmp_path: Path) -> None:
    await session.open(scenes / "plain.blend", {})
    with pytest.raises(SessionError) as raised:
        await session.configure(SCENE, ImageFormat.PNG, "CUDA:63", 1)
    assert raised.value.code == "no_device"
    await session.configure(RenderSpec(scene="Scene", processor=True), ImageFormat.PNG, "CUDA:63", 1)
    await render(session, tmp_path, 1, "png")


async def test_engine_whose_add_on_is_missing_is_named(session: Session, scenes: Path) -> None:
    await session.open(scenes / "foreign_engine.blend", {})
    configured = await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    assert configured.missing_engine == "FOREIGN"
    # A job that chooses another one does not need it, and takes nothing away from those that do.
    for engine, missing in (("WORKBENCH", None), (None, "FOREIGN")):
        render = RenderSpec(scene="Scene", engine=engine)
        assert (await session.configure(render, ImageFormat.PNG, "CPU", 1)).missing_engine == missing


async def test_no_engine_is_missing_where_blender_has_it(session: Session, scenes: Path) -> None:
    await session.open(scenes / "plain.blend", {})
    assert (await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)).missing_engine is None


async def test_workbench_has_no_samples(session: Session, scenes: Path) -> None:
    await session.open(scenes / "plain.blend", {})
    engine = RenderSpec(scene="Scene", engine="WORKBENCH", samples=3)
    configured: Configured = await session.configure(engine, ImageFormat.PNG, "CPU", 1)
    assert "no sample count" in configured.warnings[0]


async def test_missing_texture_is_named_and_a_moved_one_found(
    blender: Blender, session: Session, scenes: Path, tmp_path: Path
) -> None:
    opened = await session.open(scenes / "textured.blend", {})
    assert [(file.kind, file.name, file.path) for file in opened.missing] == [
        ("image", "wood.png", "/home/ana/textures/wood.png")
    ]
    await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    await render(session, tmp_path, 1, "png")
    second = await Session.start(blender, tmp_path / "second.log")
    try:
        found = await second.open(scenes / "textured.blend", {"/home/ana/textures": str(scenes)})
        assert found.missing == []
        await second.configure(SCENE, ImageFormat.PNG, "CPU", 1)
        await render(second, tmp_path, 2, "png")
    finally:
        await second.close()
    with Image.open(tmp_path / "0001.png") as pink, Image.open(tmp_path / "0002.png") as red:
        # Blender paints what is missing in magenta; the texture itself is red.
        middle = (HEIGHT // 2, WIDTH // 2)
        assert np.asarray(pink.getchannel("B"))[middle] > 50
        assert np.asarray(red.getchannel("B"))[middle] < 50


async def test_sound_is_as_long_as_its_frames(session: Session, scenes: Path, tmp_path: Path) -> None:
    if not await asyncio.to_thread((scenes / "sound.blend").exists):
        pytest.skip("this Blender was built without sound")
    await session.open(scenes / "sound.blend", {})
    await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    await session.mix_sound(tmp_path / "sound.flac", 1, 24)
    # STREAMINFO follows the marker and a block header of 4 bytes: rate in 20 bits from byte 18, samples in 36 from 21.
    head = (tmp_path / "sound.flac").read_bytes()[:26]
    assert head[:4] == b"fLaC"
    (packed,) = struct.unpack(">Q", head[18:26])
    rate, samples = packed >> 44, packed & (2**36 - 1)
    assert samples / rate == pytest.approx(1.0, abs=0.01)


async def test_no_sound(session: Session, scenes: Path, tmp_path: Path) -> None:
    await session.open(scenes / "plain.blend", {})
    await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    with pytest.raises(SessionError) as raised:
        await session.mix_sound(tmp_path / "sound.flac", 1, 24)
    assert raised.value.code == "no_sound"


@pytest.fixture
def damaged(scenes: Path, tmp_path: Path) -> dict[str, Path]:
    """Files that are no good, by what is wrong with them."""
    whole = (scenes / "plain.blend").read_bytes()
    version = whole.find(b"v") + 1
    files = {
        "not a scene": b"Dear diary",
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "newer": whole[:version] + b"9" + whole[version + 1 :],
    }
    for name, data in files.items():
        (tmp_path / f"{name}.blend").write_bytes(data)
    return {name: tmp_path / f"{name}.blend" for name in files}


@pytest.mark.parametrize("what", ["not a scene", "empty", "truncated", "newer"])
async def test_file_that_does_not_open(session: Session, damaged: dict[str, Path], what: str) -> None:
    with pytest.raises(SessionError) as raised:
        await session.open(damaged[what], {})
    # Some versions of Blender crash on what others refuse: a failure either way.
    assert raised.value.code in ("cannot_open", "crashed")
    assert "\n" not in raised.value.message


async def test_killed_while_rendering(blender: Blender, session: Session, scenes: Path, tmp_path: Path) -> None:
    await session.open(scenes / "png8.blend", {})
    await session.configure(RenderSpec(scene="Scene", samples=1_000_000), ImageFormat.PNG, "CPU", 1)

    def kill(_progress: Progress) -> None:
        os.kill(session._process._process.pid, signal.SIGKILL)

    with pytest.raises(SessionError, match="SIGKILL") as raised:
        await session.render(1, tmp_path / "1.png", tmp_path / "1.jpg", None, kill)
    assert raised.value.code == "crashed"
    fresh = await Session.start(blender, tmp_path / "fresh.log")
    try:
        await fresh.open(scenes / "png8.blend", {})
        await fresh.configure(SCENE, ImageFormat.PNG, "CPU", 1)
        await render(fresh, tmp_path, 1, "png")
    finally:
        await fresh.close()
    assert_same_pixels(tmp_path / "0001.png", scenes / "plain/png8/0001.png")


async def test_frame_that_does_not_fit_into_the_memory(session: Session, scenes: Path, tmp_path: Path) -> None:
    await session.open(scenes / "plain.blend", {})
    huge = RenderSpec(scene="Scene", engine="WORKBENCH", resolution=(30_000, 30_000))
    await session.configure(huge, ImageFormat.PNG, "CPU", 1)
    # Its buffers take 14 GB each.
    resource.prlimit(session._process._process.pid, resource.RLIMIT_AS, (8 * 1024**3, 8 * 1024**3))
    with pytest.raises(SessionError) as raised:
        await render(session, tmp_path, 1, "png")
    # Workbench speaks of the card's buffers, also where it has none.
    assert raised.value.code in ("out_of_memory", "out_of_gpu_memory")


async def test_blender_ends_with_the_agent_even_while_it_renders(
    session: Session, scenes: Path, tmp_path: Path
) -> None:
    await session.open(scenes / "png8.blend", {})
    await session.configure(RenderSpec(scene="Scene", samples=1_000_000), ImageFormat.PNG, "CPU", 1)
    # All that a dead agent leaves behind is a closed pipe.
    with pytest.raises(SessionError) as raised:
        await session.render(
            1, tmp_path / "1.png", tmp_path / "1.jpg", None, lambda _: session._process.commands.close()
        )
    assert "exit status 4" in raised.value.message


async def test_frame_that_takes_too_long(blender: Blender, scenes: Path, tmp_path: Path) -> None:
    session = await Session.start(blender, tmp_path / "blender.log", Limits(render=1.0))
    await session.open(scenes / "png8.blend", {})
    await session.configure(RenderSpec(scene="Scene", samples=1_000_000), ImageFormat.PNG, "CPU", 1)
    with pytest.raises(SessionError, match="taken for hung") as raised:
        await render(session, tmp_path, 1, "png")
    assert raised.value.code == "timeout"
    assert not session._process.running


async def test_folder_with_braces_in_its_name(session: Session, scenes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a {frame} b"
    folder.mkdir()
    await session.open(scenes / "png8.blend", {})
    await session.configure(SCENE, ImageFormat.PNG, "CPU", 1)
    await render(session, folder, 1, "png")
    assert (folder / "0001.png").is_file()
