"""Pointing a scene's datablocks at the files of its pack."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import bpy

from agent.blender.inside.strips import strips_of

#: Collections of bpy.data whose datablocks name a file in ``filepath``.
FILE_COLLECTIONS = ("images", "sounds", "fonts", "movieclips", "volumes", "cache_files")

_TILES = {"<UDIM>": r"\d{4}", "<UVTILE>": r"u\d+_v\d+"}


def remap_files(remap: Mapping[str, str]) -> None:
    """Point everything that names a file which is a key of ``remap`` to the file it maps to.

    Args:
        remap: absolute paths as the scene names them (of any operating system) → absolute paths here.
    """
    if not remap:
        return
    known = {_plain(source): target for source, target in remap.items()}
    origins = _remap_libraries(known)

    def replace(owner: Any, name: str, block: Any) -> None:
        stored = getattr(owner, name)
        target = _find(known, stored, block.library, origins)
        if target is not None and stored != target:
            setattr(owner, name, target)

    for collection in FILE_COLLECTIONS:
        for block in getattr(bpy.data, collection):
            if getattr(block, "filepath", ""):
                replace(block, "filepath", block)
    for owner, block in _other_owners():
        replace(owner, "filepath", block)
    for scene in bpy.data.scenes:
        for strip in strips_of(scene):
            if strip.type == "IMAGE":
                _remap_image_strip(strip, partial(_find, known, library=scene.library, origins=origins))


def _other_owners() -> Iterator[tuple[Any, Any]]:
    """Yield what else names a file in ``filepath``, with the datablock it belongs to."""
    for scene in bpy.data.scenes:
        for strip in strips_of(scene):
            if strip.type == "MOVIE":
                yield strip, scene
    trees = [(tree, tree) for tree in bpy.data.node_groups]
    for collection in ("materials", "worlds", "lights"):
        trees += [(block.node_tree, block) for block in getattr(bpy.data, collection) if block.node_tree]
    for tree, block in trees:
        for node in tree.nodes:
            if node.bl_idname in ("ShaderNodeScript", "ShaderNodeTexIES") and node.mode == "EXTERNAL":
                yield node, block
    for item in bpy.data.objects:
        for modifier in item.modifiers:
            if modifier.type == "MESH_CACHE":
                yield modifier, item


def _remap_libraries(known: Mapping[str, str]) -> dict[str, str]:
    """Load linked libraries from the pack; return where each was on the artist's machine, by its path here."""
    origins: dict[str, str] = {}
    tried: set[str] = set()
    while True:
        # Reloading one frees and makes library datablocks, so look at the list anew after each.
        for library in bpy.data.libraries:
            target = _find(known, library.filepath, None, origins)
            if target is None or target in tried or target == library.filepath:
                continue
            tried.add(target)
            origins[target] = _plain(bpy.path.abspath(library.filepath))
            library.filepath = target
            library.reload()
            break
        else:
            return origins


def _remap_image_strip(strip: Any, find: Callable[..., str | None]) -> None:
    directory = strip.directory
    for element in strip.elements:
        target = find(stored=posixpath.join(directory.replace("\\", "/"), element.filename))
        if target is not None:
            place = PurePosixPath(target)
            strip.directory = f"{place.parent}/"
            element.filename = place.name


def _find(known: Mapping[str, str], stored: str, library: Any, origins: Mapping[str, str]) -> str | None:
    """Return the file here that a stored path means, or None when the scene's path is to be left alone."""
    candidates = [stored, bpy.path.abspath(stored, library=library)]
    if library is not None and stored.startswith("//") and library.filepath in origins:
        # Relative to where the library was, which need not be its place in the pack.
        candidates.append(posixpath.join(posixpath.dirname(origins[library.filepath]), stored[2:].replace("\\", "/")))
    for candidate in candidates:
        plain = _plain(candidate)
        target = known.get(plain) or _find_tiles(known, plain)
        if target is not None:
            return target
    return None


def _find_tiles(known: Mapping[str, str], plain: str) -> str | None:
    """Return a tiled image's path here: its files are keys, its path with ``<UDIM>`` is not."""
    for token, tile in _TILES.items():
        before, found, after = plain.partition(token)
        if not found:
            continue
        pattern = re.compile(f"{re.escape(before)}({tile}){re.escape(after)}")
        for source, target in known.items():
            match = pattern.fullmatch(source)
            if match is not None and match.group(1) in PurePosixPath(target).name:
                place = PurePosixPath(target)
                return str(place.with_name(place.name.replace(match.group(1), token)))
    return None


def _plain(path: str) -> str:
    """Return the path in one form, so that the same file compares equal however the scene wrote it."""
    forward = path.replace("\\", "/")
    return forward if forward.startswith("//") else posixpath.normpath(forward)
