"""Agents come, are heard of, and go."""

import msgspec

from coordinator.db import agents, jobs, leases
from coordinator.db.engine import Notice, Transaction
from coordinator.domain.model import Agent, AgentState, LeaseEnd, LeaseState
from coordinator.domain.timing import Timing
from coordinator.domain.tokens import TokenKind
from coordinator.domain.transitions import NEW, check
from coordinator.domain.versions import blender_number
from coordinator.protocol import PROTOCOL_VERSION, ErrorCode, RegisterRequest, RegisterResponse, Telemetry
from coordinator.services import inspections
from coordinator.services.accounts import Principal, issue, revoke_agent
from coordinator.services.changes import add_agent, move_agent, tell_agent, update_agent
from coordinator.services.endings import end_lease
from coordinator.services.errors import Refused
from coordinator.services.join_codes import spend

#: That an agent was heard of is written down so many times within the time after which it is offline.
_SIGNS_OF_LIFE = 6


def register(tx: Transaction, principal: Principal, request: RegisterRequest, timing: Timing) -> RegisterResponse:
    """Admit an agent: a new one with a join token or a join code, a known one with its own token.

    With the first two, a machine may also take over the name of an agent that is offline or has left, whose own token
    is void then.

    Raises:
        Refused: FORBIDDEN, UPGRADE_REQUIRED, INVALID (the name is taken), AGENT_GONE, TOKEN_WRONG (the code was used).
    """
    if principal.kind not in (TokenKind.JOIN, TokenKind.AGENT):
        raise Refused(
            ErrorCode.FORBIDDEN,
            f"an agent joins with a join token (rf_join_…); this token is of kind {principal.kind}",
        )
    if request.protocol != PROTOCOL_VERSION:
        raise Refused(
            ErrorCode.UPGRADE_REQUIRED,
            f"the agent speaks protocol {request.protocol} and the coordinator {PROTOCOL_VERSION};"
            " install the same version of the software on both",
        )
    named = agents.lock_by_name(tx.conn, request.name)
    if principal.agent_id is not None:
        if named is not None and named.id != principal.agent_id:
            raise _name_taken(request.name)
        known = agents.lock(tx.conn, principal.agent_id)
        if known is None:
            raise _gone()
        agent = _update(tx, known, request)
        return _answer(agent, "", timing)
    if named is None:
        agent = _add(tx, request)
    else:
        if named.state == AgentState.ONLINE:
            raise _name_taken(request.name)
        revoke_agent(tx, named.id)
        end_leases(tx, named, LeaseEnd.SUPERSEDED, "Another agent took over the name.")
        agent = _update(tx, named, request)
    spend(tx, principal, agent.id)
    own = issue(tx, TokenKind.AGENT, agent.name, agent_id=agent.id, plain=request.token)
    return _answer(agent, own.token, timing)


def check_sandboxed(request: RegisterRequest) -> None:
    """Refuse an agent whose Blender would see all that its user sees.

    Raises:
        Refused: FORBIDDEN.
    """
    if not request.sandboxed:
        because = f": {request.unsandboxed_because.rstrip('.')}" if request.unsandboxed_because else ""
        raise Refused(
            ErrorCode.FORBIDDEN,
            f"this farm takes agents only that shut Blender in, and on {request.name} there is no sandbox{because};"
            " mend that, or have the coordinator run without RENDERFARM_REQUIRE_SANDBOX",
        )


def leave(tx: Transaction, agent_id: int) -> None:
    """Let an agent go; its frames are pending again.  One that has left already may say so twice."""
    agent = agents.lock(tx.conn, agent_id)
    if agent is None or agent.state == AgentState.LEFT:
        return
    end_leases(tx, agent, LeaseEnd.LEFT, "The agent left.")
    inspections.give_back(tx, agent_id)
    move_agent(tx, agent, AgentState.LEFT, f"{agent.name} left.", last_seen_at=tx.now)


