"""What is said of a job that no agent of the farm can render, until one does."""

from collections.abc import Sequence

from coordinator.db import agents
from coordinator.db.engine import Transaction
from coordinator.domain.matching import capability_of, decode_needs, explain
from coordinator.domain.model import AgentState

_NO_AGENT = "No agent has joined the farm yet; the job waits until one does."
_WAITS = "The job waits until an agent joins that can render it."


def cannot_run(tx: Transaction, needs: str, min_blender: int) -> str | None:
    """Return why no agent known to the farm, online or not, can render such a job: others may join."""
    known = [agent for agent in agents.everyone(tx.conn) if agent.state != AgentState.LEFT]
    if not known:
        return _NO_AGENT
    problem = explain(decode_needs(needs, min_blender), map(capability_of, known))
    return None if problem is None else f"{problem} {_WAITS}"


def once_served(warnings: Sequence[str]) -> tuple[str, ...]:
    """Return the warnings of a job that hold when an agent renders it."""
    return tuple(warning for warning in warnings if warning != _NO_AGENT and not warning.endswith(_WAITS))
