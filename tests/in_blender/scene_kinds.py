"""One small scene for each way of setting pictures up, what Blender renders of it, and what the add-on asks for.

The farm's and Blender's pictures must be the same, so that nothing is random: Cycles takes one sample of plain light.
"""

#: By name: the scene's own Blender settings are made here, what the artist sets in the panel too.
MAKE = """
import math

blend, plain = arguments["blend"], Path(arguments["plain"])
bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("addon", default_set=True)

def shines(name, colour):
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    out, emit = nodes.new("ShaderNodeOutputMaterial"), nodes.new("ShaderNodeEmission")
    emit.inputs["Color"].default_value = (*colour, 1)
    material.node_tree.links.new(emit.outputs[0], out.inputs[0])
    return material

RED, BLUE = shines("Red", (1, 0, 0)), shines("Blue", (0, 0, 1))

def camera(scene, name, x=0.0):
    made = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    made.location, made.rotation_euler = (x, -6, 0), (math.pi / 2, 0, 0)
    scene.collection.objects.link(made)
    return made

def cube(name, material, x, collection, size=1.0):
    mesh = bpy.data.meshes.new(name)
    corners = [(a * size, b * size, c * size) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh.from_pydata(corners, [], sides)
    mesh.materials.append(material)
    made = bpy.data.objects.new(name, mesh)
    made.location = (x, 0, 0)
    collection.objects.link(made)
    # It turns and goes along: frames differ, and so do both eyes.
    made.rotation_euler.z = 0.3
    made.keyframe_insert("location", frame=1)
    made.location.x += 1.0
    made.keyframe_insert("location", frame=2)
    return made

def film(name, camera_name="Camera"):
    scene = bpy.context.scene if name == "First" else bpy.data.scenes.new(name)
    scene.name = name
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 1, False, 0
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.filepath = str(plain / name / "####")
    scene.frame_start, scene.frame_end = 1, 2
    for field in scene.render.bl_rna.properties.keys():
        if field.startswith("use_stamp"):
            setattr(scene.render, field, False)
    scene.camera = camera(scene, f"{camera_name} of {name}")
    return scene

def both(scene):
    cube("Red cube", RED, -1, scene.collection)
    cube("Blue cube", BLUE, 1.5, scene.collection, 0.5)
    return scene

def strips_of(scene):
    editor = scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences

def colour_strip(scene, colour):
    end = {"length": 2} if bpy.app.version >= (5, 0) else {"frame_end": 3}
    strip = strips_of(scene).new_effect("Colour", "COLOR", 1, 1, **end)
    strip.color = colour
    return strip

both(film("First"))

second = film("Second")
cube("Only here", BLUE, 0, second.collection, 1.5)

cameras = both(film("Every camera", "Near"))
cameras.camera.location.x = 0.7
camera(cameras, "Far", 1.5)
cameras.renderfarm.cameras = "EACH"

one = both(film("One camera", "Left out"))
camera(one, "Chosen", -1.5)
one.renderfarm.cameras, one.renderfarm.camera = "ONE", "Chosen"

markers = both(film("Markers"))
for frame, name, x in ((1, "Early", -1.0), (2, "Late", 1.0)):
    markers.timeline_markers.new(name, frame=frame).camera = camera(markers, name, x)

def layered(name, size=1.0):
    scene = film(name)
    for layer, material, x in (("Left", RED, -1), ("Right", BLUE, 1)):
        collection = bpy.data.collections.new(f"{layer} of {name}")
        scene.collection.children.link(collection)
        cube(f"{layer} cube", material, x, collection, size)
    first = scene.view_layers[0]
    first.name = "Left"
    other = scene.view_layers.new("Right")
    first.layer_collection.children[f"Right of {name}"].exclude = True
    other.layer_collection.children[f"Left of {name}"].exclude = True
    return scene

def compose(scene):
    scene.render.film_transparent = True
    if hasattr(scene, "compositing_node_group"):
        scene.compositing_node_group = tree = bpy.data.node_groups.new(scene.name, "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    over = tree.nodes.new("CompositorNodeAlphaOver")
    pictures = [socket for socket in over.inputs if socket.type == "RGBA"]
    for layer, socket in zip(("Left", "Right"), pictures):
        node = tree.nodes.new("CompositorNodeRLayers")
        node.scene, node.layer = scene, layer
        tree.links.new(node.outputs["Image"], socket)
    tree.links.new(over.outputs["Image"], output.inputs[0])

compose(layered("View layers"))
single = layered("One view layer")
single.renderfarm.use_view_layers = True
single.view_layers["Left"].renderfarm.wanted = False
passes = layered("Passes of two of three view layers", 0.4)
if hasattr(passes.render.image_settings, "media_type"):
    passes.render.image_settings.media_type = "MULTI_LAYER_IMAGE"
passes.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
passes.view_layers["Left"].use_pass_normal = True
passes.view_layers.new("Third")
passes.renderfarm.use_view_layers = True
passes.view_layers["Third"].renderfarm.wanted = False
off = layered("A view layer is off", 0.7)
off.view_layers["Left"].use = False
layered("Only the view layer shown").render.use_single_layer = True

def stereo(name, views_format="STEREO_3D"):
    scene = both(film(name))
    scene.render.use_multiview = True
    scene.render.image_settings.views_format = views_format
    scene.camera.data.stereo.interocular_distance = 0.5
    return scene

side = stereo("Side by side")
side.render.image_settings.stereo_3d_format.display_mode = "SIDEBYSIDE"
squeezed = stereo("Top and bottom, squeezed")
squeezed.render.image_settings.stereo_3d_format.display_mode = "TOPBOTTOM"
squeezed.render.image_settings.stereo_3d_format.use_squeezed_frame = True
deep = stereo("Anaglyph in OpenEXR")
deep.render.image_settings.file_format = "OPEN_EXR"
deep.render.image_settings.stereo_3d_format.display_mode = "ANAGLYPH"
stereo("A file for each eye", "INDIVIDUAL").camera.data.stereo.pivot = "CENTER"

for name, crop in (("Border", False), ("Border, cropped", True)):
    bordered = both(film(name))
    bordered.render.use_border, bordered.render.use_crop_to_border = True, crop
    bordered.render.border_min_x, bordered.render.border_max_x = 0.1, 0.7
    bordered.render.border_min_y, bordered.render.border_max_y = 1 / 3, 0.9

drawn = both(film("Freestyle"))
drawn.render.use_freestyle = True
lines = drawn.view_layers[0].freestyle_settings
lineset = lines.linesets.new("Lines")
if lineset.linestyle is None:
    lineset.linestyle = bpy.data.linestyles.new("Lines")
lineset.linestyle.thickness = 3

ink = both(film("Grease Pencil"))
bpy.context.window.scene = ink
bpy.ops.object.grease_pencil_add(type="MONKEY", location=(-1, -3, 0), rotation=(0, 0, 0.3))
bpy.context.window.scene = bpy.data.scenes["First"]

strips_only = film("Strips without a camera")
bpy.data.objects.remove(strips_only.camera)
colour_strip(strips_only, (0.8, 0.4, 0.1))
shown = film("A strip that shows a scene")
bpy.data.objects.remove(shown.camera)
strips_of(shown).new_scene("Shown", second, 1, 1)
over = colour_strip(shown, (0, 0.2, 0))
over.channel, over.blend_type = 2, "ADD"
cut = film("Border, cropped, of strips")
colour_strip(cut, (0.8, 0.4, 0.1))
cut.render.use_border = cut.render.use_crop_to_border = True
cut.render.border_max_x = 0.5

bpy.ops.wm.save_as_mainfile(filepath=blend, compress=False)
"""

