"""Packs and blobs: what is known, what is missing, what an agent may read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from coordinator.db import blobs, inspections, packs
from coordinator.db.engine import Transaction
from coordinator.protocol import BlobRef, ErrorCode, Manifest, ManifestError, manifest_digest, validate_manifest
from coordinator.services.errors import Refused, not_found
from coordinator.services.pack_schemas import ManifestAnswer

#: Missing blobs named in a refusal; the manifest, sent again, tells all of them.
_NAMED = 1000

#: Blobs that travel together to an agent have at most so many bytes each.
MAX_SHORT_BYTES = 1024 * 1024


#: An upload is taken to be under way so long after its pack was announced, or after it was last seen to go on.
_UNDER_WAY = timedelta(hours=1)

#: That an upload goes on is noted no more often than this.
_GOES_ON = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CheckedPack:
    """A pack as it is kept."""

    id: str
    manifest: bytes
    """In JSON."""
    sizes: Mapping[str, int]
    """Of its blobs, in bytes, by digest."""


def check_pack(manifest: Manifest) -> CheckedPack:
    """Check a manifest for all that needs no database.  With 100,000 files it takes half a second.

    Raises:
        Refused: INVALID, naming the entry that is wrong.
    """
    try:
        validate_manifest(manifest)
    except ManifestError as error:
        raise Refused(ErrorCode.INVALID, f"this manifest is refused: {error}", {"manifest": str(error)}) from error
    sizes: dict[str, int] = {}
    for file in manifest.files:
        for blob in file.blobs:
            if sizes.setdefault(blob.sha256, blob.size) != blob.size:
                raise _wrong_size(blob.sha256, blob.size, sizes[blob.sha256])
    # In order of their names they go into the database's indexes twice as fast.
    return CheckedPack(manifest_digest(manifest), msgspec.json.encode(manifest), dict(sorted(sizes.items())))


def register_pack(tx: Transaction, pack: CheckedPack) -> None:
    """Make a pack known; the same one again changes nothing.

    Raises:
        Refused: INVALID, a blob in the store has another size.
    """
    known = packs.lock(tx.conn, pack.id)
    if known:
        packs.touch(tx.conn, pack.id, tx.now)
    else:
        packs.put_pack(tx.conn, pack.id, pack.manifest, pack.sizes, tx.now, known=known is not None)
    for sha256, said, true in packs.wrong_sizes(tx.conn, pack.id):
        raise _wrong_size(sha256, said, true)


def manifest_of(tx: Transaction, pack_id: str) -> Manifest:
    """Return the manifest of a pack.

    Raises:
        Refused: NOT_FOUND.
    """
    encoded = packs.manifest(tx.conn, pack_id)
    if encoded is None:
        raise not_found(f"pack {pack_id}")
    return msgspec.json.decode(encoded, type=Manifest)


def missing_blobs(tx: Transaction, pack_id: str) -> ManifestAnswer:
    """Return which blobs of a pack must be uploaded."""
    missing = packs.missing(tx.conn, pack_id)
    return ManifestAnswer(id=pack_id, missing=[BlobRef(sha256=sha256, size=size) for sha256, size in missing])


def promised_bytes(tx: Transaction, pack_id: str) -> int:
    """Return how many bytes others are uploading who announced their packs before this one."""
    return packs.missing_of_others(tx.conn, pack_id, tx.now - _UNDER_WAY)


def has_room(tx: Transaction, size: int, free_bytes: int) -> bool:
    """Tell whether so many bytes fit into a store with so much room, beside those that are on their way."""
    return size + packs.missing_of_all(tx.conn, tx.now - _UNDER_WAY) <= free_bytes


def withdraw(tx: Transaction, pack_id: str) -> None:
    """Take note that a pack will not be uploaded now: no room is kept for it."""
    packs.touch(tx.conn, pack_id, tx.now - _UNDER_WAY)


def check_complete(tx: Transaction, pack_id: str) -> None:
    """Refuse to go on with a pack that is not there as a whole.

    Raises:
        Refused: NOT_FOUND, no such pack; MISSING_BLOBS.
    """
    if not packs.hold(tx.conn, pack_id):
        raise not_found(f"pack {pack_id}; send its manifest first")
    missing = packs.missing(tx.conn, pack_id)
    if missing:
        raise Refused(
            ErrorCode.MISSING_BLOBS,
            f"{len(missing)} blobs of the pack have not been uploaded; upload them and submit again",
            {"missing": [sha256 for sha256, _ in missing[:_NAMED]]},
        )


def record_blobs(tx: Transaction, stored: Sequence[tuple[str, int]], is_there: Callable[[str], bool]) -> None:
    """Record that the store has these blobs, each with its length in bytes; doing it twice is fine.

    ``is_there`` is :meth:`BlobStore.holds`.

    Raises:
        Refused: TRY_AGAIN, one was being removed when it was found to be there.
    """
    blobs.record_many(tx.conn, stored, tx.now)
    # From here on no one removes them: what is there now stays.
    tx.flush()
    lost = [sha256 for sha256, _ in stored if not is_there(sha256)]
    if lost:
        raise Refused(ErrorCode.TRY_AGAIN, f"the file {lost[0]} was being removed just now; send it again", {})


def record_upload(tx: Transaction, stored: Sequence[tuple[str, int]], is_there: Callable[[str], bool]) -> None:
    """Record blobs that a client uploads: the room that is kept for the rest of their packs stays kept.

    Raises:
        Refused: as :func:`record_blobs`.
    """
    # A client uploads one pack after the other: one blob tells which.  Packs are locked before blobs, as everywhere.
    packs.freshen(tx.conn, stored[0][0], tx.now - _UNDER_WAY, tx.now - _GOES_ON, tx.now)
    record_blobs(tx, stored, is_there)


def lacking_blobs(tx: Transaction, digests: Sequence[str]) -> list[str]:
    """Return which of these blobs the store does not have."""
    return blobs.lacking(tx.conn, digests)


def blob_size(tx: Transaction, sha256: str) -> int | None:
    """Return the length of a blob in bytes, None if it must be uploaded."""
    return blobs.size(tx.conn, sha256)


def pack_for_agent(tx: Transaction, agent_id: int, pack_id: str) -> Manifest:
    """Return the manifest of a pack that an agent was given work on, or looks into.

    Raises:
        Refused: NOT_FOUND, also for packs it has nothing to do with.
    """
    encoded = packs.manifest(tx.conn, pack_id)
    if encoded is None or not _is_given(tx, agent_id, pack_id):
        raise not_found(f"pack {pack_id} among this agent's jobs")
    return msgspec.json.decode(encoded, type=Manifest)


def pack_blobs_for_agent(tx: Transaction, agent_id: int, pack_id: str, digests: Sequence[str]) -> list[int]:
    """Return the lengths of blobs of a pack that an agent was given work on, or looks into, in their order.

    Raises:
        Refused: NOT_FOUND, also for packs it has nothing to do with; TOO_LARGE, one is no short blob.
    """
    sizes = packs.sizes(tx.conn, pack_id, digests) if _is_given(tx, agent_id, pack_id) else {}
    for sha256 in digests:
        if sha256 not in sizes:
            raise not_found(f"blob {sha256} of pack {pack_id} among this agent's jobs")
        if sizes[sha256] > MAX_SHORT_BYTES:
            raise Refused(ErrorCode.TOO_LARGE, f"blob {sha256} has {sizes[sha256]} bytes; ask for it alone")
    return [sizes[sha256] for sha256 in digests]


def blob_for_agent(tx: Transaction, agent_id: int, sha256: str) -> int:
    """Return the length of a blob that belongs to a pack the agent was given work on, or looks into.

    Raises:
        Refused: NOT_FOUND, also for blobs it has nothing to do with.
    """
    size = blobs.stored_size(tx.conn, sha256)
    given = packs.blob_given_to(tx.conn, agent_id, sha256) or inspections.blob_given_to(tx.conn, agent_id, sha256)
    if size is None or not given:
        raise not_found(f"blob {sha256} among this agent's jobs")
    return size


def _is_given(tx: Transaction, agent_id: int, pack_id: str) -> bool:
    return packs.given_to(tx.conn, agent_id, pack_id) or inspections.given_to(tx.conn, agent_id, pack_id)


def _wrong_size(sha256: str, said: int, true: int) -> Refused:
    return Refused(
        ErrorCode.INVALID,
        f"the manifest gives blob {sha256} {said} bytes, but it has {true}; list the files anew and send it again",
        {"manifest": f"blob {sha256} has {true} bytes"},
    )
