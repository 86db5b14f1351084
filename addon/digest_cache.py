"""The digests of files that were read before, so that the next submission reads only what is new.

Kept for each person in one SQLite file, which may be lost at any time: then everything is read once more.
"""

import os
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

try:
    import sqlite3
except ImportError:  # a Python that was built without it
    sqlite3 = None  # type: ignore[assignment]  # only ever compared with None

#: Told in the file: another number, after the rules of cutting have changed, makes all that is known void.
RULES = 1

#: A file that was written less than this long ago (ns) may be written again without its time changing.
TOO_YOUNG = 2_000_000_000

#: The newest so many files are remembered.
MOST_FILES = 200_000

_PIECE = struct.Struct("<I32s")


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when a file is written."""

    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Return the state in a file's status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


class DigestCache:
    """What is known of files.  For one thread; several processes may use one file.

    None of its methods fails: what cannot be remembered is read again.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or make the file ``path``; None remembers nothing."""
        self._database = None if path is None or sqlite3 is None else _open(path)

    def get(self, path: str, state: FileState) -> list[tuple[int, bytes]] | None:
        """Return size and digest of the pieces of a file, None if it is not known as it is now."""
        if self._database is None:
            return None
        with suppress(sqlite3.Error):
            row = self._database.execute(
                "SELECT pieces FROM files WHERE path = ? AND size = ? AND mtime_ns = ? AND inode = ? AND device = ?",
                (_key(path), state.size, state.mtime_ns, str(state.inode), str(state.device)),
            ).fetchone()
            if row is not None:
                known = list(_PIECE.iter_unpack(row[0]))
                if sum(size for size, _ in known) == state.size:
                    return known
        return None

    def put(self, path: str, state: FileState, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Remember the pieces of a file."""
        now = time.time_ns()  # the file system's times are of the same clock
        if self._database is None or now - state.mtime_ns < TOO_YOUNG:
            return
        with suppress(sqlite3.Error):
            self._database.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    _key(path),
                    state.size,
                    state.mtime_ns,
                    # As text: both may be greater than SQLite's integers.
                    str(state.inode),
                    str(state.device),
                    now,
                    b"".join(_PIECE.pack(*piece) for piece in pieces),
                ),
            )

    def close(self) -> None:
        """Write everything down; forget the files that were read longest ago when there are too many."""
        if self._database is None:
            return
        with suppress(sqlite3.Error):
            self._database.execute(
                "DELETE FROM files WHERE read_at < (SELECT read_at FROM files ORDER BY read_at DESC LIMIT 1 OFFSET ?)",
                (MOST_FILES - 1,),
            )
            self._database.commit()
        self._database.close()
        self._database = None


def usual_place() -> Path:
    """Return where this person's programs keep what may be lost at any time."""
    if sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "renderfarm" / "digests.sqlite"


def _open(path: Path) -> "sqlite3.Connection | None":
    for _ in range(2):
        with suppress(OSError, sqlite3.Error):
            path.parent.mkdir(parents=True, exist_ok=True)
            if (database := _connect(path)) is not None:
                return database
        # Damaged, or of other rules: it starts anew.
        with suppress(OSError):
            path.unlink()
    return None


def _connect(path: Path) -> "sqlite3.Connection | None":
    """Return the database in a file, None if it is of other rules."""
    database = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
    try:
        (rules,) = database.execute("PRAGMA user_version").fetchone()
        if rules not in (0, RULES):
            database.close()
            return None
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.execute(
            "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode TEXT,"
            " device TEXT, read_at INTEGER, pieces BLOB) WITHOUT ROWID"
        )
        database.execute(f"PRAGMA user_version = {RULES}")
        database.commit()
    except BaseException:
        database.close()
        raise
    return database


def _key(path: str) -> bytes:
    return os.fsencode(path)