#: The add-on looks at every scene of the file, and Blender itself renders it as the artist at home would see it.
RENDER = """
addon_utils.enable("addon", default_set=True)
from addon.sending import _requests, check_scene

answer = {}
bpy.ops.wm.open_mainfile(filepath=arguments["blend"], use_scripts=False)
for name in [scene.name for scene in bpy.data.scenes]:
    scene = bpy.data.scenes[name]
    checked = check_scene(scene)
    answer[name] = {
        "problems": [[problem.severity, problem.code, str(problem)] for problem in checked.problems],
        "requests": _requests(checked),
    }
    settings, folder = scene.renderfarm, Path(scene.render.filepath).parent
    cameras = {"EACH": [item for item in scene.objects if item.type == "CAMERA"],
               "ONE": [scene.objects.get(settings.camera)], "SCENE": [scene.camera]}[settings.cameras]
    if settings.use_view_layers:
        for layer in scene.view_layers:
            layer.use = layer.renderfarm.wanted
    bpy.context.window.scene = scene
    for camera in sorted(cameras, key=lambda camera: camera.name if camera else ""):
        scene.camera = camera
        scene.render.filepath = str(folder / (camera.name if settings.cameras == "EACH" else "") / "####")
        bpy.ops.render.render(animation=True)
"""
