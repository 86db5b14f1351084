"""The read side of agents: what they are, how they are, and what each of their slots does.  Nothing here writes."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from coordinator.db import agents as agent_rows
from coordinator.db import jobs as job_rows
from coordinator.db import leases as lease_rows
from coordinator.db import set_asides
from coordinator.db.engine import Transaction
from coordinator.domain.loads import CardLoad
from coordinator.domain.model import Agent, AgentState, Lease
from coordinator.domain.presence import explain, presence_of
from coordinator.protocol import BlenderBuild, GpuLoad, Hardware, Telemetry
from coordinator.services.agent_schemas import AgentSlotView, AgentView
from coordinator.services.errors import not_found
from coordinator.services.views import current_leases


def list_agents(tx: Transaction) -> list[AgentView]:
    """Return all agents by name, those that left included, but those that a person took off the list."""
    return _views(tx, [agent for agent in agent_rows.everyone(tx.conn) if not agent.removed])


def agent_view(tx: Transaction, agent_id: int) -> AgentView:
    """Return an agent and what each of its slots does.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = agent_rows.get(tx.conn, agent_id)
    if agent is None:
        raise not_found(f"agent {agent_id}")
    return _views(tx, [agent])[0]


def known_agent_views(tx: Transaction, agent_ids: Sequence[int]) -> list[AgentView]:
    """Return those of these agents that there are."""
    return _views(tx, [agent for agent_id in agent_ids if (agent := agent_rows.get(tx.conn, agent_id)) is not None])


def card_loads(tx: Transaction) -> tuple[datetime, list[tuple[int, list[CardLoad]]]]:
    """Return what time it is, and how the cards of each online agent are as it told last; no agent without cards."""
    machines = []
    for agent in agent_rows.everyone(tx.conn):
        if agent.state == AgentState.ONLINE and agent.telemetry is not None:
            gpus = msgspec.json.decode(agent.telemetry, type=Telemetry).gpus
            machines.append((agent.id, [_load(gpu) for gpu in gpus]))
    return tx.now, [(agent_id, cards) for agent_id, cards in machines if cards]


def _load(gpu: GpuLoad) -> CardLoad:
    used, whole = gpu.memory_used_bytes, gpu.memory_bytes
    return CardLoad(gpu.celsius, gpu.utilization, min(1.0, used / whole) if used is not None and whole else None)


def _views(tx: Transaction, agents: Sequence[Agent]) -> list[AgentView]:
    ids = [agent.id for agent in agents]
    live = lease_rows.live_of_agents(tx.conn, ids)
    names = job_rows.names(tx.conn, [lease.job_id for lease in live])
    did = lease_rows.records_of_agents(tx.conn, ids)
    of_agent: dict[int, list[Lease]] = defaultdict(list)
    for lease in live:
        of_agent[lease.agent_id].append(lease)
    return [_agent_view(tx, agent, of_agent[agent.id], names, *did[agent.id]) for agent in agents]


def _agent_view(
    tx: Transaction, agent: Agent, live: Sequence[Lease], job_names: dict[int, str], finished: int, failed: int
) -> AgentView:
    own = {name: msgspec.json.decode(getattr(agent, name), type=list[str]) for name in ("tags", "pools")}
    given = {name: msgspec.json.decode(getattr(agent, f"farm_{name}"), type=list[str]) for name in ("tags", "pools")}
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
        tags=list(dict.fromkeys(own["tags"] + given["tags"])),
        pools=list(dict.fromkeys(own["pools"] + given["pools"])),
        farm_tags=given["tags"],
        farm_pools=given["pools"],
        device=agent.device,
        vram_bytes=agent.vram_bytes,
        speed=agent.speed,
        recent_finished=finished,
        recent_failed=failed,
        set_aside=agent.set_aside,
        resting=agent.resting if agent.state == AgentState.ONLINE else None,
        set_aside_jobs=[it.job_id for it in set_asides.of_agent(tx.conn, agent.id)],
        last_seen_at=agent.last_seen_at,
        telemetry=None if agent.telemetry is None else msgspec.json.decode(agent.telemetry, type=Telemetry),
        slots=slots,
    )
