"""What is read from real scenes, and what real Blender makes of files that are broken."""

import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from addon.blend_header import read_header
from addon.inspection import InspectionError, find_blender, inspect
from addon.snapshot import Border, SceneSnapshot
from addon.submission import Overrides, finished_size
from tests.in_blender.blender import in_blender
from tests.unit.addon.snapshots import scene

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("submission")]

MAKE_SCENES = """
import wave

folder = Path(arguments["folder"])
bpy.ops.wm.read_factory_settings(use_empty=True)
with wave.open(str(folder / "tone.wav"), "wb") as tone:
    tone.setnchannels(1); tone.setsampwidth(2); tone.setframerate(8000); tone.writeframes(bytes(16000))

def editor_of(scene):
    editor = scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences

def tone(scene, start=1):
    return editor_of(scene).new_sound("tone", str(folder / "tone.wav"), 1, start)

full = bpy.context.scene
full.name = "Full"
for name in ("Left", "Right"):
    full.collection.objects.link(bpy.data.objects.new(name, bpy.data.cameras.new(name)))
full.camera = full.objects["Right"]  # until the marker
marker = full.timeline_markers.new("cut", frame=5)
marker.camera = full.objects["Left"]
full.frame_start, full.frame_end, full.frame_step = 2, 30, 4
full.frame_set(7)
full.render.fps, full.render.fps_base = 30, 1.001
full.render.engine = "CYCLES"
full.cycles.samples = 77
full.render.resolution_x, full.render.resolution_y, full.render.resolution_percentage = 200, 100, 50
full.render.use_border = full.render.use_crop_to_border = True
full.render.border_min_x, full.render.border_max_x = 0.25, 0.75
full.render.border_min_y, full.render.border_max_y = 0.0, 0.5
image = full.render.image_settings
image.file_format, image.color_mode, image.color_depth, image.exr_codec = "OPEN_EXR", "RGB", "32", "DWAA"
tone(full)

muted = bpy.data.scenes.new("Muted")
tone(muted).mute = True
late = bpy.data.scenes.new("Late")
late.frame_end = 10
tone(late, 11)
silent = bpy.data.scenes.new("Audio off")
tone(silent)
silent.use_audio = False
shown = bpy.data.scenes.new("Shows Full")
editor_of(shown).new_scene("other", full, 1, 1)
speaking = bpy.data.scenes.new("Speaker")
bpy.context.window.scene = speaking
bpy.ops.object.speaker_add()
speaking.objects[0].data.sound = bpy.data.sounds[0]
edited = bpy.data.scenes.new("Edited")
editor_of(edited).new_effect("colour", "COLOR", 1, 1, **(
    {"length": 10} if bpy.app.version >= (5, 0) else {"frame_end": 10}))
written = bpy.data.scenes.new("Writes files")
if hasattr(written, "compositing_node_group"):
    written.compositing_node_group = bpy.data.node_groups.new("compositing", "CompositorNodeTree")
    written.compositing_node_group.nodes.new("CompositorNodeOutputFile")
else:
    written.use_nodes = True
    written.node_tree.nodes.new("CompositorNodeOutputFile")
movie = bpy.data.scenes.new("Movie")
if hasattr(movie.render.image_settings, "media_type"):
    movie.render.image_settings.media_type = "VIDEO"
movie.render.image_settings.file_format = "FFMPEG"
bpy.context.window.scene = full
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scenes.blend"), compress=False)
answer = list(bpy.app.version[:2])
"""

READ_SCENES = """
from addon.scene_reader import read_scene
from addon.snapshot import to_plain

bpy.ops.wm.open_mainfile(filepath=arguments["blend"], use_scripts=False)
answer = {scene.name: to_plain(read_scene(scene)) for scene in bpy.data.scenes}
"""

RENDER_SIZES = """
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.collection.objects.link(bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera")))
scene.camera = scene.objects["Camera"]
scene.render.engine = "CYCLES"
scene.cycles.samples, scene.cycles.use_denoising = 1, False
render = scene.render
answer = []
for number, (width, height, percentage, edges) in enumerate(arguments["cases"]):
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, percentage
    render.use_border = render.use_crop_to_border = edges is not None
    if edges is not None:
        render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = edges
    render.filepath = str(Path(arguments["folder"], f"{number}.png"))
    bpy.ops.render.render(write_still=True)
    answer.append(list(bpy.data.images.load(render.filepath).size))
"""


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    in_blender(MAKE_SCENES, folder, folder=str(folder))
    return folder / "scenes.blend"


@pytest.fixture(scope="module")
def scenes(blend: Path) -> dict[str, Any]:
    plain: dict[str, Any] = in_blender(READ_SCENES, blend.parent, blend=str(blend))
    return plain


@pytest.fixture(scope="module")
def snapshot(blend: Path) -> SceneSnapshot:
    return inspect(blend, read_header(blend), None, find_blender(None)).snapshot


