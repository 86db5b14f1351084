"""Remove what is of no more use: leftovers in the store, sessions that have ended."""

from coordinator.db.engine import Database
from coordinator.services import accounts, inspections
from coordinator.store import BlobStore

_UNFINISHED_SECONDS = 24 * 3600.0


class Sweeper:
    """Keeps the store and the list of tokens free of leftovers."""

    interval_seconds = 3600.0

    def __init__(self, database: Database, store: BlobStore) -> None:
        """Sweep these."""
        self._database = database
        self._store = store

    async def run_once(self) -> int:
        """Remove what broken uploads and crashes left a day ago, and sessions past their term.

        Returns how many things went from the store.
        """
        await self._database.write(accounts.forget_expired)
        await self._database.write(inspections.forget_old)
        return await self._store.sweep(_UNFINISHED_SECONDS)
