"""How the disk itself writes a path that a scene may write otherwise (no Blender, any thread).

Windows and macOS find ``Textures/Wood.PNG`` where the disk has ``textures/wood.png``, and macOS finds names whose
accents are put together in another way.  Packs name every file as the disk does, so that two spellings of one file are
one file on every system; the agent looks names up in the same way.
"""

import os
import unicodedata


class Spellings:
    """Looks names up in folders, of which it remembers what they hold: for one look at a scene."""

    def __init__(self) -> None:
        self._folders: dict[str, str | None] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._plain: dict[str, dict[str, str]] = {}

    def of(self, path: str) -> str | None:
        """Return an absolute path as the disk writes it, None where nothing is there.

        A name as it is given goes before others that differ in capitals or in how accents are written; two of those,
        and none as given, is no answer.
        """
        folder, name = os.path.split(path)
        if not name:
            return path if os.path.isdir(path) else None  # noqa: PTH112 - thousands of plain paths
        there = self.of_folder(folder)
        if there is None:
            return None
        if name not in self._in(there):
            written = self._others(there).get(plain_name(name), "")
            if not written:
                # Not every folder tells all that is in it: short names on Windows, what is mounted when it is used.
                return path if os.path.exists(path) else None  # noqa: PTH110 - as above
            name = written
        return os.path.join(there, name)  # noqa: PTH118 - as above

    def of_folder(self, folder: str) -> str | None:
        """Return a folder as the disk writes it, None where it is not there."""
        if folder not in self._folders:
            self._folders[folder] = self.of(folder)
        return self._folders[folder]

    def _in(self, folder: str) -> frozenset[str]:
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))  # noqa: PTH208 - as above
            except OSError:
                self._names[folder] = frozenset()
        return self._names[folder]

    def _others(self, folder: str) -> dict[str, str]:
        """Return the names in a folder by their plain form; empty where several have the same."""
        if folder not in self._plain:
            others = self._plain[folder] = {}
            for name in self._in(folder):
                plain = plain_name(name)
                others[plain] = "" if plain in others else name
        return self._plain[folder]


def plain_name(name: str) -> str:
    """Return what names have in common that Windows or macOS takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
