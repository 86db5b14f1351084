"""What a stored path stands for on this computer's disk: a file, a sequence's, a texture's tiles, all of a folder.

:mod:`stored_paths` reads the references from Blender; this looks for their files, in any thread, without Blender.
"""

import enum
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .snapshot import Dependency
from .spellings import Spellings, plain_name

#: Names of numbered files: the last run of digits before the ending counts, as in Blender's BLI_path_sequence_decode.
_NUMBERED = re.compile(r"(?P<head>.*?)(?P<number>\d+)(?P<tail>\D*)", re.DOTALL)

#: A cache folder with more files than this is not what it seems to be.
MOST_IN_FOLDER = 100_000


class Shape(enum.Enum):
    """What a path stands for."""

    FILE = enum.auto()
    """One file."""
    EITHER = enum.auto()
    """One file, or a whole folder where that is what is there."""
    SEQUENCE = enum.auto()
    """A file and its neighbours that differ from it only in their number."""
    TILES = enum.auto()
    """The files of a tiled image."""
    STRIP = enum.auto()
    """Files of one folder that are named one by one."""
    SHADER = enum.auto()
    """A shader's source or bytecode, with the other of the two."""
    FOLDER = enum.auto()
    """All that lies in a folder."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A path that a data-block stores, as plain data; for its fields see :class:`~.snapshot.Dependency`."""

    kind: str
    user: str
    stored: str
    path: str
    owner: str | None = None
    shape: Shape = Shape.FILE
    tiles: tuple[int, ...] = ()
    """Numbers of the tiles."""
    names: tuple[str, ...] = ()
    """Names of the strip's files in the folder of ``path``."""
    views: tuple[str, ...] = ()
    """Endings of the names of a stereo picture's files, such as ``_L``."""
    optional: bool = False
    """Nothing is missing when nothing is there: it was not baked yet."""
    simulation: bool = False
    """Without its files it is a simulation that was not baked."""
    steps: str = ""
    """The folder inside of its own that a baked simulation has files in; empty: anywhere."""
    refused: str | None = None


def find(reference: Reference, spellings: Spellings | None = None) -> Dependency | None:
    """Return the dependency of a reference, None when there is none: an optional one without files.

    Its files are named as the disk does, whatever capitals the scene writes them with.
    """
    spellings = spellings or Spellings()
    files: list[str] = []
    missing: list[str] = []
    refused, is_folder = reference.refused, False
    path = reference.path
    if refused is None and path:
        folder = spellings.of_folder(path) if reference.shape in (Shape.FOLDER, Shape.EITHER) else None
        if reference.optional and not _holds_files(folder or path):
            pass
        elif reference.shape is Shape.FOLDER or (folder is not None and Path(folder).is_dir()):
            is_folder, path = True, folder or path
            files, refused = _in_folder(path)
        else:
            for name in _FILES[reference.shape](reference, spellings):
                there = spellings.of(name)
                if there is not None and Path(there).is_file():
                    files.append(there)
                else:
                    missing.append(name)
            for name in list(files) if reference.views else ():
                views = (spellings.of(view) for view in _views(name, reference.views))
                files += (view for view in views if view is not None and view not in files and Path(view).is_file())
        if not files and not missing and not reference.optional and refused is None:
            missing.append(path)
    unbaked = reference.simulation and refused is None and not _is_baked(reference, path, files)
    if reference.optional and not files and refused is None and not unbaked:
        return None
    owner = reference.owner
    return Dependency(
        kind=reference.kind,
        user=reference.user,
        stored=reference.stored,
        path=path,
        owner=owner and (spellings.of(owner) or owner),
        files=tuple(files),
        missing=tuple(missing),
        is_folder=is_folder,
        refused=refused,
        unbaked=unbaked,
    )


def _is_baked(reference: Reference, path: str, files: list[str]) -> bool:
    """Tell whether a simulation's folder holds steps: fluids write down their settings before there is any."""
    steps = os.path.join(path, reference.steps, "")  # noqa: PTH118 - thousands of plain paths
    return any(file.startswith(steps) for file in files)


