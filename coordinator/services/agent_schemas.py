"""The public API's messages on agents, as :mod:`coordinator.services.schemas` has those on everything else."""

from datetime import datetime

import msgspec

from coordinator.domain.model import AgentState
from coordinator.domain.presence import Presence
from coordinator.protocol import BlenderBuild, Hardware, Telemetry


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
    pools: list[str]
    device: str
    vram_bytes: int | None
    speed: float
    """How fast its slots render, 1 being the farm's typical slot."""
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
