"""The read side of agents: what they are, how they are, and what each of their slots does.  Nothing here writes."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from coordinator.db import agents as agent_rows
from coordinator.db import jobs as job_rows
from coordinator.db import leases as lease_rows
from coordinator.db import set_asides
from coordinator.db.engine import Transaction
from coordinator.domain.model import Agent, AgentState, Lease
from coordinator.domain.presence import explain, presence_of
from coordinator.protocol import BlenderBuild, Hardware, Telemetry
from coordinator.services.agent_schemas import AgentSlotView, AgentView
from coordinator.services.errors import not_found
from coordinator.services.views import current_leases


def list_agents(tx: Transaction) -> list[AgentView]:
    """Return all agents by name, those that left included, but those that a person took off the list."""
    everyone = [agent for agent in agent_rows.everyone(tx.conn) if not agent.removed]
    live = lease_rows.live_of_agents(tx.conn, [agent.id for agent in everyone])
    names = job_rows.names(tx.conn, [lease.job_id for lease in live])
    of_agent: dict[int, list[Lease]] = defaultdict(list)
    for lease in live:
        of_agent[lease.agent_id].append(lease)
    return [_agent_view(tx, agent, of_agent[agent.id], names) for agent in everyone]


def agent_view(tx: Transaction, agent_id: int) -> AgentView:
    """Return an agent and what each of its slots does.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = agent_rows.get(tx.conn, agent_id)
    if agent is None:
        raise not_found(f"agent {agent_id}")
    live = lease_rows.live_of_agents(tx.conn, [agent_id])
    return _agent_view(tx, agent, live, job_rows.names(tx.conn, [lease.job_id for lease in live]))


def _agent_view(tx: Transaction, agent: Agent, live: Sequence[Lease], job_names: dict[int, str]) -> AgentView:
    working = {lease.slot: lease for lease in current_leases(live)}
    slots = [
        AgentSlotView(slot=slot)
        if (lease := working.get(slot)) is None
        else AgentSlotView(
            slot=slot,
            job=lease.job_id,
            job_name=job_names[lease.job_id],
            stage=lease.stage,
            frame=lease.frame,
            progress=lease.progress,
            remaining_seconds=lease.remaining_seconds,
        )
        for slot in range(agent.slots)
    ]
    presence = presence_of(agent, busy=bool(live))
    return AgentView(
        id=agent.id,
        name=agent.name,
        state=agent.state,
        presence=presence,
        explanation=explain(agent, presence),
        drained=agent.drained,
        sandboxed=agent.sandboxed,
        removed=agent.removed,
        version=agent.software_version,
        hardware=msgspec.json.decode(agent.hardware, type=Hardware),
        blenders=msgspec.json.decode(agent.blenders, type=list[BlenderBuild]),
        tags=msgspec.json.decode(agent.tags, type=list[str]),
        pools=msgspec.json.decode(agent.pools, type=list[str]),
        device=agent.device,
        vram_bytes=agent.vram_bytes,
        speed=agent.speed,
        set_aside=agent.set_aside,
        resting=agent.resting if agent.state == AgentState.ONLINE else None,
        set_aside_jobs=[it.job_id for it in set_asides.of_agent(tx.conn, agent.id)],
        last_seen_at=agent.last_seen_at,
        telemetry=None if agent.telemetry is None else msgspec.json.decode(agent.telemetry, type=Telemetry),
        slots=slots,
    )
