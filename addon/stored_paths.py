"""The paths that data-blocks store, in every Blender from 4.2 on, as references to files.

Each reader is given one data-block; objects and nodes have modules of their own.  Blender's main thread only.
"""

import ntpath
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from .found_files import Reference, Shape

#: What people call a data-block that names a file, by its type.  Others (brushes, the user interface) have no part in a
#: picture, and a text's words are in the .blend itself.
KINDS = {
    "CACHEFILE": "cache",
    "CAMERA": "camera",
    "FONT": "font",
    "IMAGE": "image",
    "LIBRARY": "library",
    "LIGHT": "light",
    "MATERIAL": "material",
    "MESH": "mesh",
    "MOVIECLIP": "movie clip",
    "NODETREE": "node group",
    "OBJECT": "object",
    "PARTICLE": "particle system",
    "SCENE": "scene",
    "SOUND": "sound",
    "VOLUME": "volume",
    "WORLD": "world",
}

#: A drive or a computer's share.
_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")

_BUILT_IN_FONT = "<builtin>"
_SCREEN_IMAGES = ("RENDER_RESULT", "COMPOSITING")


def is_inside(block: bpy.types.ID) -> bool:
    """Tell whether the .blend itself holds what the data-block needs, or nothing does."""
    if block.id_type == "LIBRARY":
        return block.packed_file is not None
    if block.users == 0:
        return True  # Blender does not save it.
    if block.id_type == "IMAGE":
        on_disk = block.source in ("FILE", "SEQUENCE", "MOVIE", "TILED") and block.type not in _SCREEN_IMAGES
        return not on_disk or bool(block.packed_files)
    return getattr(block, "packed_file", None) is not None


def reference_of(block: bpy.types.ID, stored: str, *, kind: str = "", user: str = "", **fields: Any) -> Reference:
    """Return what a data-block's path refers to; ``fields`` are the reference's others."""
    library = block.library
    return Reference(
        kind=kind or KINDS[block.id_type],
        user=user or block.name,
        stored=stored,
        path=absolute(stored, library) if stored else "",
        owner=absolute(library.filepath) if library is not None else None,
        **fields,
    )


def absolute(stored: str, library: bpy.types.Library | None = None) -> str:
    """Return a stored path as this computer understands it."""
    if os.sep == "/" and _OF_WINDOWS.match(stored):
        return ntpath.normpath(stored)  # It is nowhere here, and people know it by its own name.
    if os.sep == "/" and stored.startswith("//"):
        # Relative paths may have been saved on Windows; Blender itself reads them so.
        stored = stored.replace("\\", "/")
    # Not resolve(): the file that a link points to has its neighbours elsewhere.
    return os.path.normpath(Path(bpy.path.abspath(stored, library=library)).absolute())


def of_file(block: Any) -> Iterator[Reference]:
    """Yield the one file of a library, a sound, a font."""
    if block.filepath and block.filepath != _BUILT_IN_FONT:
        yield reference_of(block, block.filepath)


def of_image(image: bpy.types.Image) -> Iterator[Reference]:
    """Yield an image's files."""
    if not image.filepath:
        return
    shape = {"TILED": Shape.TILES, "SEQUENCE": Shape.SEQUENCE}.get(image.source, Shape.FILE)
    tiles = tuple(tile.number for tile in image.tiles) if shape is Shape.TILES else ()
    yield reference_of(image, image.filepath, shape=shape, tiles=tiles, views=_views(image))


def of_sequence(block: Any) -> Iterator[Reference]:
    """Yield the files of a movie clip or a volume, of which there may be one for each frame."""
    if block.filepath:
        yield reference_of(block, block.filepath, shape=_maybe_sequence(block))


def of_cache_file(cache: bpy.types.CacheFile) -> Iterator[Reference]:
    """Yield an Alembic or USD archive with its layers."""
    for stored in (cache.filepath, *(layer.filepath for layer in cache.layers)):
        if stored:
            yield reference_of(cache, stored, shape=_maybe_sequence(cache))


def of_camera(camera: bpy.types.Camera) -> Iterator[Reference]:
    """Yield the shader of a camera that is programmed (4.5 on)."""
    if camera.type == "CUSTOM" and camera.custom_mode == "EXTERNAL" and camera.custom_filepath:
        yield reference_of(camera, camera.custom_filepath, shape=Shape.SHADER)


def of_strip(scene: bpy.types.Scene, strip: Any, start: int, most: int) -> Iterator[Reference]:
    """Yield the files of a strip; of its pictures, ``most`` at a time, those from ``start`` on.

    Sounds, scenes, clips and masks are data-blocks themselves.
    """
    if strip.type == "MOVIE" and strip.filepath and not start:
        yield reference_of(scene, strip.filepath, kind="movie strip", user=strip.name, views=_views(strip))
    elif strip.type == "IMAGE":
        names = tuple(element.filename for element in strip.elements[start : start + most])
        if names:
            stored = os.path.join(strip.directory, names[0])  # noqa: PTH118 - Path would lose the // it begins with
            yield reference_of(
                scene,
                stored,
                kind="image strip",
                user=strip.name,
                shape=Shape.STRIP,
                names=names,
                views=_views(strip),
            )


def _maybe_sequence(block: Any) -> Shape:
    is_sequence = getattr(block, "is_sequence", False) or getattr(block, "source", "") == "SEQUENCE"
    return Shape.SEQUENCE if is_sequence else Shape.FILE


def _views(named: Any) -> tuple[str, ...]:
    """Return the endings of the names of a stereo picture's files; none where it is one file."""
    if not named.use_multiview or named.views_format != "INDIVIDUAL":
        return ()
    return tuple(sorted({view.file_suffix for scene in bpy.data.scenes for view in scene.render.views}))
