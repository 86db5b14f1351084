"""How the farm is shared: priorities, what waiting is worth, and who is behind whom.

Shares are counted as in start-time fair queueing (Goyal, Vin and Cheng, 1996): a user's ``vtime`` is the slot-seconds
the user was given; whoever is furthest behind comes first.  The farm's own virtual time, the *floor*, follows the
vtime of those who are being served: who comes with work after a pause begins there, neither owed for the pause nor
behind those who stayed.
"""

#: Waiting this long is worth one step of priority (seconds).
AGING_SECONDS = 600.0
#: How far behind its turn a job may be and still get the slot that has its scene open (slot-seconds).
WARM_SECONDS = 120.0
#: The same, for a slot that has its files but would have to open the scene.
CACHED_SECONDS = 20.0
#: No one who could not be served (limits, priorities, missing agents) is owed more than this (slot-seconds).
CREDIT_SECONDS = 4 * 3600.0


def effective_priority(priority: int, waited: float, top: int) -> int:
    """Return the priority of what has waited for so many seconds, at most ``top``.

    With ``top`` the highest priority that competes, what has waited long enough joins that band, and there gets its
    fair share: waiting outweighs priorities, never shares.
    """
    return max(priority, min(priority + int(waited / AGING_SECONDS), top))


def floor_of(virtual: float, waits: bool) -> float:
    """Return the least vtime a user may have now.

    Args:
        virtual: the farm's virtual time.
        waits: the user has had work that waits, and so is behind for a reason.
    """
    return max(0.0, virtual - CREDIT_SECONDS) if waits else virtual
