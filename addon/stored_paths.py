"""The paths that data-blocks store, in every Blender from 4.2 on."""

from collections.abc import Iterator, Mapping

import bpy

from .scene_reader import strips

#: Collections whose data-blocks each name one file.
_ONE_FILE = ("cache_files", "fonts", "images", "libraries", "movieclips", "sounds", "volumes")


def stored_paths() -> Mapping[bpy.types.ID, set[str]]:
    """Return the paths stored by each data-block that names files, as they are stored.  Main thread only."""
    if hasattr(bpy.data, "file_path_map"):
        paths: Mapping[bpy.types.ID, set[str]] = bpy.data.file_path_map(include_libraries=True)
        return paths
    return collect_stored_paths()  # Blender 4.2 and 4.3


def collect_stored_paths() -> dict[bpy.types.ID, set[str]]:
    """Return what ``file_path_map`` does, read from the data-blocks themselves."""
    found: dict[bpy.types.ID, set[str]] = {}
    for paths in (_paths_of_files(), _paths_of_objects(), _paths_of_strips(), _paths_of_nodes()):
        for block, path in paths:
            if path:
                found.setdefault(block, set()).add(path)
    return found


def _paths_of_files() -> Iterator[tuple[bpy.types.ID, str]]:
    for name in _ONE_FILE:
        for block in getattr(bpy.data, name):
            yield block, block.filepath


def _paths_of_objects() -> Iterator[tuple[bpy.types.ID, str]]:
    for item in bpy.data.objects:
        for modifier in item.modifiers:
            if modifier.type in ("MESH_CACHE", "MULTIRES", "OCEAN"):
                yield item, modifier.filepath
            elif modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
                yield item, modifier.domain_settings.cache_directory
        for system in item.particle_systems:
            if system.point_cache.use_external:
                yield item, system.point_cache.filepath


def _paths_of_strips() -> Iterator[tuple[bpy.types.ID, str]]:
    for scene in bpy.data.scenes:
        editor = scene.sequence_editor
        for strip in strips(editor, nested=True) if editor is not None else ():
            if strip.type == "IMAGE":
                yield from ((scene, strip.directory + element.filename) for element in strip.elements)
            elif strip.type == "MOVIE":
                yield scene, strip.filepath
            elif strip.type == "SOUND" and strip.sound is not None:
                yield scene, strip.sound.filepath


def _paths_of_nodes() -> Iterator[tuple[bpy.types.ID, str]]:
    """Yield light profiles and shader scripts that are files: their text may also be in the .blend."""
    for block in (*bpy.data.lights, *bpy.data.materials, *bpy.data.node_groups, *bpy.data.worlds):
        tree = block if isinstance(block, bpy.types.NodeTree) else block.node_tree
        for node in tree.nodes if tree is not None else ():
            if getattr(node, "mode", "") == "EXTERNAL":
                yield block, node.filepath
