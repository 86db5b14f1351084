"""A link that hands out packs and their blobs, and a disk of a test's choice."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from agent.client import RefusedError, RetryError
from coordinator.protocol import BlobRef, Manifest, ManifestFile, manifest_digest

T = TypeVar("T")


class Usage(NamedTuple):
    """What ``shutil.disk_usage`` returns."""

    total: int
    used: int
    free: int


class FakeLink:
    """Hands out blobs, and breaks off where a test wants it to."""

    def __init__(self) -> None:
        self.client = self
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, Manifest] = {}
        self.break_off_after: list[int] = []
        self.offsets: list[int] = []
        self.batches: list[int] = []
        """How many blobs were asked for in each."""
        self.progressed: list[bool] = []

    def add(self, *pieces: bytes) -> list[BlobRef]:
        refs = [BlobRef(sha256=hashlib.sha256(piece).hexdigest(), size=len(piece)) for piece in pieces]
        self.blobs |= {ref.sha256: piece for ref, piece in zip(refs, pieces, strict=True)}
        return refs

    def add_pack(self, remap: dict[str, str] | None = None, **files: list[BlobRef]) -> str:
        listed = [
            ManifestFile(path=name.replace("__", "/"), size=sum(blob.size for blob in blobs), blobs=blobs)
            for name, blobs in files.items()
        ]
        main = ManifestFile(path="scene.blend", size=5, blobs=self.add(b"scene"))
        manifest = Manifest(main="scene.blend", files=[main, *listed], remap=remap or {})
        self.manifests[manifest_digest(manifest)] = manifest
        return manifest_digest(manifest)

    async def call(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except RetryError as error:
                self.progressed.append(error.progressed)

    async def manifest(self, pack_id: str) -> Manifest:
        return self.manifests[pack_id]

    async def get_blobs(self, _pack_id: str, blobs: Sequence[BlobRef]) -> AsyncIterator[bytes]:
        self.batches.append(len(blobs))
        for blob in blobs:
            if blob.sha256 not in self.blobs:
                raise RefusedError("not_found", "No such blob.")
        for blob in blobs:
            if self.break_off_after and self.break_off_after.pop(0) == 0:
                raise RetryError("The line went dead.")
            yield self.blobs[blob.sha256]

    async def get_blob(self, sha256: str, offset: int) -> AsyncIterator[bytes]:
        self.offsets.append(offset)
        if sha256 not in self.blobs:
            raise RefusedError("not_found", "No such blob.")
        data = self.blobs[sha256][offset:]
        if self.break_off_after:
            yield data[: self.break_off_after.pop(0)]
            raise RetryError("The line went dead.")
        yield data
