"""Remove what broken uploads and crashes left in the store."""

from coordinator.store import BlobStore

_UNFINISHED_SECONDS = 24 * 3600.0


class Sweeper:
    """Keeps the store free of leftovers."""

    interval_seconds = 3600.0

    def __init__(self, store: BlobStore) -> None:
        """Sweep this store."""
        self._store = store

    async def run_once(self) -> int:
        """Remove unfinished things older than a day, and return how many there were."""
        return await self._store.sweep(_UNFINISHED_SECONDS)