def heard_of(tx: Transaction, agent_id: int, timing: Timing, telemetry: Telemetry | None = None) -> Agent:
    """Note that an agent is alive, unless that was done just before, and return it, locked.

    How its machine is, is written down whenever it tells, which it does not do with every request.

    Raises:
        Refused: AGENT_GONE, it must register again.
    """
    agent = agents.lock(tx.conn, agent_id)
    if agent is None or agent.state == AgentState.LEFT:
        raise _gone()
    told = {} if telemetry is None else {"telemetry": msgspec.json.encode(telemetry).decode()}
    if told:
        tx.notify(Notice(kind="agent", id=agent_id))
    if agent.state == AgentState.OFFLINE:
        return move_agent(tx, agent, AgentState.ONLINE, f"{agent.name} is back.", last_seen_at=tx.now, **told)
    if not told and (tx.now - agent.last_seen_at).total_seconds() < timing.offline_seconds / _SIGNS_OF_LIFE:
        return agent
    return update_agent(tx, agent, last_seen_at=tx.now, **told)


def end_leases(tx: Transaction, agent: Agent, reason: LeaseEnd, message: str) -> None:
    """End every live lease of an agent, which is locked."""
    for live in sorted(leases.live_of_agents(tx.conn, [agent.id]), key=lambda lease: lease.job_id):
        job = jobs.lock(tx.conn, live.job_id)
        # Until its job was locked another writer could end it.
        current = leases.get(tx.conn, live.id)
        if job is not None and current is not None and current.state == LeaseState.LIVE:
            end_lease(tx, job, current, reason, message)


def _details(tx: Transaction, request: RegisterRequest) -> dict[str, object]:
    return {
        "name": request.name,
        "software_version": request.software_version,
        "slots": request.slots,
        "hardware": msgspec.json.encode(request.hardware).decode(),
        "blenders": msgspec.json.encode(request.blenders).decode(),
        "tags": msgspec.json.encode(request.tags).decode(),
        "pools": msgspec.json.encode(request.pools).decode(),
        "engines": msgspec.json.encode(request.engines).decode(),
        "device": request.device.value,
        "platform": request.platform.value,
        "ram_bytes": request.hardware.memory_bytes // request.slots,
        "vram_bytes": request.vram_bytes,
        "sandboxed": request.sandboxed,
        "max_blender": max(blender_number(*build.version[:2]) for build in request.blenders),
        "last_seen_at": tx.now,
        "resting": None,
        "removed": False,
    }


def _add(tx: Transaction, request: RegisterRequest) -> Agent:
    check("agent", request.name, NEW, AgentState.ONLINE, list)
    agent = add_agent(
        tx,
        state=AgentState.ONLINE,
        registered_at=tx.now,
        speed=1.0,
        speed_count=0,
        drained=False,
        farm_tags="[]",
        farm_pools="[]",
        **_details(tx, request),
    )
    tell_agent(tx, agent, "registered", f"{agent.name} joined the farm.")
    return agent


def _update(tx: Transaction, agent: Agent, request: RegisterRequest) -> Agent:
    if agent.state != AgentState.ONLINE:
        return move_agent(tx, agent, AgentState.ONLINE, f"{request.name} is back.", **_details(tx, request))
    updated = update_agent(tx, agent, **_details(tx, request))
    tell_agent(tx, updated, "registered", f"{updated.name} registered again.")
    return updated


def _answer(agent: Agent, token: str, timing: Timing) -> RegisterResponse:
    return RegisterResponse(
        agent_id=agent.id,
        token=token,
        lease_seconds=timing.lease_seconds,
        report_seconds=timing.report_seconds,
        poll_seconds=timing.poll_seconds,
    )


def _name_taken(name: str) -> Refused:
    return Refused(
        ErrorCode.INVALID,
        f"another agent named {name!r} is online; give this one another name (RENDERFARM_AGENT_NAME)",
        {"name": "is taken"},
    )


def _gone() -> Refused:
    return Refused(ErrorCode.AGENT_GONE, "the coordinator does not know this agent any more; register again")
