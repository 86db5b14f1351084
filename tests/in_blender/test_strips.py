"""What was downloaded comes into the video sequencer: frames as one strip, a film with its sound if it has any."""

import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from tests.in_blender.blender import in_blender

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("submission")]

_ADD = """
addon_utils.enable("addon", default_set=True)
from addon import state
from addon.results import Download, Placement

folder, scene = Path(arguments["folder"]), bpy.context.scene
picture = bpy.data.images.new("frame", 64, 36)
frames = []
for frame in (3, 5, 7):
    path = folder / f"{frame:04}.png"
    picture.save(filepath=str(path))
    frames.append((frame, path))

def add(film):
    download = state.current().download = Download(None, 1, Placement.in_folder(folder, "job"))
    download.frames, download.video = frames, folder / film
    bpy.ops.renderfarm.add_strip(what="FRAMES")
    bpy.ops.renderfarm.add_strip(what="VIDEO")
    editor = scene.sequence_editor
    strips = list(editor.strips if hasattr(editor, "strips") else editor.sequences)
    return [[it.type, it.channel, it.frame_final_start, it.frame_final_duration] for it in strips]

scene.render.fps = 24
scene.frame_current = 10
answer = [add("loud.mp4"), add("silent.mp4"), len(bpy.data.sounds)]
"""


def film(path: Path, *sound: str) -> None:
    picture = ["-f", "lavfi", "-i", "color=red:size=64x36:rate=24:duration=1"]
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *picture, *sound, "-pix_fmt", "yuv420p"]
    subprocess.run([*ffmpeg, path], check=True)


def test_frames_and_films_become_strips_above_all_others(tmp_path: Path) -> None:
    film(tmp_path / "loud.mp4", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac")
    film(tmp_path / "silent.mp4")
    first, both, sounds = in_blender(_ADD, tmp_path, folder=str(tmp_path))

    def placed(strips: list[Any]) -> list[Any]:
        return sorted((channel, kind, start) for kind, channel, start, _ in strips)

    assert placed(first) == [(1, "IMAGE", 10), (2, "SOUND", 10), (3, "MOVIE", 10)]
    assert placed(both) == [*placed(first), (4, "IMAGE", 10), (6, "MOVIE", 10)]
    assert sounds == 1
    assert {kind: length for kind, *_, length in first}["IMAGE"] == 3
    assert {kind: length for kind, *_, length in first}["MOVIE"] == 24
