"""The agents that are there, and what they could render together."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from coordinator.domain.matching import Capability, Needs, can_run, capability_of, explain
from coordinator.domain.model import Agent, AgentState


@dataclass(frozen=True, slots=True)
class Fleet:
    """What can render a job."""

    slots: int
    speed: float
    """The sum of the slots' speeds."""
    agents: int


class Agents:
    """Every online agent, by what its slots have."""

    def __init__(self) -> None:
        """Begin without any."""
        self._online: dict[int, tuple[Agent, Capability]] = {}
        self._alike: dict[Capability, dict[int, Agent]] = {}
        """Those that may work: farms buy machines by the dozen, so these are few."""
        self._fleets: dict[Needs, Fleet] = {}

    def put(self, agent: Agent) -> None:
        """Take note of an agent: those that are not online are left out, and not all that are take work."""
        before = self._online.get(agent.id)
        if before is not None and _same(before[0], agent):
            return
        self._fleets.clear()
        if before is not None:
            del self._online[agent.id]
            alike = self._alike.get(before[1], {})
            alike.pop(agent.id, None)
            if not alike:
                self._alike.pop(before[1], None)
        if agent.state != AgentState.ONLINE:
            return
        capability = capability_of(agent)
        self._online[agent.id] = (agent, capability)
        if _takes_work(agent):
            self._alike.setdefault(capability, {})[agent.id] = agent

    def fleet(self, needs: Needs) -> Fleet:
        """Return what the agents that can render a job have together."""
        known = self._fleets.get(needs)
        if known is None:
            able = [agent for alike in self.able(needs) for agent in self._alike[alike].values()]
            known = self._fleets[needs] = Fleet(
                slots=sum(agent.slots for agent in able),
                speed=sum(agent.slots * agent.speed for agent in able),
                agents=len(able),
            )
        return known

    def able(self, needs: Needs) -> Iterator[Capability]:
        """Yield each capability among the agents that can render a job."""
        return (capability for capability in self._alike if can_run(needs, capability))

    def explain(self, needs: Needs, barred: Collection[int] = ()) -> str | None:
        """Return why no agent can render a job, as a sentence; None if one can.

        Args:
            needs: what the job needs.
            barred: ids of the agents that were set aside for the job.
        """
        working = (
            capability
            for capability, alike in self._alike.items()
            if not barred or any(agent_id not in barred for agent_id in alike)
        )
        reason = explain(needs, working)
        if reason is None:
            return None
        able = [agent for agent, capability in self._online.values() if can_run(needs, capability)]
        if not able:
            return reason
        if all(agent.set_aside is not None or agent.id in barred for agent in able):
            return "The agents that could render it were set aside."
        return "The agents that could render it take no work just now: they rest, or are paused."


def _takes_work(agent: Agent) -> bool:
    return agent.resting is None and not agent.kept_from_work


def _same(old: Agent, new: Agent) -> bool:
    """Tell whether two records of an agent are alike in all that counts here, so that signs of life change nothing."""
    return (
        (old.state, old.slots, old.speed, old.set_aside is None, _takes_work(old))
        == (new.state, new.slots, new.speed, new.set_aside is None, _takes_work(new))
    ) and capability_of(old) == capability_of(new)
