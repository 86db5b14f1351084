"""Scenes of the table (:mod:`table_scenes`) whose shape is kept in files: volumes, archives, steps, bakes, shaders."""

CACHES = '''
def geometry_nodes(item, source, name="g"):
    """Give an object geometry nodes in which a Bake node keeps what ``source`` makes of the object's shape."""
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    bake, out = tree.nodes.new("GeometryNodeBake"), tree.nodes.new("NodeGroupOutput")
    tree.links.new(source(tree), bake.inputs[0])
    tree.links.new(bake.outputs[0], out.inputs[0])
    modifier = item.modifiers.new(name, "NODES")
    modifier.node_group = tree
    return modifier

def bake_still(item, modifier):
    """Bake the only Bake node for the frame that is shown."""
    bake = modifier.bakes[0]
    bake.bake_mode = "STILL"
    bpy.ops.object.geometry_node_bake_single(
        session_uid=item.session_uid, modifier_name=modifier.name, bake_id=bake.bake_id)

def fog(path, density):
    """Write an OpenVDB file: a bake of a volume is one."""
    import shutil
    def cube(tree):
        node = tree.nodes.new("GeometryNodeVolumeCube")
        node.inputs["Density"].default_value = density
        for axis in "XYZ":
            node.inputs[f"Resolution {axis}"].default_value = 8
        return node.outputs[0]
    item = plane()
    modifier = geometry_nodes(item, cube)
    modifier.bake_directory = str(Path(path).parent / "bake")
    if hasattr(modifier, "bake_target"):
        modifier.bake_target = "DISK"
    bake_still(item, modifier)
    [baked] = Path(path).parent.glob("bake/**/*.vdb")
    shutil.copy(baked, path)
    shutil.rmtree(Path(path).parent / "bake")
    bpy.data.objects.remove(item)

def volume_of(path):
    loaded = bpy.data.volumes.new("fog")
    loaded.filepath = path
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("fog", loaded))
    material = bpy.data.materials.new("fog")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    out, inside = nodes.new("ShaderNodeOutputMaterial"), nodes.new("ShaderNodeVolumePrincipled")
    inside.inputs["Emission Strength"].default_value = 1.0
    material.node_tree.links.new(inside.outputs[0], out.inputs["Volume"])
    loaded.materials.append(material)
    return loaded

def volume(kind):
    fog(place(f"ext/{kind}/fog.vdb"), 1.0)
    volume_of(place(f"ext/{kind}/fog.vdb"))

def volume_sequence(kind):
    for number in (1, 5):
        fog(place(f"ext/{kind}/fog_{number:04}.vdb"), number / 5)
    loaded = volume_of(place(f"ext/{kind}/fog_0001.vdb"))
    loaded.is_sequence, loaded.frame_duration = True, 6

def archives(kind):
    ending = "abc" if kind.startswith("alembic") else "usdc"
    scene, item = bpy.context.scene, plane()
    points = [vertex.co.copy() for vertex in item.data.vertices]
    for number in range(1, 7):
        for vertex, point in zip(item.data.vertices, points):
            vertex.co = point * (1 - number / 8)
        path = place(f"ext/{kind}/shape_{number:04}.{ending}")
        if ending == "abc":
            bpy.ops.wm.alembic_export(filepath=path, start=1, end=1, as_background_job=False)
        else:
            bpy.ops.wm.usd_export(filepath=path)
    for vertex, point in zip(item.data.vertices, points):
        vertex.co = point
    cache_of(item, place(f"ext/{kind}/shape_0001.{ending}"))
    bpy.data.cache_files[0].is_sequence = True

def cache_of(item, path):
    """Have an object's points come from an archive."""
    bpy.ops.cachefile.open(filepath=path)
    modifier = item.modifiers.new("cache", "MESH_SEQUENCE_CACHE")
    modifier.cache_file = bpy.data.cache_files[0]
    with bpy.context.temp_override(object=item):
        bpy.context.evaluated_depsgraph_get()
    paths = [each.path for each in modifier.cache_file.object_paths]
    modifier.object_path = next(
        (each for each in paths if "Plane" in each.rsplit("/", 1)[-1]), "/Plane/Plane") if paths else "/Plane/Plane"

def bake_steps(cache):
    cache.use_disk_cache, cache.frame_end = True, 6
    bpy.ops.wm.save_mainfile()
    with bpy.context.temp_override(point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)

def grid():
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=8, y_subdivisions=8, size=3, rotation=(math.pi / 2 - 0.4, 0, 0))
    return bpy.context.object

def dynamic_paint(kind):
    canvas = grid()
    modifier = canvas.modifiers.new("paint", "DYNAMIC_PAINT")
    modifier.ui_type = "CANVAS"
    bpy.ops.dpaint.type_toggle(type="CANVAS")
    surface = modifier.canvas_settings.canvas_surfaces[0]
    surface.surface_type, surface.frame_end = "WAVE", 6
    bpy.ops.mesh.primitive_cube_add(size=1)
    brush = bpy.context.object.modifiers.new("brush", "DYNAMIC_PAINT")
    brush.ui_type = "BRUSH"
    bpy.ops.dpaint.type_toggle(type="BRUSH")
    bake_steps(surface.point_cache)

def soft_body(kind):
    item = grid()
    bake_steps(item.modifiers.new("soft", "SOFT_BODY").point_cache)

def geometry_bake(kind):
    def shape(tree):
        return tree.nodes.new("NodeGroupInput").outputs[0]
    item = plane()
    modifier = geometry_nodes(item, shape)
    if hasattr(modifier, "bake_target"):
        modifier.bake_target = "DISK"
    if kind == "bake elsewhere":
        modifier.bake_directory = place(f"ext/{kind}/bakes")
    elif kind == "bake of its own":
        modifier.bakes[0].use_custom_path, modifier.bakes[0].directory = True, place(f"ext/{kind}/own")
    bake_still(item, modifier)
    for vertex in item.data.vertices:
        vertex.co.x *= 0.3

def shader_script(kind):
    import types
    import _cycles
    # The module is built without what looks for a shader's sockets; they are made by hand.
    sys.modules.setdefault("oslquery", types.SimpleNamespace(OSLQuery=lambda path: None))
    source, compiled = place(f"ext/{kind}/red.osl"), place(f"ext/{kind}/red.oso")
    Path(source).write_text("shader red(output color Colour = 0) { Colour = color(0.9, P[0], 0.1); }")
    assert _cycles.osl_compile(source, compiled)
    bpy.context.scene.cycles.shading_system = True
    material, nodes, links, emit = shader(plane())
    script = nodes.new("ShaderNodeScript")
    script.mode, script.filepath = "EXTERNAL", compiled
    links.new(script.outputs.new("NodeSocketColor", "Colour"), emit.inputs["Color"])
'''
