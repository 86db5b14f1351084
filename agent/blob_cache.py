"""Blobs on this machine's disk, named by their SHA-256."""

import asyncio
import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from agent.client import RefusedError, RetryError
from agent.link import Link
from coordinator.protocol import MAX_BLOBS_ASKED, BlobRef

#: Blobs fetched at the same time.
PARALLEL_FETCHES = 4

#: Short blobs travel together: each of at most so many bytes, so many at a time, and only where there are a few.
SHORT_BYTES = 256 * 1024
BATCH_BYTES = 4 * 1024 * 1024
FEWEST_IN_BATCH = 4

#: Blobs of a batch are handed to a thread by so many bytes.
KEPT_TOGETHER = 1024 * 1024

#: Room that stays free on the disk for frames and logs (bytes).
RESERVE_BYTES = 512 * 1024 * 1024

#: A blob that arrives damaged is fetched anew this often before the coordinator's copy is taken for bad.
FETCH_ATTEMPTS = 3


class NoRoomError(Exception):
    """The disk has no room for what is to be fetched; the text says how much is needed and where."""


class BlobUnavailableError(Exception):
    """The coordinator does not have the blob, or a damaged one."""


class BlobCache:
    """Fetches blobs, resuming what was interrupted, and drops those least recently used when room is needed."""

    def __init__(self, folder: Path, link: Link, limit_bytes: int) -> None:
        self._blobs = folder / "blobs"
        self._parts = folder / "parts"
        self._link = link
        self._limit_bytes = limit_bytes
        self._fetching: dict[str, asyncio.Lock] = {}
        self._slots = asyncio.Semaphore(PARALLEL_FETCHES)

    def path(self, sha256: str) -> Path:
        """Return where a blob is, once it has been fetched."""
        return self._blobs / sha256[:2] / sha256

    def digests(self) -> set[str]:
        """Return the digests of all blobs that are here; reads the folder."""
        return {path.name for path in self._blobs.glob("??/*")}

    async def fetch(self, blobs: Iterable[BlobRef], extra_bytes: int = 0, pack_id: str | None = None) -> None:
        """Make blobs present, each verified by its digest just now.  Calls must not overlap.

        Args:
            blobs: in any number of repetitions.
            extra_bytes: room to be kept free beside them.
            pack_id: the pack that all of them belong to, if there is one.

        Raises:
            NoRoomError: the disk is too full.
            BlobUnavailableError: the coordinator cannot deliver one.
        """
        wanted = {blob.sha256: blob for blob in blobs}
        missing = await asyncio.to_thread(self._find_missing, list(wanted.values()))
        needed = sum(blob.size for blob in missing) + extra_bytes
        await asyncio.to_thread(self.make_room, needed, frozenset(wanted))
        try:
            if pack_id is not None:
                async with asyncio.TaskGroup() as group:
                    for batch in _batches(missing):
                        group.create_task(self._fetch_batch(pack_id, batch))
                missing = await asyncio.to_thread(self._absent, missing)
            async with asyncio.TaskGroup() as group:
                for blob in missing:
                    group.create_task(self._fetch_one(blob))
        except ExceptionGroup as failures:
            # The first one stopped the others.
            raise failures.exceptions[0] from None

    def _find_missing(self, blobs: list[BlobRef]) -> list[BlobRef]:
        missing = []
        for blob in blobs:
            path = self.path(blob.sha256)
            if path.is_file() and _digest(path) == blob.sha256:
                path.touch()  # the least recently used are dropped first
            else:
                path.unlink(missing_ok=True)
                missing.append(blob)
        return missing

    def make_room(self, needed: int = 0, keep: frozenset[str] = frozenset()) -> None:
        """Drop what was used least recently until ``needed`` bytes fit on the disk and into the limit.

        Blobs that packs still have stay, as dropping them would free nothing; so do those to ``keep``, by digest.

        Raises:
            NoRoomError: nothing is left to drop, and the disk is too full.
        """
        self._parts.mkdir(parents=True, exist_ok=True)
        broken_off = (part for part in self._parts.iterdir() if part.name not in keep)
        found = sorted(((path.stat(), path) for path in (*self._blobs.glob("??/*"), *broken_off)), key=_last_used)
        total = sum(status.st_size for status, _ in found)
        for status, path in found:
            if total + needed <= self._limit_bytes and self._free() >= needed + RESERVE_BYTES:
                return
            # A pack has its files by hard links.
            if path.name not in keep and status.st_nlink == 1:
                path.unlink(missing_ok=True)
                total -= status.st_size
        free = self._free()
        if needed and free < needed + RESERVE_BYTES:
            raise NoRoomError(
                f"The disk of {self._parts.parent} has {free / 1e9:.1f} GB free, but the job's files need "
                f"{needed / 1e9:.1f} GB and {RESERVE_BYTES / 1e9:.1f} GB to spare; "
                "free some, or move the agent's folder."
            )

    def _free(self) -> int:
        return shutil.disk_usage(self._parts).free

    def _absent(self, blobs: Iterable[BlobRef]) -> list[BlobRef]:
        return [blob for blob in blobs if not self.path(blob.sha256).is_file()]

    async def _fetch_batch(self, pack_id: str, batch: Sequence[BlobRef]) -> None:
        """Fetch short blobs together; what cannot be had like that is left for :meth:`_fetch_one`."""
        async with self._slots:
            with contextlib.suppress(RefusedError):
                await self._link.call(lambda: self._download_batch(pack_id, batch))

    async def _download_batch(self, pack_id: str, batch: Sequence[BlobRef]) -> None:
        wanted = await asyncio.to_thread(self._absent, batch)
        arrived: list[tuple[BlobRef, bytes]] = []
        held = kept = 0
        try:
            if wanted:
                pieces = self._link.client.get_blobs(pack_id, wanted)
                for blob in wanted:
                    arrived.append((blob, await anext(pieces)))
                    held += blob.size
                    if held >= KEPT_TOGETHER:
                        kept += await asyncio.to_thread(self._keep, arrived)
                        arrived, held = [], 0
        except RetryError as error:
            kept += await asyncio.to_thread(self._keep, arrived)
            raise RetryError(str(error), progressed=kept > 0) from error
        await asyncio.to_thread(self._keep, arrived)

    def _keep(self, arrived: Iterable[tuple[BlobRef, bytes]]) -> int:
        """Take in what has the right digest; return how many blobs that are."""
        kept = 0
        for blob, data in arrived:
            if hashlib.sha256(data).hexdigest() != blob.sha256:
                continue
            part = self._parts / blob.sha256
            with _no_room_in(self._parts.parent):
                part.write_bytes(data)
            self._take_in(blob, part)
            kept += 1
        return kept

    async def _fetch_one(self, blob: BlobRef) -> None:
        lock = self._fetching.setdefault(blob.sha256, asyncio.Lock())
        async with lock, self._slots:
            if await asyncio.to_thread(self.path(blob.sha256).is_file):
                return  # another slot was faster
            part = self._parts / blob.sha256
            for _ in range(FETCH_ATTEMPTS):
                await self._link.call(lambda: self._download(blob, part))
                if await asyncio.to_thread(self._accept, blob, part):
                    return
        raise BlobUnavailableError(
            f"A file of the job arrived damaged {FETCH_ATTEMPTS} times; the coordinator's copy ({blob.sha256}) is bad."
        )

    async def _download(self, blob: BlobRef, part: Path) -> None:
        """Append what is missing of a blob to its part."""
        offset = await asyncio.to_thread(lambda: part.stat().st_size if part.exists() else 0)
        if offset > blob.size:
            await asyncio.to_thread(part.unlink)
            offset = 0
        if offset == blob.size and blob.size:
            return
        written = offset
        try:
            with _no_room_in(self._parts.parent):
                await asyncio.to_thread(part.touch)
                async for piece in self._link.client.get_blob(blob.sha256, offset):
                    written += len(piece)
                    if written > blob.size:
                        break  # its digest will not be right
                    await asyncio.to_thread(_append, part, piece)
        except RetryError as error:
            raise RetryError(str(error), progressed=written > offset) from error
        except RefusedError as error:
            await asyncio.to_thread(part.unlink, missing_ok=True)
            if offset == 0:
                raise BlobUnavailableError(f"The coordinator has lost a file of the job: {error}") from error
            raise RetryError(str(error)) from error
        if written < blob.size:
            raise RetryError("The coordinator ended a file early.", progressed=written > offset)

    def _accept(self, blob: BlobRef, part: Path) -> bool:
        if _digest(part) != blob.sha256:
            part.unlink()
            return False
        self._take_in(blob, part)
        return True

    def _take_in(self, blob: BlobRef, part: Path) -> None:
        path = self.path(blob.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Sessions see the blob itself, by a hard link: nothing may write to it.
        part.chmod(0o444)
        part.replace(path)


def _batches(blobs: Iterable[BlobRef]) -> Iterator[list[BlobRef]]:
    """Put short blobs together; long ones, and a few short ones, are left out."""
    batch: list[BlobRef] = []
    size = 0
    for blob in blobs:
        if not 0 < blob.size <= SHORT_BYTES:
            continue
        if size + blob.size > BATCH_BYTES or len(batch) == MAX_BLOBS_ASKED:
            yield batch
            batch, size = [], 0
        batch.append(blob)
        size += blob.size
    if len(batch) >= FEWEST_IN_BATCH:
        yield batch


@contextlib.contextmanager
def _no_room_in(folder: Path) -> Iterator[None]:
    """Tell a full disk in words."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoRoomError(f"The disk of {folder} became full while fetching the job's files.") from error


def _append(part: Path, piece: bytes) -> None:
    """Open, write and close at once: who is cancelled while a thread opens a file would never close it."""
    with part.open("ab") as file:
        file.write(piece)


def _last_used(entry: tuple[os.stat_result, Path]) -> int:
    return entry[0].st_mtime_ns


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
