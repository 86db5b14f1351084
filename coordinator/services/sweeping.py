"""Removing what is of no more use: each function is a small step, so that nobody waits long for the database.

A blob goes in two steps.  First it is **condemned**: nothing refers to it, and from then on it counts as absent, so
that who needs it uploads it, which saves it.  A minute later, if still nothing refers to it, its bytes and its row go
in one transaction.  Whoever records an upload looks, in a transaction that holds the row, whether the bytes are there.
So there is no moment at which someone is told that a blob is there, refers to it, and finds it gone: who was told so
before it was condemned has referred to it by then, and it stays; who asks later is told to upload it.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from coordinator.db import jobs, packs, references, sweeping
from coordinator.db.engine import Transaction
from coordinator.domain.lifetime import Lifetime
from coordinator.domain.model import Removal
from coordinator.store import StoreError

log = logging.getLogger(__name__)

#: Rows removed in one transaction.
ROWS = 50
#: Blobs looked at in one reading.
PAGE = 1000
#: Removing bytes within a transaction stops after so many seconds.
_REMOVE_SECONDS = 0.004


def remove_rows(tx: Transaction, lifetime: Lifetime) -> bool:
    """Remove some rows of a job or pack whose files are to go, and condemn their blobs; False if there were none."""
    job_id = sweeping.removing(tx.conn)
    if job_id is None:
        return _remove_pack_rows(tx)
    job = jobs.lock(tx.conn, job_id)
    if job is None or job.removal is None:
        return True  # another coordinator was faster
    went, digests = sweeping.remove_of_job(tx.conn, job_id, job.removal, ROWS)
    condemn_used(tx, digests)
    if went >= ROWS:
        return True
    drop_pack(tx, job.pack_id, lifetime)
    if job.removal == Removal.FILES:
        jobs.change(tx.conn, job, removal=None)
    else:
        sweeping.delete_job(tx.conn, job_id)
    return True


def condemn_used(tx: Transaction, digests: Collection[str]) -> None:
    """Condemn blobs that something referred to until now, unless something else does."""
    sweeping.condemn(tx.conn, digests, tx.now + timedelta(microseconds=1), tx.now)


def drop_pack(tx: Transaction, pack_id: str, lifetime: Lifetime) -> None:
    """Forget the files of a pack that no job needs and for which none is on its way."""
    if packs.lock(tx.conn, pack_id) and sweeping.is_idle(
        tx.conn, pack_id, lifetime.unused(tx.now), lifetime.used(tx.now)
    ):
        sweeping.empty_pack(tx.conn, pack_id)


def idle_packs(tx: Transaction, lifetime: Lifetime) -> Sequence[str]:
    """Return some packs that may be dropped."""
    return sweeping.idle_packs(tx.conn, lifetime.unused(tx.now), lifetime.used(tx.now), PAGE)


def page(tx: Transaction, after: str, lifetime: Lifetime) -> tuple[str | None, list[str]]:
    """Look at some blobs past one, and return the last of them, None at the end, and those that may be condemned."""
    found = sweeping.page(tx.conn, after, lifetime.unused(tx.now), PAGE)
    last = found[-1][0] if len(found) == PAGE else None
    return last, [sha256 for sha256, useless in found if useless]


def condemn_unused(tx: Transaction, digests: Collection[str], lifetime: Lifetime) -> None:
    """Condemn those of some blobs to which still nothing refers."""
    sweeping.condemn(tx.conn, digests, lifetime.unused(tx.now), tx.now)


def remove_blobs(tx: Transaction, remove: Callable[[str], None], lifetime: Lifetime) -> int:
    """Remove some condemned blobs, bytes and all; those to which something refers again stay.  Returns how many it saw.

    ``remove`` is :meth:`BlobStore.remove`.  Should the transaction be taken back, the rows say still that the blobs are
    condemned: they count as absent, which they are, and the next time finishes it.
    """
    condemned = sweeping.lock_condemned(tx.conn, lifetime.settled(tx.now), ROWS)
    # Asked after the rows are locked: by now, whoever refers to one has committed that or waits for this.
    stay = references.referred(tx.conn, condemned)
    gone: list[str] = []
    until = time.perf_counter() + _REMOVE_SECONDS
    for sha256 in condemned:
        if sha256 in stay:
            continue
        try:
            remove(sha256)
        except StoreError as error:
            log.warning("%s", error)
            stay.add(sha256)
        else:
            gone.append(sha256)
        if time.perf_counter() > until:
            break
    sweeping.revive(tx.conn, sorted(stay), tx.now)
    sweeping.forget(tx.conn, gone)
    return len(stay) + len(gone)


def unknown(tx: Transaction, found: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return those of some files of the store of which nothing is known: an upload ended before they were recorded."""
    known = sweeping.known(tx.conn, [sha256 for sha256, _ in found])
    return [(sha256, size) for sha256, size in found if sha256 not in known]


def adopt(tx: Transaction, found: Sequence[tuple[str, int]]) -> None:
    """Condemn such files, given with their lengths in bytes."""
    sweeping.adopt(tx.conn, found, tx.now)


def next_removal_seconds(tx: Transaction, lifetime: Lifetime) -> float | None:
    """Return in how many seconds the next blob may be removed; None if none is condemned."""
    condemned_at = sweeping.next_removal(tx.conn)
    return None if condemned_at is None else max(0.0, (condemned_at - lifetime.settled(tx.now)).total_seconds())


def _remove_pack_rows(tx: Transaction) -> bool:
    pack_id = sweeping.half_removed_pack(tx.conn)
    if pack_id is None:
        return False
    if packs.lock(tx.conn, pack_id) is False:
        digests = sweeping.remove_of_pack(tx.conn, pack_id, ROWS)
        condemn_used(tx, digests)
        if len(digests) < ROWS:
            sweeping.delete_pack(tx.conn, pack_id)
    return True
