"""The messages of the public API that tell of storage."""

import msgspec


class JobStorage(msgspec.Struct, frozen=True, kw_only=True):
    """What a job takes of the store."""

    bytes: int
    """Its files and its pack, each file counted once."""
    freed_bytes: int
    """What deleting it frees: other jobs may need the rest."""


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """What a deletion frees; the disk has it a minute or two later."""

    freed_bytes: int


class UserStorage(msgspec.Struct, frozen=True, kw_only=True):
    """What the jobs of a user take."""

    name: str
    bytes: int
    quota_bytes: int | None
    jobs: int
    """How many have files."""


class LargeJob(msgspec.Struct, frozen=True, kw_only=True):
    """One of the jobs that take most."""

    id: int
    name: str
    user: str
    state: str
    keep: bool
    bytes: int
    freed_bytes: int
    """What deleting it frees."""


class StorageView(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds, and for whom."""

    disk_total_bytes: int | None
    """None: the store tells no limit."""
    disk_free_bytes: int | None
    """What uploads may still take of it."""
    blob_bytes: int
    """What is in the store."""
    sweep_bytes: int
    """What the sweeper is about to free: what nobody needs any more, and jobs past their time or over a quota."""
    keep_days: float | None
    """After so many days, the files of jobs that have ended are removed; None: they stay."""
    users: list[UserStorage]
    """Those whose jobs take most first."""
    jobs: list[LargeJob]
    """The largest first; no more than were asked for."""


class DueJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job whose files go next."""

    id: int
    name: str
    user: str
    reason: str
    """Why, a sentence."""


class SweepRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether to sweep now, or only to say what would go."""

    dry_run: bool = False


class SweepView(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep removes."""

    jobs: list[DueJob]
    """Jobs whose files go because of their age or of their owner's quota."""
    freed_bytes: int
    """What is freed in all."""