def test_the_active_scenes_settings_are_read(blend: Path, snapshot: SceneSnapshot) -> None:
    assert (snapshot.scene, snapshot.camera, snapshot.cameras) == ("Full", "Left", ("Left", "Right"))
    assert [(marker.frame, marker.camera) for marker in snapshot.markers] == [(5, "Left")]
    frames = (snapshot.frame_start, snapshot.frame_end, snapshot.frame_step, snapshot.frame_current)
    assert frames == (2, 30, 4, 7)
    assert snapshot.frame_rate == pytest.approx(29.97003)
    assert (snapshot.engine, snapshot.samples) == ("CYCLES", 77)
    assert (snapshot.resolution, snapshot.percentage) == ((200, 100), 50)
    assert snapshot.border == Border(min_x=0.25, max_x=0.75, min_y=0.0, max_y=0.5, crop=True)
    assert finished_size(snapshot, Overrides()) == (50, 25)
    written = (snapshot.file_format, snapshot.color_mode, snapshot.color_depth, snapshot.codec)
    assert written == ("OPEN_EXR", "RGB", "32", "DWAA")
    assert snapshot.blend_path == str(blend)
    assert snapshot.file_version == snapshot.blender_version == read_header(blend).version
    assert len(snapshot.scenes) == 9


def test_what_can_be_heard(scenes: dict[str, Any]) -> None:
    heard = {name for name, scene in scenes.items() if scene["has_sound"]}
    assert heard == {"Full", "Shows Full", "Speaker"}


def test_what_the_picture_comes_from(scenes: dict[str, Any]) -> None:
    assert {name for name, scene in scenes.items() if scene["uses_sequencer"]} == {"Shows Full", "Edited"}
    assert {name for name, scene in scenes.items() if scene["has_compositor_file_outputs"]} == {"Writes files"}
    assert {name for name, scene in scenes.items() if scene["is_movie_format"]} == {"Movie"}


def test_another_scene_can_be_chosen_and_one_that_is_not_there_is_refused(blend: Path) -> None:
    header, blender = read_header(blend), find_blender(None)
    assert inspect(blend, header, "Late", blender).snapshot.scene == "Late"
    with pytest.raises(InspectionError) as caught:
        inspect(blend, header, "Epilogue", blender)
    assert "“Epilogue”" in str(caught.value)
    assert "Full" in str(caught.value)


def test_finished_sizes_are_those_that_blender_renders(tmp_path: Path) -> None:
    cases: list[tuple[int, int, int, tuple[float, float, float, float] | None]] = [
        (101, 67, 33, None),
        (57, 31, 150, None),
        (100, 100, 100, (0.0, 0.29, 0.1, 0.7)),
        (97, 61, 77, (0.13, 0.57, 0.31, 0.99)),
        (64, 64, 100, (1 / 3, 2 / 3, 0.05, 0.95)),
    ]
    rendered = in_blender(RENDER_SIZES, tmp_path, folder=str(tmp_path), cases=cases)
    for (width, height, percentage, edges), size in zip(cases, rendered, strict=True):
        border = None
        if edges is not None:
            min_x, max_x, min_y, max_y = edges
            border = Border(min_x=min_x, max_x=max_x, min_y=min_y, max_y=max_y, crop=True)
        sized = scene(resolution=(width, height), percentage=percentage, border=border)
        assert finished_size(sized, Overrides()) == tuple(size)


def _broken(blend: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    data = blend.read_bytes()
    for name, content, words in (
        ("half", data[: len(data) // 2], "damaged"),
        ("head", data[:2000], "damaged"),
        # Three digits of version; from 5.0 on four.
        ("newer", re.sub(rb"(?<=v)(0?)\d{3}", rb"\g<1>999", data[:3000], count=1), "9.99"),
        ("packed", zlib.compress(data, wbits=31)[:20000], "damaged"),
    ):
        path = folder / f"{name}.blend"
        path.write_bytes(content)
        yield path, words


def test_broken_files_are_called_so_whatever_blender_does(blend: Path, tmp_path: Path) -> None:
    for path, words in _broken(blend, tmp_path):
        with pytest.raises(InspectionError, match=words) as caught:
            inspect(path, read_header(path), None, find_blender(None))
        assert path.name in str(caught.value)


@pytest.mark.parametrize("signal", ["SIGSEGV", "SIGABRT"])
def test_a_blender_that_dies_over_a_file_calls_it_damaged(blend: Path, signal: str) -> None:
    # 4.5 survives most broken files; other Blenders do not.
    dying = f"""
import os, signal, sys, types, bpy
def die(**_): os.kill(os.getpid(), signal.{signal})
bpy.ops = types.SimpleNamespace(wm=types.SimpleNamespace(open_mainfile=die))  # 5.2's operators cannot be changed
exec(sys.argv[1])
"""
    with pytest.raises(InspectionError, match="damaged"):
        inspect(blend, read_header(blend), None, [*find_blender("bpy"), dying])


def test_an_executable_is_given_the_program_as_blender_takes_it(blend: Path, tmp_path: Path) -> None:
    # An executable that does with --python-expr what Blender does.
    executable = tmp_path / "blender"
    executable.write_text(
        f'#!/bin/sh\nwhile [ "$1" != --python-expr ]; do shift; done\nexec "{sys.executable}" -c "$2"\n'
    )
    executable.chmod(0o755)
    blender = find_blender(str(executable))
    assert blender[:3] == [str(executable), "--background", "--factory-startup"]
    assert inspect(blend, read_header(blend), "Late", blender).snapshot.scene == "Late"


def test_a_blender_that_cannot_start_is_told_apart(blend: Path) -> None:
    with pytest.raises(InspectionError, match="cannot be started"):
        inspect(blend, read_header(blend), None, ["/bin/false"])
    with pytest.raises(InspectionError, match=r"cannot be started: no display$"):
        inspect(blend, read_header(blend), None, ["sh", "-c", "echo no display; echo; echo Blender quit; exit 1"])
    with pytest.raises(InspectionError, match="no Blender at"):
        find_blender("/nowhere/blender")
