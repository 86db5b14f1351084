"""The public API's messages on agents, as :mod:`coordinator.services.schemas` has those on everything else."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from coordinator.domain.model import AgentState
from coordinator.domain.presence import Presence
from coordinator.protocol import BlenderBuild, Hardware, Telemetry
from coordinator.services.schemas import Label

Labels = Annotated[list[Label], Meta(max_length=64)]


class AgentSlotView(msgspec.Struct, frozen=True, kw_only=True):
    """One slot of an agent; all but ``slot`` are null while it is idle."""

    slot: int
    job: int | None = None
    job_name: str | None = None
    stage: str | None = None
    frame: int | None = None
    progress: float | None = None
    remaining_seconds: float | None = None


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """An agent and what each of its slots does."""

    id: int
    name: str
    state: AgentState
    presence: Presence
    explanation: str
    """What its presence means, a sentence."""
    drained: bool
    """It gets no work until a person resumes it."""
    removed: bool
    """It is not on the list any more."""
    sandboxed: bool
    """Its Blender sees nothing of the machine but the job's files."""
    version: str
    hardware: Hardware
    blenders: list[BlenderBuild]
    tags: list[str]
    """All that it has: its own, and those that people gave it."""
    pools: list[str]
    """Likewise."""
    farm_tags: list[str]
    """Those that people gave it."""
    farm_pools: list[str]
    """Likewise."""
    device: str
    vram_bytes: int | None
    speed: float
    """How fast its slots render, 1 being the farm's typical slot."""
    recent_finished: int
    """Frames that it finished under its last leases."""
    recent_failed: int
    """Attempts at frames, or at whole jobs, that failed under them."""
    set_aside: str | None
    """Why it gets no work until a person lets it back, a sentence."""
    resting: str | None
    """Why it takes no work just now, in its own words: outside its hours, or somebody uses the machine."""
    set_aside_jobs: list[int]
    """The jobs it gets no more work of, since it failed where others did not."""
    last_seen_at: datetime
    telemetry: Telemetry | None
    """How its machine was when it last told."""
    slots: list[AgentSlotView]


class CardHistory(msgspec.Struct, frozen=True, kw_only=True):
    """How one graphics card was, each as many as there are times; null what is not measured."""

    celsius: list[float | None]
    utilization: list[float | None]
    """Shares, as is the next."""
    memory: list[float | None]


class LoadHistory(msgspec.Struct, frozen=True, kw_only=True):
    """How an agent's graphics cards were in the last half hour, oldest first."""

    agent: int
    at: list[int]
    """Seconds since 1970."""
    cards: list[CardHistory]


class LoadQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of it is asked for."""

    since: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """Seconds since 1970: only what is later."""


class AgentChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people give an agent; what is left out stays as it is."""

    tags: Labels | UnsetType = UNSET
    """In place of those that people gave it before; its own settings' tags stay."""
    pools: Labels | UnsetType = UNSET
    """Likewise."""


class SetAsideRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That an agent gets no more work until a person lets it back."""

    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]
    """For people."""


class JoinCodeCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A new join code; the only time that it is shown."""

    id: int
    code: str
    """As a person types it: ABCD-EFGH."""
    expires_at: datetime


class JoinCodeView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a join code."""

    id: int
    expires_at: datetime
    agent: int | None
    """The agent that joined with it."""
