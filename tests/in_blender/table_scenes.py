"""One small scene for each kind of file that a scene can need, made and rendered by Blender.

The scenes name their files by absolute paths in folders of their own, so that a render from a pack shows whether they
were found, given a place and pointed to.
"""

from tests.in_blender.table_caches import CACHES
from tests.in_blender.table_links import LINKED
from tests.in_blender.table_strips import STRIPS

_PLAIN = """
import math, struct, traceback

top = Path(arguments["top"])

def place(name):
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)

def picture(name, colour):
    image = bpy.data.images.new("new", 8, 8)
    image.pixels[:] = [*colour, 1.0] * 64
    image.filepath_raw, image.file_format = place(name), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return place(name)

def start(kind):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=place(f"{kind}/shot.blend"))
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.render.image_settings.compression = 0
    scene.frame_start, scene.frame_end = 1, 6
    scene.view_settings.view_transform = "Standard"
    bpy.ops.object.camera_add(location=(0, -6, 0), rotation=(math.pi / 2, 0, 0))
    scene.camera = bpy.context.object
    bpy.ops.object.light_add(type="SUN", location=(0, -5, 5), rotation=(1.0, 0, 0))
    return scene

def plane():
    bpy.ops.mesh.primitive_plane_add(size=3, rotation=(math.pi / 2, 0, 0))
    return bpy.context.object

def shader(item=None):
    material = bpy.data.materials.new("m")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    out, emit = nodes.new("ShaderNodeOutputMaterial"), nodes.new("ShaderNodeEmission")
    material.node_tree.links.new(emit.outputs[0], out.inputs[0])
    if item is not None:
        item.data.materials.append(material)
    return material, nodes, material.node_tree.links, emit

def textured(image, item):
    material, nodes, links, emit = shader(item)
    node = nodes.new("ShaderNodeTexImage")
    node.image = image
    links.new(node.outputs["Color"], emit.inputs["Color"])
    return node

def image(kind):
    textured(bpy.data.images.load(picture(f"ext/{kind}/wood é x.png", (0.8, 0.3, 0.1))), plane())

def sequence(kind):
    for number in range(1, 7):
        picture(f"ext/{kind}/f_{number:04}.png", (number / 8, 0.2, 0.5))
    loaded = bpy.data.images.load(place(f"ext/{kind}/f_0001.png"))
    loaded.source = "SEQUENCE"
    node = textured(loaded, plane())
    node.image_user.frame_duration, node.image_user.use_auto_refresh = 6, True

def tiles(kind):
    for number in (1001, 1002):
        picture(f"ext/{kind}/w.{number}.png", (0.1, number - 1001, 0.6))
    loaded = bpy.data.images.load(place(f"ext/{kind}/w.1001.png"))
    loaded.source, loaded.filepath = "TILED", place(f"ext/{kind}/w.<UDIM>.png")
    loaded.tiles.new(1002)
    item = plane()
    for loop in item.data.uv_layers[0].data:
        loop.uv.x *= 2
    textured(loaded, item)

def film(kind):
    other = bpy.data.scenes.new("film")
    other.render.engine = "CYCLES"
    other.render.resolution_x = other.render.resolution_y = 32
    other.frame_end = 6
    editor = other.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    colour = strips.new_effect("colour", "COLOR", 1, 1, **(
        {"length": 10} if bpy.app.version >= (5, 0) else {"frame_end": 10}))
    colour.color = (0.1, 0.7, 0.3)
    if hasattr(other.render.image_settings, "media_type"):
        other.render.image_settings.media_type = "VIDEO"
    other.render.image_settings.file_format = "FFMPEG"
    other.render.ffmpeg.format, other.render.ffmpeg.codec = "MPEG4", "H264"
    other.render.use_file_extension = False
    other.render.filepath = place(f"ext/{kind}/film.mp4")
    bpy.ops.render.render(animation=True, scene=other.name)
    bpy.data.scenes.remove(other)
    return place(f"ext/{kind}/film.mp4")

def movie(kind):
    node = textured(bpy.data.images.load(film(kind)), plane())
    node.image_user.frame_duration, node.image_user.use_auto_refresh = 6, True

def strip_of(scene):
    editor = scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences

def movie_strip(kind):
    path = film(kind)
    strip_of(bpy.context.scene).new_movie("film", path, 1, 1)

def image_strip(kind):
    for number in (1, 2, 3, 4, 5, 6):
        picture(f"ext/{kind}/{number}.png", (0.2, number / 8, 0.9))
    strip = strip_of(bpy.context.scene).new_image("pictures", place(f"ext/{kind}/1.png"), 1, 1)
    for number in (2, 3, 4, 5, 6):
        strip.elements.append(f"{number}.png")

def scene_strip(kind):
    textured(bpy.data.images.load(picture(f"ext/{kind}/wood.png", (0.8, 0.3, 0.9))), plane())
    shown = bpy.context.scene
    edit = bpy.data.scenes.new("edit")
    edit.render.resolution_x = edit.render.resolution_y = 32
    edit.render.engine, edit.frame_end = "CYCLES", 6
    strip_of(edit).new_scene("shown", shown, 1, 1)
    bpy.context.window.scene = edit

def compositor_input(kind):
    plane()
    scene = bpy.context.scene
    loaded = bpy.data.images.load(picture(f"ext/{kind}/over.png", (0.9, 0.8, 0.1)))
    clip = bpy.data.movieclips.load(picture(f"ext/{kind}/clip.png", (0.1, 0.2, 0.9)))
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    mix, out = tree.nodes.new("CompositorNodeMixRGB"), tree.nodes.new("CompositorNodeComposite")
    one, two = tree.nodes.new("CompositorNodeImage"), tree.nodes.new("CompositorNodeMovieClip")
    one.image, two.clip = loaded, clip
    tree.nodes.new("CompositorNodeRLayers")
    tree.links.new(one.outputs[0], mix.inputs[1])
    tree.links.new(two.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], out.inputs[0])

def font(kind):
    import shutil
    fonts = Path(bpy.utils.system_resource("DATAFILES", path="fonts"))
    source = next(path for path in sorted(fonts.iterdir()) if "Mono" in path.name)
    shutil.copy(source, place(f"ext/{kind}/{source.name}"))
    bpy.ops.object.text_add(rotation=(math.pi / 2, 0, 0), location=(-1.5, 0, 0))
    bpy.context.object.data.body = "WiM"
    bpy.context.object.data.font = bpy.data.fonts.load(place(f"ext/{kind}/{source.name}"))
    shader()
    bpy.context.object.data.materials.append(bpy.data.materials[0])

def exported(kind, ending):
    item = plane()
    item.scale.x, item.keyframe_insert("scale", frame=1)
    item.scale.x = 0.3
    item.keyframe_insert("scale", frame=6)
    path = place(f"ext/{kind}/shape.{ending}")
    if ending == "abc":
        bpy.ops.wm.alembic_export(filepath=path, start=1, end=6, as_background_job=False)
        bpy.data.objects.remove(item)
        bpy.ops.wm.alembic_import(filepath=path, as_background_job=False)
    else:
        bpy.ops.wm.usd_export(filepath=path, export_animation=True)
        for other in list(bpy.data.objects):
            if other.type == "MESH":
                bpy.data.objects.remove(other)
        bpy.ops.wm.usd_import(filepath=path, import_cameras=False, import_lights=False, import_materials=False)

def alembic(kind):
    exported(kind, "abc")

def usd(kind):
    exported(kind, "usdc")

def mesh_cache(kind):
    item = plane()
    points = [tuple(vertex.co) for vertex in item.data.vertices]
    with open(place(f"ext/{kind}/shape.mdd"), "wb") as file:
        file.write(struct.pack(">2i6f", 6, len(points), *[number / 24 for number in range(6)]))
        for number in range(6):
            for x, y, z in points:
                file.write(struct.pack(">3f", x * (1 - number / 8), y, z))
    modifier = item.modifiers.new("cache", "MESH_CACHE")
    modifier.cache_format, modifier.filepath = "MDD", place(f"ext/{kind}/shape.mdd")

def point_cache_file(kind):
    item = plane()
    points = [tuple(vertex.co) for vertex in item.data.vertices]
    with open(place(f"ext/{kind}/shape.pc2"), "wb") as file:
        file.write(struct.pack("<12siiffi", b"POINTCACHE2", 1, len(points), 0.0, 1.0, 8))
        for number in range(8):
            for x, y, z in points:
                file.write(struct.pack("<3f", x * (1 - number / 10), y, z))
    modifier = item.modifiers.new("cache", "MESH_CACHE")
    modifier.cache_format, modifier.filepath = "PC2", place(f"ext/{kind}/shape.pc2")

def light_profile(kind):
    plane()
    lines = ["IESNA:LM-63-2002", "TILT=NONE", "1 1000 1 3 1 1 2 0 0 0", "1 1 1", "0 45 90", "0", "100 900 0"]
    Path(place(f"ext/{kind}/lamp.ies")).write_text("\\n".join(lines) + "\\n")
    for item in bpy.data.objects:
        if item.type == "LIGHT":
            item.data.energy = 0
    bpy.ops.object.light_add(type="POINT", location=(0, -2, 1))
    light = bpy.context.object.data
    light.energy, light.use_nodes = 300, True
    profile = light.node_tree.nodes.new("ShaderNodeTexIES")
    profile.mode, profile.filepath = "EXTERNAL", place(f"ext/{kind}/lamp.ies")
    light.node_tree.links.new(profile.outputs[0], light.node_tree.nodes["Emission"].inputs["Strength"])

def multires(kind):
    item = plane()
    modifier = item.modifiers.new("m", "MULTIRES")
    for _ in range(3):
        bpy.ops.object.multires_subdivide(modifier="m", mode="LINEAR")
    bpy.ops.object.multires_external_save(filepath=place(f"ext/{kind}/shape.btx"))

def importing(kind):
    Path(place(f"ext/{kind}/shape.obj")).write_text("v -1 -1 0\\nv 1 -1 0\\nv 0 1.5 0\\nf 1 2 3\\n")
    item = plane()
    tree = bpy.data.node_groups.new("g", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("File", in_out="INPUT", socket_type="NodeSocketString")
    reader, out = tree.nodes.new("GeometryNodeImportOBJ"), tree.nodes.new("NodeGroupOutput")
    real = tree.nodes.new("GeometryNodeRealizeInstances")
    tree.links.new(reader.outputs[0], real.inputs[0])
    tree.links.new(real.outputs[0], out.inputs[0])
    modifier = item.modifiers.new("g", "NODES")
    modifier.node_group = tree
    if kind.endswith("input"):
        tree.links.new(tree.nodes.new("NodeGroupInput").outputs[0], reader.inputs["Path"])
        modifier["Socket_1"] = place(f"ext/{kind}/shape.obj")
    else:
        reader.inputs["Path"].default_value = place(f"ext/{kind}/shape.obj")

def libraries(kind):
    here = bpy.data.filepath
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=place(f"ext/{kind} b/deep.blend"))
    material, nodes, links, emit = shader()
    node = nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(picture(f"ext/{kind} maps/oak.png", (0.7, 0.9, 0.1)))
    links.new(node.outputs["Color"], emit.inputs["Color"])
    material.use_fake_user = True
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=place(f"ext/{kind} a/prop.blend"))
    with bpy.data.libraries.load(place(f"ext/{kind} b/deep.blend"), link=True, relative=False) as (there, linked):
        linked.materials = there.materials
    item = plane()
    item.data.materials.append(linked.materials[0])
    item.name = "prop"
    bpy.ops.wm.save_mainfile()
    start(kind)
    with bpy.data.libraries.load(place(f"ext/{kind} a/prop.blend"), link=True, relative=False) as (there, linked):
        linked.objects = ["prop"]
    bpy.context.scene.collection.objects.link(linked.objects[0])

def external_steps(kind):
    item = plane()
    item.rotation_euler.x = 0.5
    cache = item.modifiers.new("Cloth", "CLOTH").point_cache
    cache.use_disk_cache, cache.frame_end, cache.name = True, 6, "flag"
    bpy.ops.wm.save_mainfile()
    with bpy.context.temp_override(point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)
    import shutil
    shutil.move(place(f"{kind}/blendcache_shot"), place(f"ext/{kind}/steps"))
    cache.use_external = True
    cache.filepath, cache.index = place(f"ext/{kind}/steps"), 0

def text(kind):
    Path(place(f"ext/{kind}/notes.txt")).write_text("notes")
    bpy.data.texts.load(place(f"ext/{kind}/notes.txt"))
    plane()
"""

