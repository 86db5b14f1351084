"""bpy → a plain :class:`SceneSnapshot`.  The only module that reads a scene's settings."""

from collections.abc import Iterator

import bpy

from .python_needs import needed_scripts
from .snapshot import Border, Marker, SceneSnapshot


def read_scene(scene: bpy.types.Scene) -> SceneSnapshot:
    """Return what ``scene`` is set to now.  Blender's main thread only."""
    render, image = scene.render, scene.render.image_settings
    cameras = [item.name for item in scene.objects if item.type == "CAMERA"]
    with bpy.context.temp_override(scene=scene):
        shown_layer = bpy.context.view_layer.name
    return SceneSnapshot(
        blend_path=bpy.data.filepath,
        is_dirty=bpy.data.is_dirty,
        # A file that was never saved is at the version of the Blender that has it open.
        file_version=tuple(bpy.data.version[:2]) if bpy.data.filepath else tuple(bpy.app.version[:2]),
        blender_version=tuple(bpy.app.version[:2]),
        scene=scene.name,
        scenes=tuple(item.name for item in bpy.data.scenes),
        camera=scene.camera.name if scene.camera is not None else None,
        cameras=tuple(sorted(cameras)),
        markers=tuple(
            Marker(frame=marker.frame, name=marker.name, camera=marker.camera.name if marker.camera else None)
            for marker in sorted(scene.timeline_markers, key=lambda marker: marker.frame)
        ),
        frame_start=scene.frame_start,
        frame_end=scene.frame_end,
        frame_step=scene.frame_step,
        frame_current=scene.frame_current,
        fps=render.fps,
        fps_base=render.fps_base,
        engine=render.engine,
        samples=_samples(scene),
        resolution=(render.resolution_x, render.resolution_y),
        percentage=render.resolution_percentage,
        border=_border(render),
        multiview=render.use_multiview,
        file_format=image.file_format,
        color_mode=image.color_mode,
        color_depth=image.color_depth,
        codec=_codec(image),
        is_movie_format=render.is_movie_format,
        has_sound=_has_sound(scene, set()),
        uses_sequencer=_uses_sequencer(scene),
        has_compositor_file_outputs=_has_file_outputs(scene),
        view_layers=tuple(layer.name for layer in scene.view_layers),
        rendered_layers=tuple(
            layer.name
            for layer in scene.view_layers
            if layer.use and (not render.use_single_layer or layer.name == shown_layer)
        ),
        denoiser=_denoiser(scene),
        views_format=image.views_format if render.use_multiview else "",
        scripts=tuple(needed_scripts()),
    )


def _denoiser(scene: bpy.types.Scene) -> str | None:
    if scene.render.engine != "CYCLES" or not scene.cycles.use_denoising:
        return None
    # Empty in a Blender that was built without any.
    return str(scene.cycles.denoiser) or None


def _samples(scene: bpy.types.Scene) -> int | None:
    if scene.render.engine == "CYCLES":
        return int(scene.cycles.samples)
    if scene.render.engine in ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"):
        return int(scene.eevee.taa_render_samples)
    return None


def _border(render: bpy.types.RenderSettings) -> Border | None:
    if not render.use_border:
        return None
    return Border(
        min_x=render.border_min_x,
        max_x=render.border_max_x,
        min_y=render.border_min_y,
        max_y=render.border_max_y,
        crop=render.use_crop_to_border,
    )


def _codec(image: bpy.types.ImageFormatSettings) -> str | None:
    if image.file_format in ("OPEN_EXR", "OPEN_EXR_MULTILAYER"):
        return str(image.exr_codec)
    return str(image.tiff_codec) if image.file_format == "TIFF" else None


def _has_sound(scene: bpy.types.Scene, seen: set[str]) -> bool:
    """Tell whether anything can be heard between the first and the last frame, in scenes shown by strips too."""
    if not scene.use_audio or scene.name in seen:
        return False
    seen.add(scene.name)
    editor = scene.sequence_editor
    for strip in strips(editor, nested=True) if editor is not None else ():
        overlaps = strip.frame_final_start <= scene.frame_end and strip.frame_final_end > scene.frame_start
        if not overlaps or strip.mute or editor.channels[strip.channel].mute:
            continue
        if strip.type == "SOUND" and strip.sound is not None and strip.volume > 0:
            return True
        if strip.type == "SCENE" and strip.scene is not None and _has_sound(strip.scene, seen):
            return True
    return any(_speaks(item) for item in scene.objects if item.type == "SPEAKER")


def _speaks(speaker: bpy.types.Object) -> bool:
    """Tell whether a speaker plays: it does so where its animation has a sound strip."""
    if speaker.data.muted or speaker.data.sound is None or speaker.animation_data is None:
        return False
    tracks = (track for track in speaker.animation_data.nla_tracks if not track.mute)
    return any(strip.type == "SOUND" and not strip.mute for track in tracks for strip in track.strips)


def _uses_sequencer(scene: bpy.types.Scene) -> bool:
    """Tell whether Blender renders the strips instead of the scene, as its own ``RE_seq_render_active`` does."""
    editor = scene.sequence_editor
    if editor is None or not scene.render.use_sequencer:
        return False
    return any(
        strip.type != "SOUND" and not strip.mute and not editor.channels[strip.channel].mute
        for strip in strips(editor, nested=False)
    )


def strips(editor: bpy.types.SequenceEditor, *, nested: bool) -> Iterator[bpy.types.bpy_struct]:
    """Yield strips; before 4.4 they were called sequences."""
    names = ("strips_all", "sequences_all") if nested else ("strips", "sequences")
    yield from getattr(editor, names[0]) if hasattr(editor, names[0]) else getattr(editor, names[1])


def _has_file_outputs(scene: bpy.types.Scene) -> bool:
    """Tell whether the compositor writes files."""
    if not scene.render.use_compositing or not scene.use_nodes:
        return False
    # From 5.0 the compositor is a node group of the scene.
    tree = scene.compositing_node_group if hasattr(scene, "compositing_node_group") else scene.node_tree
    return tree is not None and _writes_files(tree, set())


def _writes_files(tree: bpy.types.NodeTree, seen: set[str]) -> bool:
    if tree.name_full in seen:
        return False
    seen.add(tree.name_full)
    for node in tree.nodes:
        if node.mute:
            continue
        if node.bl_idname == "CompositorNodeOutputFile":
            return True
        if node.type == "GROUP" and node.node_tree is not None and _writes_files(node.node_tree, seen):
            return True
    return False
