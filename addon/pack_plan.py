"""Where each file of a scene goes inside its pack, so that the paths Blender stores keep working there (pure).

Files that name each other by relative paths form a *tree* and keep their places in it: the .blend's own tree is the
pack's root, every other one (a library linked by an absolute path, say) gets a folder of its own below ``_outside``.
So no relative path ever has to be rewritten; absolute ones are listed in ``remap``, a folder at a time, and the agent
points Blender there.
"""

import hashlib
import ntpath
import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from .snapshot import Dependency

#: Files outside the .blend's own tree go below this folder of the pack.
OUTSIDE = "_outside"

_WINDOWS_RESERVED = re.compile(r"^(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?$", re.IGNORECASE)
_LONGEST_PATH = 1024
_LONGEST_NAME = 255


class PackError(ValueError):
    """The files cannot be packed; the text says which and what to do."""


@dataclass(frozen=True)
class PackPlan:
    """The files of a pack."""

    main: str
    """Place of the .blend to open."""
    files: dict[str, str]
    """Place in the pack → absolute path of the file to read."""
    remap: dict[str, str] = field(default_factory=dict)
    """Folder, as absolute paths of the scene name it → folder in the pack (empty: the pack's root)."""


def plan_pack(
    blend: str, original: str, dependencies: Sequence[Dependency], *, paths: ModuleType = os.path
) -> PackPlan:
    """Return the pack of the .blend at ``blend`` and its dependencies.

    ``blend`` is the file whose bytes are sent, perhaps a copy; ``original`` is where its relative paths count from.
    ``paths`` is the path module of the machine they are on.

    Raises:
        PackError: a name that not every agent can store.
    """
    trees = _Trees(original, paths)
    for dependency in dependencies:
        trees.add(dependency)
    places = trees.places()
    _check_places(places)
    sources = {place: path for path, place in places.items()}
    sources[places[original]] = blend
    return PackPlan(places[original], sources, trees.remap(dependencies, places))


class _Trees:
    """Folders gathered into trees: two are in the same tree when a file of one names a file of the other by a relative
    path."""

    def __init__(self, original: str, paths: ModuleType) -> None:
        self._original = original
        self._paths = paths
        home = paths.dirname(original)
        self._next: dict[str, str] = {home: home}
        self._files = {original: home}
        self._spellings = {paths.normcase(original): original}
        self._libraries: dict[str, str] = {}

    def add(self, dependency: Dependency) -> None:
        owner = self._paths.dirname(dependency.owner or self._original)
        for named in dependency.files:
            # On Windows one file may be named in upper and in lower case: it goes to one place.
            path = self._spellings.setdefault(self._paths.normcase(named), named)
            folder = self._files[path] = self._paths.dirname(path)
            self._next.setdefault(folder, folder)
            if dependency.is_folder:
                # What lies in it stays as it is to one another.
                self._join(folder, dependency.path)
            if dependency.is_relative:
                self._join(folder, owner)
            if dependency.kind == "library":
                # A library's own links are known to Blender only as seen from the open file, so that nobody can tell
                # which library names which by a relative path: all of them stay where they are to one another.
                self._join(folder, self._libraries.setdefault(self._drive(folder), folder))

    def _join(self, folder: str, other: str) -> None:
        if self._drive(folder) == self._drive(other):
            self._next.setdefault(other, other)
            self._next[self._tree(folder)] = self._tree(other)

    def places(self) -> dict[str, str]:
        """Return each file's place in the pack."""
        members: dict[str, list[str]] = {}
        for folder in self._next:
            members.setdefault(self._tree(folder), []).append(folder)
        root = self._paths.commonpath(members.pop(self._tree(self._paths.dirname(self._original))))
        starts: dict[str, tuple[str, str]] = {}
        for folder in self._next:
            tree = self._paths.commonpath(members.get(self._tree(folder), [root]))
            # What is named by an absolute path but lies in the .blend's own tree stays there.
            outside = not self._is_below(tree, root)
            starts[folder] = (tree, f"{OUTSIDE}/{_digest(tree)}/") if outside else (root, "")
        places = {}
        for path, folder in self._files.items():
            start, prefix = starts[folder]
            places[path] = prefix + self._slashes(self._paths.relpath(path, start))
        return places

    def remap(self, dependencies: Iterable[Dependency], places: dict[str, str]) -> dict[str, str]:
        """Return where the folders of absolute paths are in the pack."""
        remap: dict[str, str] = {}
        for dependency in dependencies:
            if dependency.files and not dependency.is_relative:
                place = places[self._spellings[self._paths.normcase(dependency.files[0])]]
                if dependency.is_folder:
                    folder = posixpath.normpath(self._slashes(dependency.stored))
                    below = self._slashes(self._paths.relpath(dependency.files[0], dependency.path))
                    remap[folder] = place[: -len(below)].rstrip("/")
                else:
                    remap[posixpath.dirname(self._slashes(dependency.stored))] = posixpath.dirname(place)
        return dict(sorted(remap.items()))

    def _tree(self, folder: str) -> str:
        while (following := self._next[folder]) != folder:
            folder = following
        return folder

    def _drive(self, path: str) -> str:
        return str(self._paths.normcase(self._paths.splitdrive(path)[0]))

    def _is_below(self, path: str, folder: str) -> bool:
        if self._drive(path) != self._drive(folder):
            return False
        common = self._paths.commonpath([path, folder])
        return bool(self._paths.normcase(common) == self._paths.normcase(folder))

    def _slashes(self, path: str) -> str:
        return path.replace("\\", "/") if self._paths is ntpath else path


def _digest(folder: str) -> str:
    return hashlib.sha256(folder.encode(errors="surrogateescape")).hexdigest()[:12]


def _check_places(places: dict[str, str]) -> None:
    """Raise PackError for names that some agent's file system cannot store."""
    seen: dict[str, str] = {}
    for path, place in places.items():
        shown = path.encode(errors="replace").decode()
        for part in place.split("/"):
            reason = _refusal(part)
            if reason is not None:
                raise PackError(f"The file {shown} cannot go to the farm, {reason}; rename it and point Blender to it.")
        if len(place) > _LONGEST_PATH:
            raise PackError(f"The path of {shown} is longer than {_LONGEST_PATH} characters; move it up some folders.")
        other = seen.setdefault(place.casefold(), path)
        if other != path:
            raise PackError(
                f"The files {other} and {shown} differ only in upper and lower case, which many systems cannot keep "
                "apart; rename one of them."
            )
    for path, place in places.items():
        parent = posixpath.dirname(place)
        while parent:
            if parent.casefold() in seen:
                raise PackError(
                    f"The file {seen[parent.casefold()]} and a folder of {path} have the same name, but for upper and "
                    "lower case; rename one of them."
                )
            parent = posixpath.dirname(parent)


def _refusal(name: str) -> str | None:
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "because its name is not readable text (it is not UTF-8)"
    if length > _LONGEST_NAME:
        return f"because its name is longer than {_LONGEST_NAME} bytes"
    if "\\" in name or any(ord(character) < 32 for character in name):
        return "because its name has a backslash or a control character"
    if _WINDOWS_RESERVED.match(name):
        return f"because Windows reserves the name “{name}”"
    return None
