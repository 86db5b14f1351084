"""What a person does to an agent: drain it or set it aside, let it work again, stop its work, label it, send it away.

What was done already is answered as if it were done now.  ``by`` is who does it.  No frame is lost or counted as failed
by any of it: what an agent does not finish goes to others.
"""

import msgspec
from msgspec import UNSET

from coordinator.db import agents, leases, set_asides
from coordinator.db.engine import Notice, Transaction
from coordinator.domain.model import Agent, AgentState, LeaseEnd
from coordinator.protocol import ErrorCode
from coordinator.services.accounts import revoke_agent
from coordinator.services.agent_schemas import AgentChange
from coordinator.services.agents import end_leases
from coordinator.services.changes import move_agent, set_agent_aside, tell_agent, update_agent
from coordinator.services.errors import Refused, not_found
from coordinator.services.notifications import agent_set_aside


def drain(tx: Transaction, agent_id: int, by: str) -> None:
    """Have an agent finish the frames that it renders and give it no others.

    What it has not begun is taken from it when it reports next.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = _lock(tx, agent_id)
    if not agent.drained:
        agent = update_agent(tx, agent, drained=True)
        tell_agent(tx, agent, "drained", f"{by} paused {agent.name}: it finishes its frames and gets no others.")


def resume(tx: Transaction, agent_id: int, by: str) -> None:
    """Give an agent that was drained or stopped work again.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = _lock(tx, agent_id)
    if agent.drained:
        agent = update_agent(tx, agent, drained=False)
        tell_agent(tx, agent, "resumed", f"{by} let {agent.name} work again.")
        tx.notify(Notice(kind="work", id=agent.id))


def set_aside(tx: Transaction, agent_id: int, by: str, reason: str) -> None:
    """Give an agent no more work until a person lets it back, and say why; it finishes the frames that it renders.

    The reason takes the place of another one.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = _lock(tx, agent_id)
    words = f"{by} set it aside: {reason}"
    if agent.set_aside == words:
        return
    set_agent_aside(tx, agent_id, words)
    agent_set_aside(tx, agent_id)


def change(tx: Transaction, agent_id: int, by: str, request: AgentChange) -> None:
    """Give an agent other tags and pools, beside those of its own settings, which stay.

    What it renders it ends, also where it would not be given it any more.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = _lock(tx, agent_id)
    wanted = {"farm_tags": request.tags, "farm_pools": request.pools}
    given = {
        column: msgspec.json.encode(list(dict.fromkeys(names))).decode()
        for column, names in wanted.items()
        if names is not UNSET
    }
    changed = {column: text for column, text in given.items() if text != getattr(agent, column)}
    if not changed:
        return
    agent = update_agent(tx, agent, **changed)
    labels = [*_named("tag", agent.farm_tags), *_named("pool", agent.farm_pools)]
    tell_agent(tx, agent, "labelled", f"{by} gave {agent.name} {', '.join(labels) or 'no tags and no pools'}.")
    tx.notify(Notice(kind="work", id=agent.id))


def reinstate(tx: Transaction, agent_id: int, by: str) -> None:
    """Let an agent that was set aside work on every job again.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = _lock(tx, agent_id)
    kept_from = set_asides.forget_agent(tx.conn, agent_id)
    if not kept_from and agent.set_aside is None:
        return
    agent = update_agent(tx, agent, set_aside=None, set_aside_at=None)
    tell_agent(tx, agent, "reinstated", f"{by} let {agent.name} work again.")
    tx.notify(Notice(kind="work", id=agent.id))


def stop(tx: Transaction, agent_id: int, by: str) -> None:
    """Drain an agent and end its leases at once: it drops the frames that it renders when it reports next.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = _lock(tx, agent_id)
    if agent.drained and not leases.live_of_agents(tx.conn, [agent.id]):
        return
    agent = update_agent(tx, agent, drained=True)
    end_leases(tx, agent, LeaseEnd.STOPPED, f"{by} stopped {agent.name}.")
    tell_agent(tx, agent, "stopped", f"{by} stopped {agent.name}: its frames go to others, and it gets no more.")


def bar(tx: Transaction, agent_id: int, by: str) -> None:
    """Make an agent's own token void: it stops with a sentence, and comes back with a join token or code only.

    Raises:
        Refused: NOT_FOUND.
    """
    agent = _lock(tx, agent_id)
    revoke_agent(tx, agent.id)
    end_leases(tx, agent, LeaseEnd.STOPPED, f"{by} barred {agent.name}.")
    if agent.state != AgentState.LEFT:
        agent = move_agent(tx, agent, AgentState.LEFT, f"{agent.name} is out of the farm.")
    tell_agent(tx, agent, "barred", f"{by} sent {agent.name} away: its token is void, and it must join anew.")


def remove(tx: Transaction, agent_id: int, by: str) -> None:
    """Take an agent that is not there off the list; its history stays, and it is on the list again when it comes back.

    Raises:
        Refused: NOT_FOUND; CONFLICT, it is online.
    """
    agent = _lock(tx, agent_id)
    if agent.state == AgentState.ONLINE:
        raise Refused(
            ErrorCode.CONFLICT,
            f"{agent.name} is online: stop the agent on that machine first, or send it away",
        )
    if agent.state == AgentState.OFFLINE:
        end_leases(tx, agent, LeaseEnd.LEFT, f"{by} took {agent.name} off the list.")
        agent = move_agent(tx, agent, AgentState.LEFT, f"{agent.name} was given up.")
    if not agent.removed:
        agent = update_agent(tx, agent, removed=True)
        tell_agent(tx, agent, "removed", f"{by} took {agent.name} off the list.")


def _named(kind: str, names: str) -> list[str]:
    return [f"the {kind} “{name}”" for name in msgspec.json.decode(names, type=list[str])]


def _lock(tx: Transaction, agent_id: int) -> Agent:
    agent = agents.lock(tx.conn, agent_id)
    if agent is None:
        raise not_found(f"agent {agent_id}")
    return agent
