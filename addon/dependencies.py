"""Every file outside the .blend that the open scene needs, with the libraries' own.

Blender's ``file_path_map`` names the paths that its data-blocks store; this finds out which files they stand for (a
sequence's, a texture's tiles) and which of them are there.
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
    refused = None
    files: tuple[str, ...] = ()
    if Path(path).is_dir():
        refused = f"keeps its files in the folder {path}, which is not sent to the farm"
    else:
        files = tuple(file for file in _expander(block)(path) if Path(file).is_file())
    yield Dependency(
        kind=_KINDS[block.id_type],
        user=block.name,
        stored=stored,
        path=path,
        owner=_absolute(block.library.filepath) if block.library is not None else None,
        files=files,
        refused=refused,
    )


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
