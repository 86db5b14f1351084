"""Scenes that try to get out, made with Blender itself: Python, shaders and output paths that they bring along."""

from pathlib import Path
from typing import Any

from agent.blender.locate import Blender
from tests.in_blender.session_scenes import plain_blender

_SMALL = """
scene = bpy.context.scene
small_scene(scene)
"""

#: Python that Blender runs when it opens the file, where that is allowed.
AUTO_RUN = (
    _SMALL
    + """
text = bpy.data.texts.new("attack.py")
text.write(arguments["attack"])
text.use_module = True
save("auto_run.blend")
"""
)

#: The same as an expression of a driver.
DRIVER = (
    _SMALL
    + """
driver = bpy.data.objects["Cube"].driver_add("location", 0).driver
driver.type = "SCRIPTED"
driver.expression = arguments["attack"]
save("driver.blend")
"""
)

#: A style module of Freestyle, which runs when the frame is rendered.
FREESTYLE = (
    _SMALL
    + """
scene.render.use_freestyle = True
layer = scene.view_layers[0]
layer.use_freestyle = True
layer.freestyle_settings.mode = "SCRIPT"
style = bpy.data.texts.new("style.py")
style.write(arguments["attack"])
layer.freestyle_settings.modules.new().script = style
save("freestyle.blend")
"""
)

#: A shader in Open Shading Language that paints the cube with a picture from anywhere on the machine.
OSL = (
    _SMALL
    + """
scene.cycles.shading_system = True
import types
import _cycles
# The module is built without what looks for a shader's sockets; they are made by hand.
sys.modules.setdefault("oslquery", types.SimpleNamespace(OSLQuery=lambda path: None))
source, compiled = (str(Path(arguments["folder"]) / name) for name in ("read.osl", "read.oso"))
Path(source).write_text('shader read(output color Colour = 0) {'
    'Colour = texture("' + arguments["picture"] + '", 0.5, 0.5, "missingcolor", color(0, 0, 0)); }')
assert _cycles.osl_compile(source, compiled)
material = bpy.data.materials.new("Reads")
material.use_nodes = True
tree = material.node_tree
tree.nodes.clear()
script = tree.nodes.new("ShaderNodeScript")
script.mode, script.filepath = "EXTERNAL", "//read.oso"
colour = script.outputs.new("NodeSocketColor", "Colour")
emission, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
tree.links.new(emission.outputs[0], output.inputs[0])
tree.links.new(colour, emission.inputs[0])
cube = bpy.data.objects["Cube"].data
cube.materials.clear()
cube.materials.append(material)
save("osl.blend")
"""
)

#: File Output nodes that climb out of every folder.
OUTPUTS = (
    _SMALL
    + """
if hasattr(scene, "compositing_node_group"):
    scene.compositing_node_group = tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    picture = tree.nodes.new("NodeGroupOutput")
else:
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    picture = tree.nodes.new("CompositorNodeComposite")
layers = tree.nodes.new("CompositorNodeRLayers")
tree.links.new(layers.outputs["Image"], picture.inputs[0])
for folder, name in arguments["outputs"]:
    node = tree.nodes.new("CompositorNodeOutputFile")
    if hasattr(node, "directory"):
        node.format.media_type = "IMAGE"
        node.directory, node.file_name = folder, name
        node.file_output_items.new("RGBA", "Image")
    else:
        node.base_path, node.file_slots[0].path = folder, name
    node.format.file_format = "PNG"
    tree.links.new(layers.outputs["Image"], node.inputs[0])
save("outputs.blend")
"""
)


def make(blender: Blender, body: str, folder: Path, **arguments: Any) -> Path:
    """Make one of these scenes in a folder and return it."""
    plain_blender(blender, body, folder, **arguments)
    (scene,) = folder.glob("*.blend")
    return scene
