"""The farm's records, frozen as they were read.  Lengths in bytes, durations in seconds, times aware and in UTC."""

import enum
from dataclasses import dataclass
from datetime import datetime

from coordinator.domain.frame_range import FrameRange, parse


class JobState(enum.StrEnum):
    """Where a job is; docs/STATES.md has the transitions."""

    QUEUED = "queued"
    RUNNING = "running"
    STITCHING = "stitching"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the job has come to its end."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


class SoundState(enum.StrEnum):
    """Where a job's sound is."""

    NONE = "none"
    WANTED = "wanted"
    READY = "ready"
    FAILED = "failed"


class ChunkState(enum.StrEnum):
    """Whether a chunk's frames can be leased."""

    PENDING = "pending"
    LEASED = "leased"
    HELD = "held"
    """Its job does not go on."""


class LeaseState(enum.StrEnum):
    """Whether a lease is good."""

    LIVE = "live"
    ENDED = "ended"


class LeaseEnd(enum.StrEnum):
    """Why a lease ended."""

    FINISHED = "finished"
    """None of its frames is left to render."""
    RELEASED = "released"
    """The agent handed the rest back."""
    FAILED = "failed"
    """The agent could not render the job at all, or not mix its sound."""
    EXPIRED = "expired"
    LEFT = "left"
    """The agent left."""
    JOB_ENDED = "job_ended"
    SUPERSEDED = "superseded"
    """Another agent process took over the agent's name."""


class FrameState(enum.StrEnum):
    """How a frame ended.  A frame that has not ended is in a chunk."""

    FINISHED = "finished"
    FAILED = "failed"


class AgentState(enum.StrEnum):
    """Whether an agent can be given work."""

    ONLINE = "online"
    OFFLINE = "offline"
    LEFT = "left"


class TokenKind(enum.StrEnum):
    """What a token is for."""

    ADMIN = "admin"
    JOIN = "join"
    AGENT = "agent"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One submission."""

    id: int
    name: str
    pack_id: str
    frames: str
    """The frame range in its canonical form."""
    frame_count: int
    state: JobState
    reason: str | None
    priority: int
    min_blender: int
    """The oldest Blender that opens it, as :func:`blender_number`."""
    max_retries: int
    video: bool
    render: str
    """A RenderSpec in JSON."""
    output: str
    """An OutputSpec in JSON."""
    warnings: tuple[str, ...]
    submission: str | None
    """Names the request that made the job."""
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    finished: int
    """How many frames are finished."""
    failed: int
    """How many frames failed for good."""
    whole_failures: int
    """How often an agent could not render the job at all."""
    latest_frame: int | None
    recent_seconds: tuple[float, ...]
    """Wall time of the frames finished last, oldest first."""
    width: int | None
    """Pixels of every finished frame, once there is one."""
    height: int | None
    sound_state: SoundState
    sound_lease_id: str | None
    """The lease that is to mix the sound."""
    sound_failures: int
    sound_sha256: str | None
    video_sha256: str | None
    stitch_claim: str | None
    """Fences the stitcher at work."""
    stitch_expires_at: datetime | None
    stitch_claims: int
    """How often stitching was begun."""

    @property
    def frame_range(self) -> FrameRange:
        """The job's frames."""
        return parse(self.frames)

    @property
    def open_frames(self) -> int:
        """How many frames have not ended."""
        return self.frame_count - self.finished - self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of a job's frames that no one has finished: those of the job's range from ``first`` to ``last``."""

    id: int
    job_id: int
    first: int
    last: int
    frame_count: int
    state: ChunkState
    lease_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One slot's time-limited right to render frames."""

    id: str
    job_id: int
    agent_id: int
    slot: int
    state: LeaseState
    end_reason: LeaseEnd | None
    granted_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    stage: str | None
    """As the agent reported it last; None before its first report."""
    frame: int | None
    """The frame being rendered."""
    progress: float
    """Of that frame, 0–1."""
    remaining_seconds: float | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame that has ended; of a failed one only the reason is known."""

    job_id: int
    frame: int
    state: FrameState
    agent_id: int | None
    lease_id: str | None
    output_sha256: str | None
    output_size: int | None
    preview_sha256: str | None
    preview_size: int | None
    display_sha256: str | None
    seconds: float | None
    peak_memory_bytes: int | None
    blender: str | None
    reason: str | None
    attempts: int
    """How often it was tried, the last time included."""
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A machine that joined the farm."""

    id: int
    name: str
    state: AgentState
    software_version: str
    slots: int
    hardware: str
    """JSON, as are the next two."""
    blenders: str
    tags: str
    max_blender: int
    """The newest Blender it has, as :func:`blender_number`."""
    registered_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A credential; only its digest is known."""

    id: int
    kind: TokenKind
    name: str
    agent_id: int | None
    created_at: datetime
    expires_at: datetime | None


def blender_number(major: int, minor: int) -> int:
    """Return a Blender version as one number that sorts: 4.2 is 402."""
    return major * 100 + minor


def blender_version(number: int) -> tuple[int, int]:
    """Return the major and minor version in a number of :func:`blender_number`."""
    return divmod(number, 100)
