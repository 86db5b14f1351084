"""Scenes of the table (:mod:`table_scenes`) that link, and that name files otherwise than the disk does."""

LINKED = '''
def library_file(name):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=place(name))

def link(collection, name, path, relative=False):
    with bpy.data.libraries.load(path, link=True, relative=relative) as (_, linked):
        setattr(linked, collection, [name])
    return getattr(linked, collection)[0]

def chain(kind):
    """A collection of a library, in it an object of another, its material of a third, its texture of none."""
    library_file(f"ext/{kind} c/shading/deep.blend")
    material, nodes, links, emit = shader()
    node = nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(picture(f"ext/{kind} c/maps/oak.png", (0.7, 0.2, 0.9)))
    node.image.filepath = "//../maps/oak.png"
    links.new(node.outputs["Color"], emit.inputs["Color"])
    material.use_fake_user = True
    bpy.ops.wm.save_mainfile()
    library_file(f"ext/{kind} b/prop.blend")
    item = plane()
    item.name = "prop"
    item.data.materials.append(link("materials", "m", place(f"ext/{kind} c/shading/deep.blend"), relative=True))
    bpy.ops.wm.save_mainfile()
    library_file(f"ext/{kind} a/set.blend")
    props = bpy.data.collections.new("set")
    bpy.context.scene.collection.children.link(props)
    props.objects.link(link("objects", "prop", place(f"ext/{kind} b/prop.blend")))
    bpy.ops.wm.save_mainfile()
    start(kind)
    scene = bpy.context.scene
    shown = bpy.data.objects.new("set", None)
    shown.instance_type = "COLLECTION"
    shown.instance_collection = link("collections", "set", place(f"ext/{kind} a/set.blend"))
    scene.collection.objects.link(shown)

def named_twice(kind):
    near = bpy.data.images.load(picture(f"ext/{kind}/wood.png", (0.4, 0.8, 0.1)))
    near.filepath = f"//../ext/{kind}/wood.png"
    far = bpy.data.images.load(place(f"ext/{kind}/wood.png"), check_existing=False)
    for image, x in ((near, -1), (far, 1)):
        item = plane()
        item.location.x, item.scale.x = x, 0.3
        textured(image, item)

def other_capitals(kind):
    """As from a project that was made on Windows: rendered as the disk writes the names, saved as Windows may."""
    one = bpy.data.images.load(picture(f"ext/{kind}/maps/wood.png", (0.4, 0.3, 0.9)))
    other = bpy.data.images.load(place(f"ext/{kind}/maps/wood.png"), check_existing=False)
    for number in range(1, 7):
        picture(f"ext/{kind}/maps/f_{number:04}.png", (number / 8, 0.2, 0.5))
    frames = bpy.data.images.load(place(f"ext/{kind}/maps/f_0001.png"))
    frames.source = "SEQUENCE"
    for image, x in ((one, -1), (other, 0), (frames, 1)):
        item = plane()
        item.location.x, item.scale.x = x, 0.3
        node = textured(image, item)
    node.image_user.frame_duration, node.image_user.use_auto_refresh = 6, True

    def rename():
        one.filepath = f"//../Ext/{kind}/Maps/Wood.PNG".replace("/", chr(92)).replace(chr(92) * 2, "//", 1)
        other.filepath = str(top / f"ext/{kind}/MAPS/wood.Png")
        frames.filepath = str(top / f"ext/{kind}/Maps/F_0001.png")
    return rename

def other_library(kind):
    library_file(f"ext/{kind}/props/kit.blend")
    item = plane()
    item.name = "prop"
    textured(bpy.data.images.load(picture(f"ext/{kind}/maps/oak.png", (0.3, 0.6, 0.9))), item)
    bpy.data.images["oak.png"].filepath = "//../Maps/oak.png"
    bpy.ops.wm.save_mainfile()
    start(kind)
    item = link("objects", "prop", place(f"ext/{kind}/props/kit.blend"))
    bpy.context.scene.collection.objects.link(item)
    image = item.data.materials[0].node_tree.nodes["Image Texture"].image
    image.filepath = "//../maps/oak.png"
    image.reload()

    def rename():
        bpy.data.libraries[0].filepath = str(top / f"ext/{kind}/Props/Kit.blend")
    return rename
'''
