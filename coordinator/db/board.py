"""The board as the tables have it."""

from collections.abc import Collection

from sqlalchemy import Connection

from coordinator.db import agents, jobs, users
from coordinator.domain.board import Board


def load(conn: Connection, board: Board) -> None:
    """Have the board show the farm as this transaction sees it."""
    board.load(jobs.workable(conn), users.everyone(conn), agents.everyone(conn))


def refresh(
    conn: Connection, board: Board, job_ids: Collection[int], user_names: Collection[str], agent_ids: Collection[int]
) -> None:
    """Have the board show these jobs, users and agents as this transaction sees them."""
    for name in user_names:
        user = users.get(conn, name)
        if user is not None:
            board.put_user(user)
    for agent_id in agent_ids:
        agent = agents.get(conn, agent_id)
        if agent is not None:
            board.put_agent(agent)
    for job_id in job_ids:
        job = jobs.get(conn, job_id)
        if job is None:
            board.remove_job(job_id)
        else:
            board.put_job(job)
