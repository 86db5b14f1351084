"""Blobs in a local folder.

A blob is written to a temporary file, its length and digest are checked, the file is flushed to the disk, renamed to
its final name, and the folder is flushed too: a reader sees all of it or nothing, and a crash leaves only a temporary
file, which :meth:`LocalBlobStore.sweep` removes.
"""

import asyncio
import errno
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from coordinator.store.interface import BlobMissing, ContentMismatch, Parts, Room, StoreError, StoreFull, StoreUnusable

_NAME = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT}

#: Pieces are gathered to this many bytes before they are handed to a thread: hand-overs cost more than writing.
_WRITE_BYTES = 1024 * 1024

#: Kept free on the disk for the database and the system, in bytes.
DEFAULT_RESERVE_BYTES = 256 * 1024 * 1024

T = TypeVar("T")


class LocalBlobStore:
    """A :class:`~coordinator.store.interface.BlobStore` in a folder."""

    def __init__(self, root: Path, *, reserve_bytes: int = DEFAULT_RESERVE_BYTES, threads: int = 8) -> None:
        """Use (and make) the folder ``root``.

        Raises:
            StoreUnusable: the folder cannot be made or written.
        """
        self._blobs = root / "blobs"
        self._unfinished = root / "unfinished"
        self._removed = root / "removed"
        self._space = _Space(self._unfinished, reserve_bytes)
        try:
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._unfinished.mkdir(exist_ok=True)
            self._removed.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self._unfinished):
                pass
        except OSError as error:
            raise StoreUnusable(
                f"The folder {root} cannot be written ({error.strerror}); "
                "give its owner the right to write there or choose another with RENDERFARM_DATA_DIR."
            ) from error
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store")

    async def put(self, sha256: str, size: int, pieces: AsyncIterator[bytes]) -> bool:
        """Store ``size`` bytes; see :meth:`BlobStore.put`."""
        final = self._path(sha256)
        if await self._run(_size_of, final) == size:
            return False
        upload = _Upload(self._unfinished, size, self._space)
        try:
            await self._run(upload.begin)
            pending = bytearray()
            async for piece in pieces:
                pending += piece
                if len(pending) >= _WRITE_BYTES:
                    await self._run(upload.write, bytes(pending))
                    pending.clear()
            await self._run(upload.write, bytes(pending))
            await self._run(upload.commit, sha256, final)
        finally:
            await self._run(upload.discard)
        return True

    async def put_many(self, blobs: Sequence[tuple[str, Parts]]) -> None:
        """Store blobs that are in memory; see :meth:`BlobStore.put_many`."""
        await self._run(self._put_many, blobs)

    def _put_many(self, blobs: Sequence[tuple[str, Parts]]) -> None:
        new: dict[Path, Parts] = {}
        size = 0
        for sha256, parts in blobs:
            final = self._path(sha256)
            _check_digest(_digest_of(parts), sha256)
            length = sum(map(len, parts))
            if final not in new and _size_of(final) != length:
                new[final] = parts
                size += length
        self._space.take(size)
        try:
            with tempfile.TemporaryDirectory(dir=self._unfinished) as folder:
                written = {Path(folder) / final.name: final for final in new}
                for path, final in written.items():
                    with path.open("wb") as file:
                        file.writelines(new[final])
                _publish_all(written)
        except OSError as error:
            raise _store_error(error, self._unfinished) from error
        finally:
            self._space.give_back(size)

    async def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Return the bytes of blobs; see :meth:`BlobStore.read_many`."""
        return await self._run(lambda: [self._read(sha256) for sha256 in names])

    def _read(self, sha256: str) -> bytes:
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise _missing(sha256) from error

    async def put_file(self, path: Path) -> tuple[str, int]:
        """Store a finished file; see :meth:`BlobStore.put_file`."""

        def move() -> tuple[str, int]:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = path.stat().st_size
            _publish(path, self._path(sha256))
            return sha256, size

        return await self._run(move)

    async def work_folder(self) -> Path:
        """Return a new empty folder; see :meth:`BlobStore.work_folder`."""

        def make() -> Path:
            self._space.take(0)
            try:
                return Path(tempfile.mkdtemp(dir=self._unfinished))
            except OSError as error:
                raise _store_error(error, self._unfinished) from error

        return await self._run(make)

    async def size(self, sha256: str) -> int | None:
        """Return a blob's length; see :meth:`BlobStore.size`."""
        return await self._run(_size_of, self._path(sha256))

    async def fetch(self, sha256: str) -> Path:
        """Return the blob's file; see :meth:`BlobStore.fetch`."""
        path = self._path(sha256)
        if await self._run(_size_of, path) is None:
            raise _missing(sha256)
        return path

    def holds(self, sha256: str) -> bool:
        """Tell whether a blob is there; see :meth:`BlobStore.holds`."""
        return _size_of(self._path(sha256)) is not None

    def remove(self, sha256: str) -> None:
        """Make a blob absent; see :meth:`BlobStore.remove`."""
        path = self._path(sha256)
        try:
            # Freeing the blocks of a large file takes its time.
            path.rename(self._removed / f"{sha256}.{secrets.token_hex(4)}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {error.strerror}.") from error

    async def names(self, part: int, older_than_seconds: float) -> Sequence[tuple[str, int]]:
        """Return names and lengths of blobs; see :meth:`BlobStore.names`."""

        def look() -> list[tuple[str, int]]:
            limit = time.time() - older_than_seconds
            found = []
            folder = self._blobs / f"{part:02x}"
            with suppress(FileNotFoundError), os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        if _NAME.fullmatch(entry.name) and entry.stat().st_mtime <= limit:
                            found.append((entry.name, entry.stat().st_size))
            return found

        return await self._run(look)

    async def room(self) -> Room:
        """Return how much there is room for; see :meth:`BlobStore.room`."""
        return await self._run(self._space.room)

    async def sweep(self, older_than_seconds: float) -> int:
        """Remove unfinished things; see :meth:`BlobStore.sweep`."""

        def remove() -> int:
            # The age of a file is the file system's business: its times are compared with the same wall clock.
            limit = time.time() - older_than_seconds
            removed = 0
            for entry in self._removed.iterdir():
                entry.unlink(missing_ok=True)
                removed += 1
            for entry in self._unfinished.iterdir():
                try:
                    if entry.stat().st_mtime > limit:
                        continue
                    if entry.is_dir():
                        shutil.rmtree(entry)
                    else:
                        entry.unlink()
                except FileNotFoundError:
                    continue  # its upload ended meanwhile
                removed += 1
            return removed

        return await self._run(remove)

    async def close(self) -> None:
        """Wait for running work; see :meth:`BlobStore.close`."""
        await asyncio.to_thread(self._pool.shutdown, wait=True)

    def _path(self, sha256: str) -> Path:
        # Names come from requests: one that is no digest could point out of the folder.
        if not _NAME.fullmatch(sha256):
            raise BlobMissing(f"{sha256[:80]!r} is not the name of a file in the store.")
        return self._blobs / sha256[:2] / sha256

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a blocking function in the store's threads.

        When the caller is cancelled (a client hangs up), the thread is waited for: nothing of ours may still write to
        a file that is being discarded.
        """
        future = asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise


class _Upload:
    """A blob on its way in: a temporary file and the digest of what it has so far.  Methods block.

    The file is opened for each piece, so that an upload which is abandoned at any point leaves no open file behind.
    """

    def __init__(self, folder: Path, size: int, space: "_Space") -> None:
        self._path = folder / secrets.token_hex(8)
        self._size = size
        self._space = space
        self._taken = 0
        self._received = 0
        self._digest = hashlib.sha256()

    def begin(self) -> None:
        self._space.take(self._size)
        self._taken = self._size

    def write(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self._size:
            raise ContentMismatch(f"More than the announced {self._size} bytes were sent.")
        self._digest.update(data)
        try:
            with self._path.open("ab") as file:
                file.write(data)
        except OSError as error:
            raise _store_error(error, self._path) from error
        # From here on the disk itself says that they are taken.
        self._space.give_back(len(data))
        self._taken -= len(data)

    def commit(self, sha256: str, final: Path) -> None:
        if self._received != self._size:
            raise ContentMismatch(f"{self._received} bytes were sent of the announced {self._size}.")
        _check_digest(self._digest.hexdigest(), sha256)
        _publish(self._path, final)

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)
        self._space.give_back(self._taken)
        self._taken = 0


class _Space:
    """The room on the disk, and what uploads under way are going to take of it.  For several threads."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._promised = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Promise ``size`` bytes to an upload.

        Raises:
            StoreFull: there is no room for them.
        """
        with self._lock:
            if self._free() < size:
                raise _full(self._folder)
            self._promised += size

    def give_back(self, size: int) -> None:
        """Take back a promise: the bytes are on the disk now, or will not come."""
        with self._lock:
            self._promised -= size

    def room(self) -> Room:
        """Return how much is left."""
        with self._lock:
            return Room(total_bytes=shutil.disk_usage(self._folder).total, free_bytes=max(0, self._free()))

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free - self._reserve_bytes - self._promised


def _publish(source: Path, final: Path) -> None:
    """Flush a whole file to the disk and give it its final name, durably."""
    try:
        _publish_all({source: final})
    except OSError as error:
        raise _store_error(error, final) from error


def _publish_all(files: Mapping[Path, Path]) -> None:
    """Flush whole files to the disk and give them their final names, durably.

    Raises:
        OSError: a file could not be flushed or renamed.
    """
    for source in files:
        _flush(source)
    folders = {final.parent for final in files.values()}
    for folder in folders:
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            _flush(folder.parent)
    for source, final in files.items():
        source.replace(final)
    for folder in folders:
        _flush(folder)


def _digest_of(parts: Parts) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _check_digest(found: str, said: str) -> None:
    """Raise ContentMismatch unless bytes have the digest that was announced."""
    if found != said:
        raise ContentMismatch(
            f"The bytes sent have the SHA-256 {found}, not {said}; "
            "they changed on the way or on the disk: send them again."
        )


def _flush(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing(sha256: str) -> BlobMissing:
    return BlobMissing(f"The file {sha256} is not in the store.")


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _store_error(error: OSError, path: Path) -> StoreError:
    if error.errno in _FULL:
        return _full(path.parent)
    return StoreError(f"{path} cannot be written: {error.strerror}.")


def _full(folder: Path) -> StoreFull:
    return StoreFull(f"The coordinator's disk is full (folder {folder}): make room there, and it goes on by itself.")
