"""Blender in a process of its own, as plain as an artist has it: makes the tests' scenes, renders what they must equal.

Nothing of the farm is used here: what comes out is the oracle.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.farm import PATIENCE, clean_environment

_MAKE_SCENE = """
import json, math, struct, sys, wave
from pathlib import Path
import bpy

folder, options = Path(sys.argv[-2]), json.loads(sys.argv[-1])
folder.mkdir(parents=True, exist_ok=True)
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.name = "Shot"
scene.frame_start, scene.frame_end = options["frames"]
scene.render.engine = options["engine"]
scene.render.resolution_x, scene.render.resolution_y = options["resolution"]
scene.render.resolution_percentage = 100
scene.render.fps = 24
if options["engine"] == "CYCLES":
    scene.cycles.samples = options["samples"]
    scene.cycles.use_denoising = False
for name, value in options["image_settings"].items():
    setattr(scene.render.image_settings, name, value)

picture = bpy.data.images.new("checker", 32, 32)
colours = (.1, .3, 1, 1), (1, .2, .1, 1)
picture.pixels = [c for y in range(32) for x in range(32) for c in colours[(x // 4 + y // 4) % 2]]
(folder / "textures").mkdir(exist_ok=True)
picture.filepath_raw, picture.file_format = str(folder / "textures" / "checker.png"), "PNG"
picture.save()
bpy.data.images.remove(picture)
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
picture = bpy.data.images.load("//textures/checker.png")

bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.object
material = bpy.data.materials.new("checked")
material.use_nodes = True
texture = material.node_tree.nodes.new("ShaderNodeTexImage")
texture.image = picture
material.node_tree.links.new(texture.outputs["Color"], material.node_tree.nodes["Principled BSDF"].inputs["Base Color"])
cube.data.materials.append(material)
cube.keyframe_insert("rotation_euler", frame=scene.frame_start)
cube.rotation_euler = (0.7, 0.4, math.pi)
cube.keyframe_insert("rotation_euler", frame=scene.frame_end)
light = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
light.rotation_euler = (0.6, 0.3, 0)
light.data.energy = 4
scene.collection.objects.link(light)
if options["camera"]:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (5, -5, 4), (1.05, 0, 0.785)
    scene.collection.objects.link(camera)
    scene.camera = camera
if options["sound"]:
    with wave.open(str(folder / "tone.wav"), "wb") as tone:
        tone.setnchannels(1); tone.setsampwidth(2); tone.setframerate(48000)
        heights = (int(9000 * math.sin(i * 440 / 48000 * 2 * math.pi)) for i in range(96000))
        tone.writeframes(b"".join(struct.pack("<h", height) for height in heights))
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_sound("tone", "//tone.wav", 1, scene.frame_start)
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"), compress=options["compress"])
sys.stdout.flush()
import os; os._exit(0)
"""

_RENDER_LOCALLY = """
import json, os, sys
import bpy

blend, folder, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
try:
    bpy.ops.wm.open_mainfile(filepath=blend, use_scripts=False)
except RuntimeError:
    # Blender reports lost links this way too; the file is open all the same.
    assert os.path.samefile(bpy.data.filepath, blend)
scene = bpy.data.scenes[options["scene"]] if options.get("scene") else bpy.context.scene
if options.get("samples"):
    scene.cycles.samples = options["samples"]
    for name in ("taa_render_samples",):
        setattr(scene.eevee, name, options["samples"])
if options.get("percentage"):
    scene.render.resolution_percentage = options["percentage"]
if options.get("format"):
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = options["format"]
scene.render.filepath = os.path.join(folder, "")
for frame in options["frames"]:
    # As `blender -b FILE -f N` does.
    scene.frame_start = scene.frame_end = frame
    bpy.ops.render.render(animation=True, scene=scene.name)
sys.stdout.flush()
os._exit(0)
"""

_MODULE = [sys.executable, "-c"]
_PROGRAM_FOLLOWS = ["--background", "--factory-startup", "--python-exit-code", "1", "--python-expr"]


def _run_blender(start: list[str], script: str, *arguments: str) -> None:
    done = subprocess.run(
        [*start, script, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=clean_environment(),
        check=False,
    )
    assert done.returncode == 0, f"Blender exited with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def make_scene(folder: Path, *, executable: Path | None = None, **options: Any) -> Path:
    """Have Blender make a turning textured cube in ``folder``; return its .blend.

    It is this Python's ``bpy`` that makes it, or else the ``executable``.
    Options: frames (first, last), resolution, samples, engine, image_settings (of scene.render.image_settings, in the
    order to set them), camera, sound, compress.
    """
    defaults = {
        "frames": [1, 4],
        "resolution": [64, 36],
        "samples": 2,
        "engine": "CYCLES",
        "image_settings": {"file_format": "PNG"},
        "camera": True,
        "sound": False,
        "compress": False,
    }
    unknown = options.keys() - defaults.keys()
    assert not unknown, unknown
    start = _MODULE if executable is None else [str(executable), *_PROGRAM_FOLLOWS]
    _run_blender(start, _MAKE_SCENE, str(folder), json.dumps(defaults | options))
    return folder / "shot.blend"


def render_locally(blend: Path, folder: Path, frames: list[int], **options: Any) -> list[Path]:
    """Render ``frames`` with plain Blender into ``folder``, in a process of its own; return the files in order.

    Options: scene, samples, percentage, format; each left out means the scene's own.
    """
    folder.mkdir(parents=True)
    _run_blender(_MODULE, _RENDER_LOCALLY, str(blend), str(folder), json.dumps({"frames": frames, **options}))
    return sorted(folder.iterdir())
