"""The digests of files that were read before, so that the next submission reads only what is new.

Kept for each person in one SQLite file, which may be lost at any time: then everything is read once more.
"""

import os
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

try:
    import sqlite3
except ImportError:  # a Python that was built without it
    sqlite3 = None  # type: ignore[assignment]  # only ever compared with None

#: Told in the file: another number, after the rules of cutting have changed, makes all that is known void.
RULES = 2

#: A file that was written less than this long ago (ns) may be written again without its time changing.
TOO_YOUNG = 2_000_000_000

#: The newest so many files are remembered.
MOST_FILES = 200_000

#: What is known is written down this often (ns), so that a submission that is killed has not read in vain.
_WRITE_EVERY = 1_000_000_000

_PIECE = struct.Struct("<I32s")


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when a file is written."""

    size: int
    mtime_ns: int
    ctime_ns: int
    """Changes with every write, also with one by a program that sets the time back (``cp -p``, rsync)."""
    inode: int
    device: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Return the state in a file's status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


class DigestCache:
    """What is known of files.  For one thread; several processes may use one file.

    None of its methods fails: what cannot be remembered is read again.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or make the file ``path``; None remembers nothing."""
        self._path = path
        self._database = None if path is None or sqlite3 is None else _open(path)
        self._damaged = False
        self._written = time.time_ns()

    def get(self, path: str, state: FileState) -> list[tuple[int, bytes]] | None:
        """Return size and digest of the pieces of a file, None if it is not known as it is now."""
        if self._database is None:
            return None
        with self._noticing_damage():
            row = self._database.execute("SELECT seal, pieces FROM files WHERE path = ?", (_key(path),)).fetchone()
            if row is not None and row[0] == _seal(path, state, row[1]):
                known = list(_PIECE.iter_unpack(row[1]))
                if sum(size for size, _ in known) == state.size:
                    return known
        return None

    def put(self, path: str, state: FileState, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Remember the pieces of a file."""
        now = time.time_ns()  # the file system's times are of the same clock
        if self._database is None or now - max(state.mtime_ns, state.ctime_ns) < TOO_YOUNG:
            return
        packed = b"".join(_PIECE.pack(*piece) for piece in pieces)
        with self._noticing_damage():
            row = (_key(path), now, _seal(path, state, packed), packed)
            self._database.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", row)
            if now - self._written > _WRITE_EVERY:
                self._database.commit()
                self._written = now

    def close(self) -> None:
        """Write everything down; forget the files that were read longest ago when there are too many."""
        if self._database is None:
            return
        with self._noticing_damage():
            self._database.execute(
                "DELETE FROM files WHERE read_at < (SELECT read_at FROM files ORDER BY read_at DESC LIMIT 1 OFFSET ?)",
                (MOST_FILES - 1,),
            )
            self._database.commit()
        self._database.close()
        self._database = None
        if self._damaged and self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    @contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        """Go on after whatever SQLite says; a file that is damaged is given up in the end."""
        try:
            yield
        except sqlite3.OperationalError:
            pass  # another process is at it, or the disk is full
        except (sqlite3.Error, TypeError, ValueError, struct.error):
            self._damaged = True


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
            "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, read_at INTEGER, seal INTEGER, pieces BLOB)"
            " WITHOUT ROWID"
        )
        database.execute(f"PRAGMA user_version = {RULES}")
        database.commit()
    except BaseException:
        database.close()
        raise
    return database


def _seal(path: str, state: FileState, pieces: bytes) -> int:
    """Return what fits only these pieces of this file in this state: bytes that rot on the disk are not believed."""
    return zlib.crc32(repr((_key(path), state)).encode() + pieces)


def _key(path: str) -> bytes:
    return os.fsencode(path)