MAKE = (
    _PLAIN
    + CACHES
    + STRIPS
    + LINKED
    + """
kinds = {
    "image": image, "sequence": sequence, "tiles": tiles, "movie": movie, "movie strip": movie_strip,
    "image strip": image_strip, "scene strip": scene_strip, "font": font, "alembic": alembic,
    "usd": usd, "mesh cache": mesh_cache,
    "point cache file": point_cache_file, "light profile": light_profile, "multires": multires,
    "libraries": libraries, "external steps": external_steps, "text": text,
    "alembic sequence": archives, "usd sequence": archives,
    "dynamic paint": dynamic_paint, "soft body": soft_body, "shader": shader_script,
    "bake": geometry_bake, "bake elsewhere": geometry_bake, "bake of its own": geometry_bake,
    "clip strip": clip_strip, "text strip": text_strip, "meta strip": meta_strip,
    "chain": chain, "named twice": named_twice,
    "other capitals": other_capitals, "library in capitals": other_library,
}
if bpy.app.version < (5, 0):
    kinds["compositor input"] = compositor_input
    kinds["clip sequence"] = clip_sequence
    # The module of 5.0 bakes no volume, which is how the files are made.
    kinds["volume"], kinds["volume sequence"] = volume, volume_sequence
if hasattr(bpy.types, "GeometryNodeImportOBJ"):
    kinds["import node"] = kinds["import node input"] = importing
if bpy.app.version >= (4, 3):  # The module of 4.2 cannot mix.
    kinds["sound"] = sound
from agent.blender.inside.sound import mix_sound
answer = {}
for kind, make in kinds.items():
    try:
        start(kind)
        afterwards = make(kind)
        scene = bpy.context.scene
        scene.frame_set(5)
        scene.render.filepath = place(f"home/{kind}.png")
        bpy.ops.render.render(write_still=True)
        if kind == "sound":
            mix_sound(scene, place(f"home/{kind}.flac"), 1, 6)
        if afterwards is not None:
            afterwards()
        bpy.ops.wm.save_mainfile()
        from addon.dependencies import find_dependencies
        from addon.snapshot import to_plain
        answer[kind] = [to_plain(dependency) for dependency in find_dependencies()]
    except Exception:
        answer[kind] = traceback.format_exc()
"""
)

RENDER = """
import traceback
from contextlib import suppress
from agent.blender.inside.remap import remap_files
from agent.blender.inside.sound import mix_sound

answer = {"originals": not Path(arguments["gone"]).exists()}
for kind, pack in arguments["packs"].items():
    try:
        folder = Path(pack["folder"])
        with suppress(RuntimeError):  # Libraries by absolute paths are not found before they are remapped.
            bpy.ops.wm.open_mainfile(filepath=str(folder / pack["main"]), use_scripts=False)
        remap_files({source: str(folder / target) for source, target in pack["remap"].items()})
        scene = bpy.context.scene
        scene.frame_set(5)
        scene.render.filepath = str(Path(arguments["output"]) / f"{kind}.png")
        if kind.startswith("sound"):
            mix_sound(scene, str(Path(arguments["output"]) / f"{kind}.flac"), 1, 6)
        with suppress(RuntimeError):  # A movie that is not there is an error, not a picture.
            bpy.ops.render.render(write_still=True)
        answer[kind] = True
    except Exception:
        answer[kind] = traceback.format_exc()
"""
