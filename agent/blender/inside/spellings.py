"""Finding files of the pack that a scene names with other capitals, or with accents put together in another way.

Windows and macOS take such names for the same; this computer may not.
"""

import os
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

#: What stands for the tile in a tiled picture's path, as it reads in plain form, and what it stands for.
_TOKENS = {"<udim>": r"(\d{4})", "<uvtile>": r"(u\d+_v\d+)"}

_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


def other_spelling(path: str) -> str | None:
    """Return an absolute path as the disk writes it; None where it is there as given, or where nothing is."""
    if Path(path).exists():
        return None
    folder, name = os.path.split(path)
    there = _folder(folder)
    if there is None or not name:
        return None
    written = _name(there, name)
    found = os.path.join(there, written) if written is not None else None  # noqa: PTH118 - text only
    return found if found != path else None


def forget_folders() -> None:
    """Look at the disk anew."""
    _folder.cache_clear()
    _names.cache_clear()


@lru_cache(maxsize=10_000)
def _folder(path: str) -> str | None:
    if Path(path).is_dir():
        return path
    folder, name = os.path.split(path)
    there = _folder(folder) if name else None
    written = _names(there).get(_plain(name)) if there is not None else None
    return os.path.join(there, written) if there is not None and written else None  # noqa: PTH118 - text only


@lru_cache(maxsize=100)
def _names(folder: str) -> dict[str, str]:
    """Return the names in a folder by their plain form; empty where several have the same."""
    names: dict[str, str] = {}
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - thousands of plain names
            plain = _plain(name)
            names[plain] = "" if plain in names else name
    except OSError:
        pass
    return names


def _name(folder: str, name: str) -> str | None:
    """Return how a folder writes a name, or the template or first number of a series of names."""
    if Path(folder, name).exists():
        return name
    names, plain = _names(folder), _plain(name)
    if written := names.get(plain):
        return written
    for token, tile in _TOKENS.items():
        if token in plain:
            return _series(names, plain.split(token), tile, name[plain.index(token) :][: len(token)])
    number = _LAST_NUMBER.search(plain)
    if number is None:
        return None
    # A sequence's first picture need not be there.
    return _series(names, [plain[: number.start()], plain[number.end() :]], r"(\d+)", number[0])


def _series(names: dict[str, str], around: list[str], varying: str, kept: str) -> str | None:
    """Return a name of the series with what it is to have where they vary."""
    alike = re.compile(varying.join(map(re.escape, around)))
    for plain, written in names.items():
        match = alike.fullmatch(plain)
        if match and written:
            start = written.lower().rfind(match[1])
            return written[:start] + kept + written[start + len(match[1]) :]
    return None


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
