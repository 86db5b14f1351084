"""End leases that were not reported on, and show silent agents as offline."""

from coordinator.db.engine import Database
from coordinator.domain.timing import Timing
from coordinator.services import expiry


class LeaseReaper:
    """Gives the frames of lost agents back."""

    def __init__(self, database: Database, timing: Timing) -> None:
        """Look often enough that a lease outlives its term by a sixth at most."""
        self._database = database
        self._timing = timing
        self._was_blind = False
        self.interval_seconds = min(5.0, timing.lease_seconds / 6)

    async def run_once(self) -> int:
        """End every lease past its time and return how many there were."""
        if self._was_blind:
            await self._database.write(expiry.renew_all, self._timing)
            self._was_blind = False
        ended = 0
        try:
            while batch := await self._database.write(expiry.reap, self._timing):
                ended += batch
        except Exception:
            # A full disk, or a database that was away: whatever it was, it kept agents from reporting too.
            self._was_blind = True
            raise
        return ended
