"""Write down what the farm does, for the page's charts."""

from coordinator.db.engine import Database
from coordinator.services import farm


class FarmSampler:
    """Looks at the farm once a minute."""

    interval_seconds = 60.0

    def __init__(self, database: Database) -> None:
        """Begin to count frames now."""
        self._database = database
        self._counted = database.happened["frame_finished"]

    async def run_once(self) -> int:
        """Write down how the farm is, and return how many frames were finished here since the last time."""
        counted = self._database.happened["frame_finished"]
        finished = counted - self._counted
        await self._database.write(farm.sample, finished)
        # Not before that is in the database: what could not be written is told next time.
        self._counted = counted
        return finished
