"""Remember how the agents' graphics cards do, for the page's lines."""

from coordinator.db.engine import Database
from coordinator.domain.loads import SAMPLE_SECONDS, Loads
from coordinator.services import agent_views


class LoadSampler:
    """Looks three times a minute at what agents measured last."""

    interval_seconds = SAMPLE_SECONDS

    def __init__(self, database: Database, loads: Loads) -> None:
        """Put what is found in ``loads``."""
        self._database = database
        self._loads = loads

    async def run_once(self) -> int:
        """Look once, and return how many agents have cards that they measure."""
        now, machines = await self._database.read(agent_views.card_loads)
        self._loads.sample(now, machines)
        return len(machines)
