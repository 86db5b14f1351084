"""Queries on agents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from coordinator.db.kept import Shelf
from coordinator.db.schema import agents
from coordinator.db.statement import Change, bound, records
from coordinator.domain.model import Agent, AgentState

_GET = records(select(agents).where(agents.c.id == bindparam("id")), Agent)
_EVERYONE = records(select(agents).order_by(agents.c.name), Agent)
_LOCKED: Shelf[int, Agent | None] = Shelf()
_LOCK = records(select(agents).where(agents.c.id == bindparam("id")).with_for_update(key_share=True), Agent)
_CHANGE = Change(
    update(agents).where(agents.c.id == bindparam("of_id"), agents.c.state == bindparam("of_state")), Agent
)
_SET_ASIDE = records(
    update(agents)
    .where(agents.c.id == bindparam("of_id"))
    .values(bound(("set_aside", "set_aside_at")))
    .returning(*agents.c),
    Agent,
)


def insert_agent(conn: Connection, **values: Any) -> Agent:
    """Add an agent and return it."""
    return Agent(**conn.execute(insert(agents).values(**values).returning(agents)).mappings().one())


def get(conn: Connection, agent_id: int) -> Agent | None:
    """Return an agent."""
    return _GET.one_or_none(conn, id=agent_id)


def lock(conn: Connection, agent_id: int) -> Agent | None:
    """Return an agent and keep other writers off it; lock it before any job."""
    return _LOCKED.get(conn, agent_id, lambda: _LOCK.one_or_none(conn, id=agent_id))


def ask_to_lock(conn: Connection, agent_id: int) -> None:
    """Have :func:`lock` answered with what is read next."""
    _LOCKED.ask(conn, agent_id, lambda: _LOCK.ask_for_one(conn, id=agent_id))


def lock_by_name(conn: Connection, name: str) -> Agent | None:
    """Return the agent of that name, locked."""
    query = select(agents).where(agents.c.name == name).with_for_update(key_share=True)
    row = conn.execute(query).mappings().one_or_none()
    return Agent(**row) if row else None


def change(conn: Connection, agent: Agent, **values: Any) -> Agent:
    """Set columns of an agent, which is locked, and return it.

    Raises:
        StaleWrite: it is no longer in the state that it was read in.
    """
    changed = _CHANGE.of(conn, agent, values, of_id=agent.id, of_state=agent.state)
    _LOCKED.put(conn, agent.id, changed)
    return changed


def set_aside(conn: Connection, agent_id: int, reason: str, at: datetime) -> Agent:
    """Give an agent, which need not be locked, no more work, and return it."""
    aside = _SET_ASIDE.one(conn, of_id=agent_id, set_aside=reason, set_aside_at=at)
    _LOCKED.put(conn, agent_id, aside)
    return aside


def lock_silent(conn: Connection, since: datetime) -> list[Agent]:
    """Return, locked, the online agents not heard of since then; those that are just being heard of are left out."""
    query = (
        select(agents)
        .where(agents.c.state == AgentState.ONLINE, agents.c.last_seen_at < since)
        .order_by(agents.c.id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return [Agent(**row) for row in conn.execute(query).mappings()]


def everyone(conn: Connection) -> list[Agent]:
    """Return all agents by name."""
    return _EVERYONE.all(conn)


def names(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return the names of agents."""
    return {row.id: row.name for row in conn.execute(select(agents.c.id, agents.c.name).where(agents.c.id.in_(ids)))}


def newest_blender(conn: Connection) -> int | None:
    """Return the newest Blender of any agent that has not left; None when there is no agent."""
    query = select(func.max(agents.c.max_blender)).where(agents.c.state != AgentState.LEFT)
    newest: int | None = conn.execute(query).scalar_one()
    return newest


def counts(conn: Connection) -> dict[AgentState, int]:
    """Return how many agents are in each state."""
    rows = conn.execute(select(agents.c.state, func.count()).group_by(agents.c.state))
    return {row[0]: row[1] for row in rows}
