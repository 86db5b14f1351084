"""Scenes to measure with: a light one, and one that takes long to prepare."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

#: Subdivision of each ball: 4 to the power of it times 80 triangles.
SUBDIVISIONS = 6

_MAKE = """
import json, math, sys
import bpy

path, options = sys.argv[1], json.loads(sys.argv[2])
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.name = "Shot"
scene.frame_start, scene.frame_end = 1, options["frames"]
scene.render.engine = "CYCLES"
scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 4, False
scene.render.resolution_x, scene.render.resolution_y = options["width"], options["width"] * 9 // 16
scene.render.resolution_percentage = 100
scene.render.image_settings.file_format = "PNG"
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
camera.location, camera.rotation_euler = (0, -9, 1), (math.pi / 2, 0, 0)
camera.keyframe_insert("location", frame=1)
camera.location.x = 2
camera.keyframe_insert("location", frame=options["frames"])
lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "SUN"))
lamp.rotation_euler = (0.6, 0.3, 0)
for made in (camera, lamp):
    scene.collection.objects.link(made)
scene.camera = camera
for number in range(options["balls"]):
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=2, location=(number % 4 * 2 - 3, number // 4 * 2, 0))
    if options["subdivisions"]:
        smooth = bpy.context.object.modifiers.new("Smooth", "SUBSURF")
        smooth.subdivision_type = "SIMPLE"
        smooth.levels = smooth.render_levels = options["subdivisions"]
bpy.ops.wm.save_as_mainfile(filepath=path)
"""

_RENDER = """
import sys
import bpy

bpy.ops.wm.open_mainfile(filepath=sys.argv[1], use_scripts=False)
bpy.context.scene.render.filepath = sys.argv[2] + "/"
bpy.ops.render.render(animation=True)
"""


_ASK = """
import json, sys
import bpy

bpy.ops.wm.open_mainfile(filepath=sys.argv[1], use_scripts=False)
with open(sys.argv[2], "w") as file:
    json.dump([bpy.context.scene.name, bpy.context.scene.frame_start], file)
"""


def make_light(path: Path, frames: int) -> Path:
    """Save a scene of one ball, of which a frame takes a fraction of a second, and return its path."""
    return _make(path, frames=frames, balls=1, subdivisions=0, width=640)


def make_heavy(path: Path, frames: int, balls: int = 6) -> Path:
    """Save a small file that takes long to prepare, by modifiers, for a picture that takes no time; return its path."""
    return _make(path, frames=frames, balls=balls, subdivisions=SUBDIVISIONS, width=64)


def render_plainly(blend: Path, folder: Path) -> None:
    """Render a scene's animation as it stands, with its own settings, as ``blender -b FILE -a`` does.

    The ``bpy`` module is that Blender; the process is as new as an artist's would be.
    """
    folder.mkdir(parents=True)
    _run(_RENDER, str(blend), str(folder))


def scene_of(blend: Path) -> tuple[str, int]:
    """Return the name of the scene that a file opens with, and its first frame."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "scene.json"
        _run(_ASK, str(blend), str(answer))
        name, first = json.loads(answer.read_text())
    return name, first


def _make(path: Path, **options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    _run(_MAKE, str(path), json.dumps(options))
    return path


def _run(script: str, *arguments: str) -> None:
    # An orderly exit of bpy may hang (docs/FACTS.md).
    script += "\nimport os\nos._exit(0)\n"
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, stdout=subprocess.DEVNULL)
