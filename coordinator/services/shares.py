"""What users and their jobs are given of the farm, in slot-seconds: fair shares are counted in these.

A lease is charged what it is expected to take when it is granted, and what it took when it ends.
"""

from coordinator.db import leases, users
from coordinator.db.engine import Transaction
from coordinator.domain.model import Agent, Job, Lease, User
from coordinator.services.changes import update_user


def granted(tx: Transaction, job: Job, agent: Agent, charge: float, before: Lease | None) -> dict[str, object]:
    """Charge a job's owner for a lease that is about to be granted, and return the job's columns with it.

    ``before`` is the newest lease of the job that its slot has already.  A job counts a slot once, with the speed that
    it had at its newest lease: speeds are learned meanwhile.
    """
    # Who was kept from being served is owed a bounded time; the rest is given up with the first lease.
    tx.charge(job.created_by, charge + tx.board.forfeit(job.created_by))
    return {
        "slots": job.slots + (before is None),
        "speed": max(0.0, job.speed - (0.0 if before is None else before.speed)) + agent.speed,
        "vtime": job.vtime + charge,
        "granted_at": tx.now,
    }


def settled(tx: Transaction, job: Job, lease: Lease) -> dict[str, object]:
    """Charge what a lease that has ended took, and return the job's columns without it."""
    difference = lease.used - lease.charged
    tx.charge(job.created_by, difference)
    others = leases.live_of_slot(tx.conn, lease.agent_id, lease.slot, job.id)
    newest = max([lease, *others], key=lambda it: (it.granted_at, it.id))
    slots = job.slots - (not others)
    return {
        "slots": slots,
        # Sums of floats drift: with the last slot the rest of them goes.
        "speed": max(0.0, job.speed - newest.speed) + (others[-1].speed if others else 0.0) if slots else 0.0,
        "vtime": max(0.0, job.vtime + difference),
    }


def join(tx: Transaction, name: str) -> User:
    """Return the user, no further behind than idleness may leave one: it earns no credit."""
    floor = tx.board.user_floor(name, leases.charged_ahead(tx.conn, tx.now))
    known = users.lock(tx.conn, name)
    if known is None:
        return update_user(tx, users.insert_user(tx.conn, name, floor))
    if known.vtime < floor:
        return update_user(tx, users.change(tx.conn, name, vtime=floor))
    return known
