"""Scenes of the table (:mod:`table_scenes`) that show clips and strips, and what can be heard."""

STRIPS = """
def clip_sequence(kind):
    plane()
    for number in range(1, 7):
        picture(f"ext/{kind}/c_{number:03}.png", (0.1, number / 8, 0.9))
    clip = bpy.data.movieclips.load(place(f"ext/{kind}/c_001.png"))
    assert clip.source == "SEQUENCE"
    scene = bpy.context.scene
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    node, out = tree.nodes.new("CompositorNodeMovieClip"), tree.nodes.new("CompositorNodeComposite")
    node.clip = clip
    tree.nodes.new("CompositorNodeRLayers")
    tree.links.new(node.outputs[0], out.inputs[0])

def clip_strip(kind):
    for number in range(1, 7):
        picture(f"ext/{kind}/c_{number:03}.png", (0.9, number / 8, 0.2))
    clip = bpy.data.movieclips.load(place(f"ext/{kind}/c_001.png"))
    strip_of(bpy.context.scene).new_clip("clip", clip, 1, 1)

def text_strip(kind):
    import shutil
    fonts = Path(bpy.utils.system_resource("DATAFILES", path="fonts"))
    source = next(path for path in sorted(fonts.iterdir()) if "Inter" in path.name)
    shutil.copy(source, place(f"ext/{kind}/{source.name}"))
    strip = strip_of(bpy.context.scene).new_effect("words", "TEXT", 1, 1, **(
        {"length": 10} if bpy.app.version >= (5, 0) else {"frame_end": 10}))
    strip.text, strip.font_size, strip.location = "WiM", 16, (0.5, 0.5)
    strip.font = bpy.data.fonts.load(place(f"ext/{kind}/{source.name}"))

def meta_strip(kind):
    strips = strip_of(bpy.context.scene)
    meta = strips.new_meta("group", 1, 1)
    inside = meta.strips if hasattr(meta, "strips") else meta.sequences
    pictures = inside.new_image("pictures", picture(f"ext/{kind}/1.png", (0.2, 0.7, 0.3)), 1, 1)
    for number in (2, 3, 4, 5, 6):
        picture(f"ext/{kind}/{number}.png", (0.2, number / 8, 0.3))
        pictures.elements.append(f"{number}.png")
    meta.frame_final_end = 7

def sound(kind):
    import wave
    with wave.open(place(f"ext/{kind}/tone.wav"), "wb") as tone:
        tone.setnchannels(1); tone.setsampwidth(2); tone.setframerate(48000)
        tone.writeframes(bytes(range(256)) * 75)
    strip_of(bpy.context.scene).new_sound("tone", place(f"ext/{kind}/tone.wav"), 1, 1)
"""
