"""How the farm is shared: priorities, what waiting is worth, and who is behind whom.

Shares are counted as in start-time fair queueing (Goyal, Vin and Cheng, 1996): a user's ``vtime`` is the slot-seconds
the user was given, and whoever is furthest behind comes first.  Two rules keep the differences fair.  Who comes with
work after a pause begins beside those who are being served: a pause earns nothing.  And whoever was kept from being
served, by limits, priorities or missing agents, is owed no more than a bounded time by those they compete with.
"""

from collections.abc import Sequence
from statistics import median

#: Waiting this long is worth one step of priority (seconds).
AGING_SECONDS = 600.0
#: How far behind its turn a job may be and still get the slot that has its scene open (slot-seconds).
WARM_SECONDS = 200.0
#: Each slot that works for a user counts as so many slot-seconds given: what leases will take is a guess, and settled
#: only when they end.  Without it, whoever falls behind by a wrong guess is given every slot that asks, and each of
#: them opens another scene.
HELD_SECONDS = 60.0
#: The same, for a slot that has its files but would have to open the scene.
CACHED_SECONDS = 20.0
#: While several users wait for slots, no lease is to take longer (seconds): who comes is given the next ones that end.
#: A slot that goes on with the scene it has open loses some milliseconds between two leases.
SHARED_SECONDS = 20.0
#: No user is owed more than this (slot-seconds); more than any lease takes, so that plain turns are never cut short.
CREDIT_SECONDS = 4 * 3600.0


def effective_priority(priority: int, waited: float, top: int) -> int:
    """Return the priority of what has waited for so many seconds, at most ``top``.

    With ``top`` the highest priority that competes, what has waited long enough joins that band, and there gets its
    fair share: waiting outweighs priorities, never shares.
    """
    return max(priority, min(priority + int(waited / AGING_SECONDS), top))


def joining_vtime(served: Sequence[float], present: Sequence[float], known: Sequence[float] = ()) -> float:
    """Return the least vtime for one who joins.

    One joins in the middle: beside the one furthest ahead one would be owed nothing of what others are, and beside the
    one furthest behind, who may be kept from being served, one would be owed what one never waited for.

    Args:
        served: vtimes of those who are being given slots and wait for more: one joins in the middle of them.
        present: of all who have work; they count when none is served.
        known: of everyone; with no one there, one joins behind the one who was given most, who may come back.
    """
    for those in (served, present):
        if those:
            return median(those)
    return max(known, default=0.0)
