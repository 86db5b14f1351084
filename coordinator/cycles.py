"""How often Python looks for garbage that only a search for cycles can find.

A coordinator makes next to none, and keeps a hundred thousand small records of jobs, leases and agents.  By default,
new objects are looked through after every 700 and all of them now and then: a tenth of what a lease costs, and
pauses of a tenth of a second in which nobody is answered.
"""

import gc

#: New objects until these are looked through: a millisecond or two.
_NEW = 10_000
#: Such looks until what outlived one is looked through, and these until all is, if there is a quarter more of it.
_MIDDLE, _ALL = 20, 50


def look_seldom() -> None:
    """Look for cycles less often from now on, and never again among what is there already."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW, _MIDDLE, _ALL)
