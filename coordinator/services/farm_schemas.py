"""The public API's messages on the farm as a whole."""

from datetime import datetime

import msgspec

from coordinator.domain.model import AgentState, JobState


class WaitingJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that no slot has begun yet."""

    id: int
    name: str
    user: str
    since: datetime
    frames: int
    reason: str | None
    """Why it waits, a sentence."""


class FarmView(msgspec.Struct, frozen=True, kw_only=True):
    """How the farm is now."""

    slots: int
    """Of agents that are online."""
    busy_slots: int
    agents: dict[AgentState, int]
    jobs: dict[JobState, int]
    pending_frames: int
    waiting: list[WaitingJob]
    """Those that wait longest, the longest first."""
    disk_free_bytes: int | None
    disk_total_bytes: int | None
    """Of the coordinator's data folder."""


class SampleView(msgspec.Struct, frozen=True, kw_only=True):
    """What the farm did in a minute or an hour; all but ``frames`` are means."""

    at: datetime
    """When that began."""
    frames: int
    """Finished."""
    slots: float
    busy: float
    pending: float
    """Frames that waited."""
    jobs: float
    """That had not ended."""
