"""Pointing a scene's datablocks at the files of its pack.

Only absolute paths move: files that name each other by relative ones keep their places in the pack.  Either may be
written with other capitals than the files themselves, where the scene comes from Windows or macOS.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

import bpy

from agent.blender.inside.bakes import move_bakes
from agent.blender.inside.spellings import forget_folders, other_spelling
from agent.blender.inside.strips import strips_of

#: Collections of bpy.data whose datablocks name a file in ``filepath``.
FILE_COLLECTIONS = ("images", "sounds", "fonts", "movieclips", "volumes", "cache_files")

_STRIP_PATHS = {"MOVIE": "filepath", "IMAGE": "directory"}


def remap_files(remap: Mapping[str, str]) -> list[str]:
    """Point everything that names a file by an absolute path that ``remap`` knows to where it is here.

    What is not there as it is named, and is there with other capitals, is named as it is.

    Args:
        remap: files or whole folders, as the scene names them (on any operating system) → absolute paths here.  The
            longest that a path lies in or below counts, so sequences and ``<UDIM>`` tiles move with their folder.

    Returns:
        warnings: what cannot be read from where it is.
    """
    forget_folders()
    known = {_plain(source): target for source, target in remap.items()}
    _remap_libraries(known)
    _remap_node_inputs(known)
    for owner, name in list(_path_owners()):
        stored = getattr(owner, name)
        target = _find(known, stored, owner.id_data.library)
        if target is not None:
            # Blender remembers that a folder's path ends with a slash.
            setattr(owner, name, target + "/" if stored.endswith(("/", "\\")) else target)
    for scene in bpy.data.scenes:
        _spell_pictures(scene)
        _load_fonts(scene)
    return move_bakes(lambda stored, library: _find(known, stored, library))


def _spell_pictures(scene: Any) -> None:
    """Name the pictures of strips as they are on the disk."""
    for strip in strips_of(scene):
        if strip.type == "IMAGE":
            folder = bpy.path.abspath(strip.directory.replace("\\", "/"), library=scene.library)
            for element in strip.elements:
                written = other_spelling(posixpath.join(folder, element.filename))
                if written is not None:
                    element.filename = posixpath.basename(written)


def _load_fonts(scene: Any) -> None:
    """Have strips of text look for their fonts again, which they did when the file was opened."""
    for strip in strips_of(scene):
        if strip.type == "TEXT" and strip.font is not None:
            font = strip.font
            strip.font = None
            strip.font = font


def _path_owners() -> Iterator[tuple[Any, str]]:
    """Yield whatever names a file or a folder, libraries excepted, and the attribute it does that in."""
    for collection in FILE_COLLECTIONS:
        for block in getattr(bpy.data, collection):
            yield block, "filepath"
    for scene in bpy.data.scenes:
        for strip in strips_of(scene):
            if strip.type == "MOVIE":
                yield strip, "filepath"
            elif strip.type == "IMAGE":
                yield strip, "directory"
    yield from _of_others()
    yield from _of_nodes()
    for item in bpy.data.objects:
        yield from _of_object(item)


def _of_others() -> Iterator[tuple[Any, str]]:
    for cache in bpy.data.cache_files:
        for layer in cache.layers:
            yield layer, "filepath"
    for camera in bpy.data.cameras:
        if camera.type == "CUSTOM":  # 4.5 on
            yield camera, "custom_filepath"
    for scene in bpy.data.scenes:
        if scene.rigidbody_world is not None:
            yield from _of_point_cache(scene.rigidbody_world.point_cache)


def _of_nodes() -> Iterator[tuple[Any, str]]:
    for node in _nodes():
        if node.bl_idname in ("ShaderNodeScript", "ShaderNodeTexIES") and node.mode == "EXTERNAL":
            yield node, "filepath"
        elif node.bl_idname == "FunctionNodeInputString":
            yield node, "string"
        elif node.type == "GROUP" or node.bl_idname.startswith("GeometryNodeImport"):
            # Paths of what geometry nodes import (4.5 on).  A text that is no such path is not among those known.
            for socket in node.inputs:
                if socket.type == "STRING":
                    yield socket, "default_value"


def _of_object(item: Any) -> Iterator[tuple[Any, str]]:
    yield from _of_particles(item)
    for modifier in item.modifiers:
        if modifier.type in ("MESH_CACHE", "OCEAN") or (modifier.type == "MULTIRES" and modifier.is_external):
            yield modifier, "filepath"
        elif modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
            yield modifier.domain_settings, "cache_directory"
        elif modifier.type in ("CLOTH", "SOFT_BODY"):
            yield from _of_point_cache(modifier.point_cache)
        elif modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings is not None:
            for surface in modifier.canvas_settings.canvas_surfaces:
                yield from _of_point_cache(surface.point_cache)


def _of_particles(item: Any) -> Iterator[tuple[Any, str]]:
    for system in item.particle_systems:
        yield from _of_point_cache(system.point_cache)
        if system.cloth is not None:
            yield from _of_point_cache(system.cloth.point_cache)


def _of_point_cache(cache: Any) -> Iterator[tuple[Any, str]]:
    if cache is not None and cache.use_external:
        yield cache, "filepath"


def _remap_node_inputs(known: Mapping[str, str]) -> None:
    """Point the modifiers of geometry nodes at the files that their inputs name."""
    for item in bpy.data.objects:
        for modifier in item.modifiers:
            if modifier.type != "NODES":
                continue
            for name, value in list(modifier.items()):
                target = _find(known, value, item.library) if isinstance(value, str) else None
                if target is not None:
                    modifier[name] = target
                    item.update_tag()


def _nodes() -> Iterator[Any]:
    trees = list(bpy.data.node_groups)
    for collection in ("materials", "worlds", "lights"):
        trees += [block.node_tree for block in getattr(bpy.data, collection) if block.node_tree]
    for tree in trees:
        yield from tree.nodes


def _remap_libraries(known: Mapping[str, str]) -> None:
    """Load linked libraries from the pack."""
    tried: set[str] = set()
    while True:
        # Reloading one frees and makes library datablocks, so look at the list anew after each.
        for library in bpy.data.libraries:
            target = _find(known, library.filepath, library.parent)
            if target is None or target in tried or target == library.filepath:
                continue
            tried.add(target)
            library.filepath = target
            library.reload()
            break
        else:
            return


def _find(known: Mapping[str, str], stored: str, library: Any) -> str | None:
    """Return where a path that is stored in a library, or in the open file, is here; None: it is to be left alone."""
    if not stored:
        return None
    # Blender counts a path that starts with // from the file that names it; \\\\host\\share is absolute.
    if stored.startswith("//"):
        return other_spelling(posixpath.normpath(bpy.path.abspath(stored.replace("\\", "/"), library=library)))
    plain = _plain(stored)
    folder = plain
    while folder not in known:
        parent = posixpath.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    below = plain[len(folder) :].lstrip("/")
    target = posixpath.join(known[folder], below) if below else known[folder]
    return other_spelling(target) or target


def _plain(path: str) -> str:
    """Return the path in one form, so that the same file compares equal however the scene wrote it."""
    return posixpath.normpath(path.replace("\\", "/"))
