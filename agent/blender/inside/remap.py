"""Pointing a scene's datablocks at the files of its pack.

Only absolute paths move: files that name each other by relative ones keep their places in the pack.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

import bpy

from agent.blender.inside.strips import strips_of

#: Collections of bpy.data whose datablocks name a file in ``filepath``.
FILE_COLLECTIONS = ("images", "sounds", "fonts", "movieclips", "volumes", "cache_files")

_STRIP_PATHS = {"MOVIE": "filepath", "IMAGE": "directory"}


def remap_files(remap: Mapping[str, str]) -> None:
    """Point everything that names a file by an absolute path that ``remap`` knows to where it is here.

    Args:
        remap: files or whole folders, as the scene names them (on any operating system) → absolute paths here.  The
            longest that a path lies in or below counts, so sequences and ``<UDIM>`` tiles move with their folder.
    """
    if not remap:
        return
    known = {_plain(source): target for source, target in remap.items()}
    _remap_libraries(known)
    for owner, name in _path_owners():
        stored = getattr(owner, name)
        target = _find(known, stored)
        if target is not None:
            # Blender remembers that a folder's path ends with a slash.
            setattr(owner, name, target + "/" if stored.endswith(("/", "\\")) else target)


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
    for node in _nodes():
        if node.bl_idname in ("ShaderNodeScript", "ShaderNodeTexIES") and node.mode == "EXTERNAL":
            yield node, "filepath"
    yield from _caches()


def _caches() -> Iterator[tuple[Any, str]]:
    for item in bpy.data.objects:
        for modifier in item.modifiers:
            if modifier.type in ("MESH_CACHE", "OCEAN"):
                yield modifier, "filepath"
            elif modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
                yield modifier.domain_settings, "cache_directory"
        for system in item.particle_systems:
            if system.point_cache.use_external:
                yield system.point_cache, "filepath"


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
            target = _find(known, library.filepath)
            if target is None or target in tried or target == library.filepath:
                continue
            tried.add(target)
            library.filepath = target
            library.reload()
            break
        else:
            return


def _find(known: Mapping[str, str], stored: str) -> str | None:
    """Return where a stored path is here, or None when it is to be left alone."""
    # Blender counts a path that starts with // from the file that names it; \\\\host\\share is absolute.
    if not stored or stored.startswith("//"):
        return None
    plain = _plain(stored)
    folder = plain
    while folder not in known:
        parent = posixpath.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    below = plain[len(folder) :].lstrip("/")
    return posixpath.join(known[folder], below) if below else known[folder]


def _plain(path: str) -> str:
    """Return the path in one form, so that the same file compares equal however the scene wrote it."""
    return posixpath.normpath(path.replace("\\", "/"))