def _in_folder(path: str) -> tuple[list[str], str | None]:
    """Return the files in a folder, or why they are not sent."""
    if path in (str(Path(path).parent), os.path.expanduser("~")):  # noqa: PTH111 - Path.home() can fail
        return [], f"keeps its files in {path}, which is not sent to the farm as it holds more than that"
    files: list[str] = []
    seen: set[tuple[int, int]] = set()
    # A cache's folder may be a link to a larger disk.
    for folder, folders, names in os.walk(path, followlinks=True):
        status = os.stat(folder)  # noqa: PTH116 - thousands of plain paths
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()  # a link back up
            continue
        seen.add((status.st_dev, status.st_ino))
        files += (name for name in (os.path.join(folder, name) for name in names) if os.path.isfile(name))  # noqa: PTH113, PTH118 - as above
        if len(files) > MOST_IN_FOLDER:
            return [], f"keeps its files in {path}, which holds more than {MOST_IN_FOLDER} and is not sent to the farm"
    return sorted(files), None


def _holds_files(path: str) -> bool:
    """Tell whether a cache folder was ever written to; a simulation that was not baked names one that is not there.

    The root of the file system is a known false report of cloth simulations that keep nothing on disk.
    """
    folder = Path(path)
    return folder.is_file() or (folder.parent != folder and folder.is_dir() and any(folder.iterdir()))


def _tiles(reference: Reference, _: Spellings) -> Iterator[str]:
    """Yield the files of a tiled image: 1001 is the first tile, and each row of them holds ten."""
    for number in reference.tiles:
        column, row = (number - 1001) % 10 + 1, (number - 1001) // 10 + 1
        yield reference.path.replace("<UDIM>", str(number)).replace("<UVTILE>", f"u{column}_v{row}")


def _sequence(reference: Reference, spellings: Spellings) -> Iterator[str]:
    """Yield the files beside ``path`` whose names differ from its own only in their number."""
    file = Path(reference.path)
    parts = _NUMBERED.fullmatch(file.stem)
    folder = spellings.of_folder(str(file.parent))
    if parts is None or folder is None or not Path(folder).is_dir():
        yield reference.path
        return
    width = len(parts["number"])
    names = sorted(os.listdir(folder))  # noqa: PTH208 - thousands of plain names
    for written in (str, plain_name):
        # Other capitals count where no file has the given ones.
        head, tail = written(parts["head"]), written(parts["tail"] + file.suffix)
        alike = re.compile(re.escape(head) + r"(\d+)" + re.escape(tail))
        found = False
        for name in names:
            match = alike.fullmatch(written(name))
            if match and (len(match[1]) == width or (len(match[1]) > width and match[1][0] != "0")):
                found = True
                yield os.path.join(folder, name)  # noqa: PTH118 - as above
        if found:
            return


def _strip(reference: Reference, _: Spellings) -> Iterator[str]:
    folder = os.path.dirname(reference.path)  # noqa: PTH120 - thousands of plain paths
    return (os.path.join(folder, name) for name in reference.names)  # noqa: PTH118 - as above


def _shader(reference: Reference, spellings: Spellings) -> Iterator[str]:
    """Yield a shader and what Blender has compiled of it, which it looks for beside it."""
    yield reference.path
    stem, ending = os.path.splitext(reference.path)  # noqa: PTH122 - text only
    other = stem + {".osl": ".oso", ".oso": ".osl"}.get(ending.lower(), "")
    if other != stem and spellings.of(other) is not None:
        yield other


def _file(reference: Reference, _: Spellings) -> Iterator[str]:
    yield reference.path


_FILES: dict[Shape, Callable[[Reference, Spellings], Iterator[str]]] = {
    Shape.FILE: _file,
    Shape.EITHER: _file,
    Shape.SEQUENCE: _sequence,
    Shape.TILES: _tiles,
    Shape.STRIP: _strip,
    Shape.SHADER: _shader,
}


def _views(path: str, endings: tuple[str, ...]) -> Iterator[str]:
    """Yield the files of all views of a stereo picture, of which one is named."""
    stem, ending = os.path.splitext(path)  # noqa: PTH122 - text only
    for view in endings:
        if view and stem.endswith(view):
            yield from (f"{stem.removesuffix(view)}{other}{ending}" for other in endings)
