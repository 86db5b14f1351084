"""What is asked and answered about packs and their blobs."""

from typing import Annotated

import msgspec
from msgspec import Meta

from coordinator.protocol import BlobRef
from coordinator.protocol.packs import Sha256


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of blobs."""

    blobs: int
    """How many it had, all of them stored now."""


class BlobsQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Blobs that a client would send."""

    sha256: Annotated[list[Sha256], Meta(max_length=1000)]
    coming_bytes: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """How much the client may send in all, at most."""


class BlobsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Which of them to send."""

    missing: list[Sha256]
    fits: bool
    """There is room for all that may come."""


class ManifestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A registered pack, and what must be uploaded before a job can use it."""

    id: Sha256
    missing: list[BlobRef]
