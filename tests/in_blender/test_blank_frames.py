"""What Blender itself writes when there is nothing to be seen, told from pictures as the farm does it."""

import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.protocol import ColorMode, ImageFormat
from coordinator.protocol.pictures import Wanted, read_picture

pytestmark = pytest.mark.slow

#: The lamp is keyed off at frame 2, and on again at 3.
_RENDER = """
import os, sys
import bpy

folder = sys.argv[1]
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.device, scene.cycles.samples = "CPU", 2
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 64, 36, 100
scene.world = None
lamp = bpy.data.lights[0]
for frame, energy in ((1, 1000.0), (2, 0.0), (3, 1000.0)):
    lamp.energy = energy
    lamp.keyframe_insert("energy", frame=frame)
image = scene.render.image_settings
for frame in (1, 2, 3):
    scene.frame_set(frame)
    for kind, depth, name in (
        ("PNG", "8", "png"), ("PNG", "16", "png"), ("JPEG", "8", "jpg"), ("OPEN_EXR", "32", "exr")
    ):
        image.file_format, image.color_mode = kind, "RGB"
        if kind != "JPEG":
            image.color_depth = depth
        scene.render.filepath = f"{folder}/{kind}-{depth}-{frame}.{name}"
        bpy.ops.render.render(write_still=True)
scene.render.film_transparent = True
bpy.data.objects["Cube"].hide_render = True
image.file_format, image.color_mode, image.color_depth = "OPEN_EXR", "RGBA", "16"
scene.render.filepath = f"{folder}/empty.exr"
bpy.ops.render.render(write_still=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of frames."""
    folder = tmp_path_factory.mktemp("frames")
    subprocess.run([sys.executable, "-c", _RENDER, str(folder)], check=True, capture_output=True, timeout=240)
    return folder


@pytest.mark.parametrize(
    ("kind", "depth", "suffix"),
    [
        (ImageFormat.PNG, 8, "png"),
        (ImageFormat.PNG, 16, "png"),
        (ImageFormat.JPEG, 8, "jpg"),
        (ImageFormat.OPEN_EXR, 32, "exr"),
    ],
)
def test_a_frame_without_light_is_black(rendered: Path, kind: ImageFormat, depth: int, suffix: str) -> None:
    wanted = Wanted(kind, (64, 36), ColorMode.RGB, depth)
    looks = [read_picture(rendered / f"{kind}-{depth}-{frame}.{suffix}", wanted).blank for frame in (1, 2, 3)]
    assert looks == [None, "black", None]


def test_a_frame_without_anything_is_transparent(rendered: Path) -> None:
    picture = read_picture(rendered / "empty.exr", Wanted(ImageFormat.OPEN_EXR, (64, 36), ColorMode.RGBA, 16))
    assert (picture.blank, picture.nan_pixels) == ("transparent", 0)
