"""What is told to those outside: who wants to hear of it, and what they are told.

That something happened is written down in the transaction in which it does, so nothing is lost when the coordinator
ends.  A background duty addresses it, sends it, and tries again when that fails.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from coordinator.db import agents, deliveries, jobs
from coordinator.db.deliveries import Delivery
from coordinator.db.engine import NEWS, Transaction
from coordinator.domain.model import Agent, Job, JobState
from coordinator.services.changes import tell

__all__ = [
    "Audience",
    "Delivery",
    "agent_set_aside",
    "claim",
    "failed",
    "job_ended",
    "job_needs_attention",
    "sent",
]

log = logging.getLogger(__name__)

#: A delivery that is being sent is sent again after so long, if nobody says how it went.
_CLAIM = timedelta(minutes=2)
#: The first delivery that fails is tried again after so long, each further one after twice the time before.
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)
#: Given up after so many attempts, in about a day and a half.
MOST_ATTEMPTS = 14
#: No more than these wait; of more, the oldest are given up.
MOST_WAITING = 10_000
#: Sent at once.
_BATCH = 20

_MAILED = ("job.completed", "job.failed", "job.attention")


@dataclass(frozen=True)
class Audience:
    """Who wants to hear of what happens, by the coordinator's settings."""

    webhooks: int
    """How many addresses are told of everything."""
    mail: bool
    """Persons are told of their jobs, where these name them."""
    page: str | None
    """The page's address, for links."""


def job_ended(tx: Transaction, job: Job) -> None:
    """Note that a job has ended."""
    if job.state in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED):
        _note(tx, f"job.{job.state.value}", job_id=job.id)


def job_needs_attention(tx: Transaction, job: Job) -> None:
    """Note that frames of a job may be wrong."""
    _note(tx, "job.attention", job_id=job.id)


def agent_set_aside(tx: Transaction, agent_id: int) -> None:
    """Note that an agent gets no more work."""
    _note(tx, "agent.set_aside", agent_id=agent_id)


def claim(tx: Transaction, audience: Audience) -> list[Delivery]:
    """Address what has happened, and return what is to be sent now."""
    dropped = deliveries.drop_oldest(tx.conn, MOST_WAITING) if deliveries.count(tx.conn) > MOST_WAITING else 0
    if dropped:
        log.warning("%d notifications were given up: more than %d wait to be sent", dropped, MOST_WAITING)
    while news := [it for it in deliveries.due(tx.conn, tx.now, _BATCH) if it.target is None]:
        for delivery in news:
            _address(tx, delivery, audience)
            deliveries.remove(tx.conn, delivery.id)
    claimed = deliveries.due(tx.conn, tx.now, _BATCH)
    for delivery in claimed:
        deliveries.postpone(tx.conn, delivery.id, tx.now + _CLAIM, delivery.attempts)
    return claimed


def sent(tx: Transaction, delivery: Delivery) -> None:
    """It arrived."""
    deliveries.remove(tx.conn, delivery.id)


def failed(tx: Transaction, delivery: Delivery, reason: str) -> None:
    """It did not arrive: try again later, or give it up and say so in the job's history."""
    attempts = delivery.attempts + 1
    if attempts < MOST_ATTEMPTS:
        pause = min(_FIRST_PAUSE * 2**delivery.attempts, _LONGEST_PAUSE)
        deliveries.postpone(tx.conn, delivery.id, tx.now + pause, attempts)
        return
    deliveries.remove(tx.conn, delivery.id)
    log.warning("a notification (%s) was given up after %d attempts: %s", delivery.kind, attempts, reason)
    job = None if delivery.job_id is None else jobs.get(tx.conn, delivery.job_id)
    if job is not None:
        where = "an e-mail" if (delivery.target or "").startswith("mailto:") else "a webhook"
        tell(tx, job, "not_notified", f"The news of this job could not be delivered by {where}: {reason}")


def _note(tx: Transaction, kind: str, *, job_id: int | None = None, agent_id: int | None = None) -> None:
    times = {"due_at": tx.now, "created_at": tx.now}
    about = {"kind": kind, "job_id": job_id, "agent_id": agent_id}
    tx.write_later(deliveries.INSERT, {**about, "target": None, "payload": "", "attempts": 0, **times})
    tx.notify(NEWS)


def _address(tx: Transaction, delivery: Delivery, audience: Audience) -> None:
    """Write down whom to tell, and what: as things are now."""
    job = None if delivery.job_id is None else jobs.get(tx.conn, delivery.job_id)
    agent = None if delivery.agent_id is None else agents.get(tx.conn, delivery.agent_id)
    if job is None and agent is None:
        return
    targets = [f"webhook:{number}" for number in range(audience.webhooks)]
    if job is not None and audience.mail and delivery.kind in _MAILED:
        targets += [f"mailto:{address}" for address in job.notify]
    payload = msgspec.json.encode(_payload(delivery, job, agent, audience.page)).decode()
    for target in targets:
        deliveries.add(
            tx.conn,
            kind=delivery.kind,
            job_id=delivery.job_id,
            agent_id=delivery.agent_id,
            target=target,
            payload=payload,
            attempts=0,
            due_at=tx.now,
            created_at=delivery.created_at,
        )


def _payload(delivery: Delivery, job: Job | None, agent: Agent | None, page: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {"event": delivery.kind, "at": delivery.created_at}
    if job is not None:
        told["job"] = {
            "id": job.id,
            "name": job.name,
            "user": job.created_by,
            "state": job.state,
            "reason": job.reason,
            "frame_count": job.frame_count,
            "finished": job.finished,
            "failed": job.failed,
            "doubtful": job.doubtful,
            "video": job.video_sha256 is not None,
            "created_at": job.created_at,
            "started_at": job.started_at,
            "ended_at": job.ended_at,
            "url": None if page is None else f"{page.rstrip('/')}/#/jobs/{job.id}",
        }
    if agent is not None:
        told["agent"] = {"id": agent.id, "name": agent.name, "reason": agent.set_aside}
    return told
