"""Have another agent look into packs whose agents fell silent."""

from coordinator.db.engine import Database
from coordinator.domain.timing import Timing
from coordinator.services import inspections


class InspectionReaper:
    """Gives back what lost agents were looking into: an artist waits for it."""

    def __init__(self, database: Database, timing: Timing) -> None:
        """Look as often as for lost leases."""
        self._database = database
        self.interval_seconds = min(5.0, timing.lease_seconds / 6)

    async def run_once(self) -> int:
        """Take back what lost agents had, and return how many there were."""
        # There is hardly ever one: the writer is not kept from its work for that.
        if not await self._database.read(inspections.any_to_reap):
            return 0
        return await self._database.write(inspections.reap)
