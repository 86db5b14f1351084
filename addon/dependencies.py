"""Every file outside the .blend that the open scene needs, with the libraries' own.

Blender's ``file_path_map`` names the paths that its data-blocks store; this finds out which files they stand for (a
sequence's, a texture's tiles, a simulation's cache) and which of them are there.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from .snapshot import Dependency
from .stored_paths import stored_paths

#: What people call a data-block that names a file, by its type.  Others (brushes, the user interface) have no part in a
#: picture, and a text's words are in the .blend itself.
_KINDS = {
    "CACHEFILE": "cache",
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
    "SCENE": "strip of the scene",
    "SOUND": "sound",
    "VOLUME": "volume",
    "WORLD": "world",
}

#: Names of numbered files: the last run of digits before the ending counts, as in Blender's BLI_path_sequence_decode.
_NUMBERED = re.compile(r"(?P<head>.*?)(?P<number>\d+)(?P<tail>\D*)", re.DOTALL)

_BUILT_IN_FONT = "<builtin>"

#: A cache folder with more files than this is not what it seems to be.
MOST_IN_FOLDER = 100_000


def find_dependencies() -> list[Dependency]:
    """Return every reference from the open file, and from its libraries, to a file.  Blender's main thread only.

    What is packed into the .blend or generated is left out.  The list is in a fixed order.
    """
    found: dict[Dependency, None] = {}
    # Strips repeat what their sounds name, also when the sound is packed.
    sounds = {_absolute(sound.filepath, sound.library) for sound in bpy.data.sounds}
    for block, paths in stored_paths().items():
        if block.id_type not in _KINDS or _is_inside(block):
            continue
        for stored in sorted(paths):
            # Every linked data-block is listed with its library's path as well.
            if not stored or (block.library is not None and stored == block.library.filepath):
                continue
            if block.id_type != "SCENE" or _absolute(stored, block.library) not in sounds:
                found.update(dict.fromkeys(_dependencies_of(block, stored)))
    found.update(dict.fromkeys(_disk_caches()))
    return sorted(found, key=lambda dependency: (dependency.kind, dependency.user, dependency.stored))


def _is_inside(block: bpy.types.ID) -> bool:
    """Tell whether the .blend itself holds what the data-block needs, or nothing does."""
    if block.id_type == "LIBRARY":
        return block.packed_file is not None
    if block.users == 0:
        return True  # Blender does not save it.
    if block.id_type == "IMAGE":
        on_disk = block.source in ("FILE", "SEQUENCE", "MOVIE", "TILED") and block.type not in _SCREEN_IMAGES
        return not on_disk or bool(block.packed_files)
    return getattr(block, "packed_file", None) is not None


_SCREEN_IMAGES = ("RENDER_RESULT", "COMPOSITING")


def _dependencies_of(block: bpy.types.ID, stored: str) -> Iterator[Dependency]:
    path = _absolute(stored, block.library)
    if stored == _BUILT_IN_FONT or (block.id_type == "OBJECT" and not _is_file_name(stored) and not _holds_files(path)):
        return
    owner = _absolute(block.library.filepath) if block.library is not None else None
    if Path(path).is_dir():
        yield _folder(_KINDS[block.id_type], block.name, stored, path, owner)
        return
    yield Dependency(
        kind=_KINDS[block.id_type],
        user=block.name,
        stored=stored,
        path=path,
        owner=owner,
        files=tuple(file for file in _expander(block)(path) if Path(file).is_file()),
    )


def _folder(kind: str, user: str, stored: str, path: str, owner: str | None) -> Dependency:
    """Return the dependency on all that a folder holds, unless that cannot be meant."""
    files: list[str] = []
    refused = None
    if path in (str(Path(path).parent), os.path.expanduser("~")):  # noqa: PTH111 - Path.home() can fail
        refused = f"keeps its files in {path}, which is not sent to the farm as it holds more than that"
    else:
        for file in Path(path).rglob("*"):
            if file.is_file():
                files.append(str(file))
            if len(files) > MOST_IN_FOLDER:
                refused = (
                    f"keeps its files in {path}, which holds more than {MOST_IN_FOLDER} and is not sent to the farm"
                )
                files.clear()
                break
    return Dependency(
        kind=kind,
        user=user,
        stored=stored,
        path=path,
        owner=owner,
        files=tuple(sorted(files)),
        is_folder=True,
        refused=refused,
    )


def _disk_caches() -> Iterator[Dependency]:
    """Yield the folders in which simulations keep their steps beside the .blend; no data-block stores their paths."""
    for block in (*bpy.data.objects, *bpy.data.scenes):
        if not any(cache.use_disk_cache and not cache.use_external for cache in _point_caches(block)):
            continue
        owner = _absolute(block.library.filepath) if block.library is not None else None
        blend = owner or bpy.data.filepath
        name = f"blendcache_{Path(blend).stem}"
        path = str(Path(blend).parent / name)
        if blend and _holds_files(path):
            # One for all data-blocks of a file: it is the same folder.
            yield _folder("simulation", Path(blend).stem, f"//{name}", path, owner)


def _point_caches(block: bpy.types.ID) -> Iterator[bpy.types.PointCache]:
    """Yield the caches of an object's cloth, soft body, particles and dynamic paint, of a scene's rigid bodies."""
    if block.id_type == "SCENE":
        if block.rigidbody_world is not None and block.rigidbody_world.point_cache is not None:
            yield block.rigidbody_world.point_cache
        return
    for modifier in block.modifiers:
        if modifier.type in ("CLOTH", "SOFT_BODY"):
            yield modifier.point_cache
        elif modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings is not None:
            yield from (surface.point_cache for surface in modifier.canvas_settings.canvas_surfaces)
    for system in block.particle_systems:
        yield system.point_cache


def _absolute(stored: str, library: bpy.types.Library | None = None) -> str:
    """Return a stored path as this computer understands it."""
    if os.sep == "/" and stored.startswith("//"):
        # Relative paths may have been saved on Windows; Blender itself reads them so.
        stored = stored.replace("\\", "/")
    # Not resolve(): the file that a link points to has its neighbours elsewhere.
    return os.path.normpath(Path(bpy.path.abspath(stored, library=library)).absolute())


def _is_file_name(stored: str) -> bool:
    return bool(Path(stored).suffix)


def _holds_files(path: str) -> bool:
    """Tell whether a cache folder was ever written to; a simulation that was not baked names one that is not there.

    The root of the file system is a known false report of cloth simulations that keep nothing on disk.
    """
    folder = Path(path)
    return folder.parent != folder and folder.is_dir() and any(folder.iterdir())


def _expander(block: bpy.types.ID) -> Callable[[str], Iterator[str]]:
    """Return what makes a data-block's path into those of its files."""
    if block.id_type == "IMAGE" and block.source == "TILED":
        numbers = [tile.number for tile in block.tiles]
        return lambda path: _tiles(path, numbers)
    is_sequence = getattr(block, "is_sequence", False) or getattr(block, "source", "") == "SEQUENCE"
    return _sequence if is_sequence else lambda path: iter((path,))


def _tiles(path: str, numbers: list[int]) -> Iterator[str]:
    """Yield the files of a tiled image: 1001 is the first tile, and each row of them holds ten."""
    for number in numbers:
        column, row = (number - 1001) % 10 + 1, (number - 1001) // 10 + 1
        yield path.replace("<UDIM>", str(number)).replace("<UVTILE>", f"u{column}_v{row}")


def _sequence(path: str) -> Iterator[str]:
    """Yield the files beside ``path`` whose names differ from its own only in their number."""
    file = Path(path)
    parts = _NUMBERED.fullmatch(file.stem)
    if parts is None or not file.parent.is_dir():
        yield path
        return
    width = len(parts["number"])
    alike = re.compile(re.escape(parts["head"]) + r"(\d+)" + re.escape(parts["tail"] + file.suffix))
    for other in sorted(file.parent.iterdir()):
        match = alike.fullmatch(other.name)
        if match and (len(match[1]) == width or (len(match[1]) > width and match[1][0] != "0")):
            yield str(other)
