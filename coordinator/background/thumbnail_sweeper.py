"""Remove the thumbnails of pictures that are gone."""

from coordinator.media.thumbnails import Thumbnails
from coordinator.store import BlobStore


class ThumbnailSweeper:
    """Keeps no thumbnail longer than its picture."""

    interval_seconds = 3600.0

    def __init__(self, thumbnails: Thumbnails, store: BlobStore) -> None:
        """Sweep these, by what is in the store."""
        self._thumbnails = thumbnails
        self._store = store

    async def run_once(self) -> int:
        """Remove what is of no more use; return how many thumbnails went."""

        async def is_stored(sha256: str) -> bool:
            return await self._store.size(sha256) is not None

        return await self._thumbnails.sweep(is_stored)
