"""Files that a scene needs and that are not there: Blender renders on without them, a wrong picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from agent.blender.inside.remap import FILE_COLLECTIONS
from agent.blender.inside.strips import strips_of

_KINDS = {
    "images": "image",
    "sounds": "sound",
    "fonts": "font",
    "movieclips": "movie clip",
    "volumes": "volume",
    "cache_files": "cache file",
}


def missing_files() -> list[dict[str, Any]]:
    """Return what is missing: ``{"kind", "name", "path", "relative"}``; datablocks that nothing uses are left out."""
    found = [
        {"kind": kind, "name": name, "path": path, "relative": stored.startswith("//")}
        for kind, name, path, stored in (*_libraries(), *_datablocks(), *_strips())
    ]
    return sorted(found, key=lambda entry: (entry["kind"], entry["name"]))


def _libraries() -> Iterator[tuple[str, str, str, str]]:
    for library in bpy.data.libraries:
        path = _absolute(library.filepath, library.parent)
        if library.packed_file is None and not Path(path).is_file():
            yield "library", library.name, path, library.filepath


def _datablocks() -> Iterator[tuple[str, str, str, str]]:
    for collection in FILE_COLLECTIONS:
        for block in getattr(bpy.data, collection):
            stored = getattr(block, "filepath", "")
            # "<builtin>" is Blender's own font.
            if not stored or stored == "<builtin>" or block.users == 0 or getattr(block, "packed_file", None):
                continue
            path = _absolute(stored, block.library)
            if collection == "images":
                path = _image_path(block, path)
            if path and not Path(path).is_file():
                yield _KINDS[collection], block.name, path, stored


def _absolute(stored: str, library: Any) -> str:
    """Return a stored path as Blender itself reads it: relative ones may have been saved on Windows."""
    if stored.startswith("//"):
        stored = stored.replace("\\", "/")
    return str(bpy.path.abspath(stored, library=library))


def _image_path(image: Any, path: str) -> str:
    """Return the first file an image reads that is not there, or "" when it reads none or has them all."""
    if image.source not in ("FILE", "SEQUENCE", "MOVIE", "TILED") or image.packed_files:
        return ""
    if image.source != "TILED":
        return path
    for tile in image.tiles:
        column, row = (tile.number - 1001) % 10, (tile.number - 1001) // 10
        name = path.replace("<UDIM>", str(tile.number)).replace("<UVTILE>", f"u{column + 1}_v{row + 1}")
        if not Path(name).is_file():
            return name
    return ""


def _strips() -> Iterator[tuple[str, str, str, str]]:
    for scene in bpy.data.scenes:
        for strip in strips_of(scene):
            if strip.mute:
                continue
            stored = []
            if strip.type == "MOVIE":
                stored = [strip.filepath]
            elif strip.type == "IMAGE":
                stored = [f"{strip.directory.rstrip('/')}/{element.filename}" for element in strip.elements]
            paths = ((_absolute(path, scene.library), path) for path in stored)
            gone = next(((path, named) for path, named in paths if not Path(path).is_file()), None)
            if gone is not None:
                yield "strip", strip.name, *gone
