"""What a session writes, until the agent has looked at it and taken it: a scene may have taken Blender over."""

import contextlib
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agent.blender.confine import give_to_guest
from agent.blender.sandbox import SHADERS, Cell
from coordinator.protocol import MAX_EXTRA_PATH, MAX_EXTRAS, ManifestError, check_path

#: Below the output folder: what File Output nodes write.
EXTRAS = "extras"

#: How far the folders of extras are looked through: so many within each other, so many files.
MAX_DEPTH = 16
MAX_ENTRIES = 10_000


class NotAFileError(OSError):
    """What is there is a folder, a link, a device or a pipe: not what Blender writes pictures into."""


@dataclass(frozen=True, slots=True)
class Extra:
    """A file that the scene itself wrote."""

    path: str
    """Relative, with ``/``: where it lay below the folder that its nodes were given."""
    name: str
    """Of the file in the frame's folder."""


class Scratch:
    """The folder of one session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def make(cls, parent: Path, slot: int, *, sandboxed: bool) -> "Scratch":
        """Make a folder for a session of a slot, which can write into it from the sandbox too."""
        parent.mkdir(parents=True, exist_ok=True)
        scratch = cls(Path(tempfile.mkdtemp(prefix=f"slot-{slot}-", dir=parent)))
        scratch.kept.mkdir()
        for folder in (scratch.output, scratch.temporary):
            folder.mkdir()
            folder.chmod(0o755)  # nobody else gets here: the folder around it is the agent's own
            if sandboxed:
                give_to_guest(folder, slot)
        return scratch

    @property
    def output(self) -> Path:
        """Where Blender writes pictures and sound."""
        return self._folder / "output"

    @property
    def temporary(self) -> Path:
        """What Blender has as ``/tmp`` in the sandbox."""
        return self._folder / "tmp"

    @property
    def shaders(self) -> Path:
        """Where graphics drivers keep what they have compiled for the session."""
        return self.temporary / SHADERS

    @property
    def kept(self) -> Path:
        """What the agent keeps of the session's pictures; Blender does not get there."""
        return self._folder / "kept"

    @property
    def extras(self) -> Path:
        """What the scene's own outputs are pointed at."""
        return self.output / EXTRAS

    def cell(self, pack: Path, slot: int) -> Cell:
        """Return what a session of this folder sees of the machine."""
        return Cell(pack=pack, output=self.output, temporary=self.temporary, slot=slot)

    def take(self, name: str, folder: Path) -> None:
        """Move a file of the output folder into another one, out of Blender's reach.

        Raises:
            NotAFileError: it is no regular file, or an empty one.
            OSError: it is not there, or cannot be moved.
        """
        here, there = _open_folder(self.output), _open_folder(folder)
        try:
            _take(name, here, name, there, folder)
        finally:
            os.close(here)
            os.close(there)

    def take_extras(self, folder: Path) -> tuple[list[Extra], list[str]]:
        """Move what the scene's own outputs wrote into a folder, under names of the agent's own.

        No link is followed, however quickly Blender swaps folders for them.

        Returns:
            the files, and warnings about those that are not taken.
        """
        extras: list[Extra] = []
        refused: list[str] = []
        there = _open_folder(folder)
        try:
            for path, here, name in islice(_walk(_open_folder(self.extras), "", MAX_DEPTH), MAX_ENTRIES):
                if len(extras) == MAX_EXTRAS or not _acceptable(path):
                    refused.append(path)
                    continue
                extra = Extra(path, f"extra-{len(extras):03d}")
                try:
                    _take(name, here, extra.name, there, folder)
                except NotAFileError:
                    refused.append(path)
                else:
                    extras.append(extra)
        except FileNotFoundError:
            pass  # no node wrote anything
        finally:
            os.close(there)
        return extras, _warnings(refused)

    def remove(self) -> None:
        """Remove the folder and everything in it, once its Blender has ended."""
        _erase(self._folder)


def clear_sessions(folder: Path) -> None:
    """Remove what sessions of an agent that was killed have left behind."""
    if folder.exists():
        _erase(folder)


def _open_folder(name: str | Path, parent: int | None = None) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)


def _walk(folder: int, prefix: str, depth: int) -> Iterator[tuple[str, int, str]]:
    """Yield (path, descriptor of its folder, name) of what lies below an open folder, which is closed at the end."""
    try:
        with os.scandir(folder) as found:
            entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(found, MAX_ENTRIES))
        for name, is_folder in entries:
            if not is_folder:
                yield prefix + name, folder, name
            elif depth:
                with contextlib.suppress(OSError):  # locked, or gone meanwhile
                    yield from _walk(_open_folder(name, folder), f"{prefix}{name}/", depth - 1)
    finally:
        os.close(folder)


def _take(name: str, here: int, new_name: str, there: int, folder: Path) -> None:
    if _is_file(os.stat(name, dir_fd=here, follow_symlinks=False)):
        os.rename(name, new_name, src_dir_fd=here, dst_dir_fd=there)
        # Looked at again where nobody can swap it any more.
        if _is_file((folder / new_name).lstat()):
            return
        _erase(folder / new_name)
    raise NotAFileError(f"What Blender wrote as {name} is no file, or an empty one.")


def _is_file(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _acceptable(path: str) -> bool:
    try:
        check_path(path)
    except ManifestError:
        return False
    return len(path) <= MAX_EXTRA_PATH and path.isprintable()


def _warnings(refused: list[str]) -> list[str]:
    if not refused:
        return []
    named = ", ".join(repr(path)[:200] for path in refused[:3])
    text = (
        f"{len(refused)} files of the scene's File Output nodes are not kept ({named}): the farm takes up to "
        f"{MAX_EXTRAS} files with something in them for each frame, with plain names of up to {MAX_EXTRA_PATH} "
        "characters."
    )
    return [text]


def _erase(path: Path) -> None:
    """Remove a file or a folder that may be locked, or nested deeper than Python's own functions go."""
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, "--", str(path)], stderr=subprocess.DEVNULL, check=False)
