"""Scenes for session tests, and what plain Blender makes of them: no code of the farm has a part in it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from agent.blender.locate import Blender

#: What the session tests try: this Python's ``bpy``, and what RENDERFARM_TEST_BLENDERS names.  Those are Pythons with a
#: ``bpy`` and ``blender`` executables, separated by ``:``.
BLENDERS = [
    Blender((0, 0, 0), "bpy" if path.name.startswith("python") else "executable", path)
    for path in map(Path, [sys.executable, *filter(None, os.environ.get("RENDERFARM_TEST_BLENDERS", "").split(":"))])
]

#: By name: what ``image_settings`` are set to.
FORMATS: dict[str, dict[str, str]] = {
    "png8": {"file_format": "PNG", "color_mode": "RGBA", "color_depth": "8"},
    "png16": {"file_format": "PNG", "color_mode": "RGB", "color_depth": "16"},
    "jpeg": {"file_format": "JPEG", "color_mode": "RGB"},
    "exr_half": {"file_format": "OPEN_EXR", "color_mode": "RGBA", "color_depth": "16"},
    "exr_float": {"file_format": "OPEN_EXR", "color_mode": "RGB", "color_depth": "32"},
}

WIDTH, HEIGHT = 64, 48

_PRELUDE = """
import json, os, sys
from pathlib import Path
import bpy
arguments = json.loads(sys.argv[-1])

def small_scene(scene):
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 2
    scene.cycles.use_denoising = False
    scene.cycles.use_adaptive_sampling = False  # it would end long renders early
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    # The same file twice would differ by the time it was rendered.
    for name in scene.render.bl_rna.properties.keys():
        if name.startswith("use_stamp"):
            setattr(scene.render, name, False)

def move(thing):
    thing.keyframe_insert("location", frame=1)
    thing.location.x += 2
    thing.keyframe_insert("location", frame=5)

def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(arguments["folder"]) / name), compress=False, relative_remap=False)

"""

_END = """
sys.stdout.flush()
os._exit(0)
"""

MAKE_FORMATS = """
scene = bpy.context.scene
small_scene(scene)
move(bpy.data.objects["Cube"])
# Writes where it likes: the farm must not let it.
if hasattr(scene, "compositing_node_group"):
    scene.compositing_node_group = tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    output = tree.nodes.new("NodeGroupOutput")
else:
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("CompositorNodeComposite")
layers, invert = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeInvert")
elsewhere = tree.nodes.new("CompositorNodeOutputFile")
where = "directory" if hasattr(elsewhere, "directory") else "base_path"
setattr(elsewhere, where, arguments["elsewhere"])
if where == "directory":
    elsewhere.file_output_items.new("RGBA", "stray")
colour = next(socket.name for socket in invert.inputs if socket.type == "RGBA")
tree.links.new(layers.outputs["Image"], invert.inputs[colour])
tree.links.new(invert.outputs["Color"], output.inputs[0])
tree.links.new(invert.outputs["Color"], elsewhere.inputs[0])
for name, settings in arguments["formats"].items():
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    for key, value in settings.items():
        setattr(scene.render.image_settings, key, value)
    save(name + ".blend")
"""

#: Blender's own animation render, as ``blender -b FILE -f N`` does it.
PLAIN_RENDER = """
for name in arguments["names"]:
    bpy.ops.wm.open_mainfile(filepath=str(Path(arguments["folder"]) / (name + ".blend")))
    scene = bpy.context.scene
    for key, value in arguments["settings"].items():
        setattr(scene.render, key, value)
    scene.frame_start, scene.frame_end = arguments["first"], arguments["last"]
    scene.render.filepath = str(Path(arguments["folder"]) / "plain" / name / "####")
    bpy.ops.render.render(animation=True)
"""

MAKE_OTHERS = """
import wave
scene = bpy.context.scene
small_scene(scene)
save("plain.blend")

other = bpy.data.scenes.new("Other")
small_scene(other)
other.render.resolution_x, other.render.resolution_y = 40, 30
save("two_scenes.blend")

scene.camera = None
save("no_camera.blend")

bpy.ops.wm.read_factory_settings()
scene = bpy.context.scene
small_scene(scene)
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 101, 67, 77
scene.render.use_border = scene.render.use_crop_to_border = True
scene.render.border_min_x, scene.render.border_max_x = 0.1, 0.7
scene.render.border_min_y, scene.render.border_max_y = 1 / 3, 0.9
if hasattr(scene.render.image_settings, "media_type"):
    scene.render.image_settings.media_type = "VIDEO"
scene.render.image_settings.file_format = "FFMPEG"
save("cropped_movie.blend")
scene.render.use_multiview = True
if hasattr(scene.render.image_settings, "media_type"):
    scene.render.image_settings.media_type = "IMAGE"
scene.render.image_settings.file_format = "OPEN_EXR"
scene.render.image_settings.views_format = "MULTIVIEW"
save("stereo.blend")

bpy.ops.wm.read_factory_settings()
scene = bpy.context.scene
small_scene(scene)
picture = bpy.data.images.new("wood", 8, 8)
picture.filepath_raw, picture.file_format = str(Path(arguments["folder"]) / "wood.png"), "PNG"
picture.generated_color = (1, 0, 0, 1)
picture.save()
bpy.data.images.remove(picture)
material = bpy.data.objects["Cube"].data.materials[0]
material.use_nodes = True
texture = material.node_tree.nodes.new("ShaderNodeTexImage")
texture.image = bpy.data.images.load(str(Path(arguments["folder"]) / "wood.png"))
shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
material.node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
texture.image.filepath = "/home/ana/textures/wood.png"
save("textured.blend")

bpy.ops.wm.read_factory_settings()
scene = bpy.context.scene
small_scene(scene)
scene.render.fps = 24
scene.frame_start, scene.frame_end = 1, 48
with wave.open(str(Path(arguments["folder"]) / "tone.wav"), "wb") as tone:
    tone.setnchannels(1); tone.setsampwidth(2); tone.setframerate(48000)
    tone.writeframes(bytes(range(256)) * 750)
if bpy.app.build_options.audaspace:  # the bpy module of 4.2 is built without
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_sound("tone", str(Path(arguments["folder"]) / "tone.wav"), 1, 1)
    save("sound.blend")

class Foreign(bpy.types.RenderEngine):
    bl_idname = "FOREIGN"
    bl_label = "An add-on's"

bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.utils.register_class(Foreign)
bpy.context.scene.render.engine = "FOREIGN"
save("foreign_engine.blend")
"""


def plain_blender(blender: Blender, body: str, folder: Path, **arguments: Any) -> str:
    """Run ``body`` in a Blender of its own and return what it printed."""
    program = folder / "program.py"
    program.write_text(_PRELUDE + body + _END)
    start = {
        "bpy": ["-I", str(program)],
        "executable": ["--background", "--factory-startup", "--python-exit-code", "1", "--python", str(program), "--"],
    }
    done = subprocess.run(
        [str(blender.path), *start[blender.kind], json.dumps({"folder": str(folder), **arguments})],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout
