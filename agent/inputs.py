"""The files of packs, laid out in folders that sessions open scenes from."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.blob_cache import BlobCache, BlobUnavailableError, NoRoomError
from agent.client import RefusedError
from agent.link import Link
from coordinator.protocol import Manifest, ManifestError, ManifestFile, manifest_digest, validate_manifest


class InputsError(Exception):
    """The pack's files cannot be had.  ``code`` is ``no_room`` (this machine's fault) or ``no_inputs``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack's files, where a session can open them."""

    folder: Path
    main: Path
    remap: dict[str, str]
    """Files or folders as the scene names them → absolute paths here."""


class Inputs:
    """Makes packs present, each once however many slots want it."""

    def __init__(
        self,
        folder: Path,
        cache: BlobCache,
        link: Link,
        packs_in_use: Callable[[], set[str]],
    ) -> None:
        """Keep packs below ``folder``, which must be on the cache's file system to save a copy of every file."""
        self._folder = folder / "packs"
        self._cache = cache
        self._link = link
        self._packs_in_use = packs_in_use
        self._packs: dict[str, Pack] = {}
        self._cached: dict[str, frozenset[str]] = {}
        """Packs whose files are all on disk, and the blobs they are made of; the one used last is the last."""
        # One at a time: a pack's fetch must not drop the blobs that another is made of.
        self._lock = asyncio.Lock()

    async def clear(self) -> None:
        """Remove the packs of an earlier run; their blobs stay in the cache and are verified before they are used."""
        await asyncio.to_thread(_remove, self._folder)

    def pack(self, pack_id: str) -> Pack:
        """Return a pack that was prepared."""
        return self._packs[pack_id]

    def cached(self) -> list[str]:
        """Return the packs whose files are all on disk, laid out or not, the one used last first.

        Packs of an earlier run are not among them before they are used again.
        """
        return list(reversed(self._cached))

    async def prepare(self, pack_id: str) -> None:
        """Make a pack present, and remove those that nobody uses any more.

        Raises:
            InputsError: it cannot be had.
        """
        async with self._lock:
            present = pack_id in self._packs
            unused = self._packs.keys() - self._packs_in_use() - {pack_id}
            try:
                for other in unused:
                    del self._packs[other]
                    await asyncio.to_thread(_remove, self._folder / other)
                # Frames need room on this disk too.
                await asyncio.to_thread(self._cache.make_room)
                if not present:
                    self._packs[pack_id] = await self._assemble(pack_id)
                self._cached[pack_id] = self._cached.pop(pack_id)
            finally:
                await self._forget_incomplete()

    async def _assemble(self, pack_id: str) -> Pack:
        try:
            manifest = await self._link.call(lambda: self._link.client.manifest(pack_id))
            validate_manifest(manifest)
            if manifest_digest(manifest) != pack_id:
                raise InputsError("no_inputs", "The coordinator's list of the job's files is not the one submitted.")
            blobs = {blob.sha256: blob for file in manifest.files for blob in file.blobs}
            # Files of several blobs are copies; those of one share its bytes.
            copies = sum(file.size for file in manifest.files if len(file.blobs) != 1)
            await self._cache.fetch(blobs.values(), copies, pack_id)
            self._cached[pack_id] = frozenset(blobs)
            return await asyncio.to_thread(self._lay_out, pack_id, manifest)
        except RefusedError as error:
            raise InputsError("no_inputs", f"The coordinator cannot give the job's files: {error}") from error
        except ManifestError as error:
            raise InputsError("no_inputs", f"The coordinator's list of the job's files is bad: {error}") from error
        except BlobUnavailableError as error:
            raise InputsError("no_inputs", str(error)) from error
        except NoRoomError as error:
            raise InputsError("no_room", str(error)) from error
        except OSError as error:
            raise InputsError("no_room", f"The job's files cannot be written to {self._folder}: {error}") from error

    async def _forget_incomplete(self) -> None:
        """Strike the packs that would have to be fetched again: room for another pack may have cost them blobs."""
        present = await asyncio.to_thread(self._cache.digests)
        self._cached = {
            pack_id: blobs for pack_id, blobs in self._cached.items() if pack_id in self._packs or blobs <= present
        }

    def _lay_out(self, pack_id: str, manifest: Manifest) -> Pack:
        self._folder.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
        try:
            for file in manifest.files:
                # The manifest was validated: its paths stay inside, and none is there twice.
                self._place(file, building / file.path)
            # In the sandbox Blender may be another user than the agent.
            for inner, _, _ in os.walk(building):
                Path(inner).chmod(0o755)
            folder = self._folder / pack_id
            building.replace(folder)
        except OSError:
            _remove(building)
            raise
        remap = {source: str(folder / target) for source, target in manifest.remap.items()}
        return Pack(folder, folder / manifest.main, remap)

    def _place(self, file: ManifestFile, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if len(file.blobs) == 1:
            blob = self._cache.path(file.blobs[0].sha256)
            try:
                os.link(blob, path)
            except OSError:  # a file system without hard links, or too many of them
                _join([blob], path)
        else:
            _join([self._cache.path(part.sha256) for part in file.blobs], path)
        path.chmod(0o444)


def _join(parts: Sequence[Path], path: Path) -> None:
    """Make a file of others, one after the other.

    The system copies, which costs less than reading and writing, and nothing at all where it can share their blocks.
    """
    with path.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                left = os.fstat(source.fileno()).st_size
                with contextlib.suppress(OSError):  # not within this file system: the rest is read and written
                    while left > 0 and (copied := os.copy_file_range(source.fileno(), target.fileno(), left)):
                        left -= copied
                if left:
                    source.seek(-left, os.SEEK_END)
                    target.seek(0, os.SEEK_END)
                    shutil.copyfileobj(source, target)
                    target.flush()


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
