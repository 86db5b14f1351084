"""The farm's records, frozen as they were read.  Lengths in bytes, durations in seconds, times aware and in UTC."""

import enum
from dataclasses import dataclass
from datetime import datetime

from coordinator.domain.carving import Span
from coordinator.domain.frame_range import FrameRange, parse


class JobState(enum.StrEnum):
    """Where a job is; docs/STATES.md has the transitions."""

    BLOCKED = "blocked"
    """It waits for other jobs to be completed."""
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    """What is being rendered is finished, and nothing more is begun."""
    STITCHING = "stitching"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the job has come to its end."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)

    @property
    def begun(self) -> bool:
        """Whether frames of the job may be under way."""
        return self in (JobState.RUNNING, JobState.PAUSED)


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
    """Its job does not go on, or not now."""


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
    STOPPED = "stopped"
    """A person stopped the agent's work."""
    JOB_ENDED = "job_ended"
    SUPERSEDED = "superseded"
    """Another agent process took over the agent's name."""
    TAKEN_OVER = "taken_over"
    """Slots that were idle took all of its frames."""


class FrameState(enum.StrEnum):
    """How a frame ended.  A frame that has not ended is in a chunk."""

    FINISHED = "finished"
    FAILED = "failed"


class AgentState(enum.StrEnum):
    """Whether an agent can be given work."""

    ONLINE = "online"
    OFFLINE = "offline"
    LEFT = "left"


class Blank(enum.StrEnum):
    """Pictures in which there is nothing to be seen."""

    BLACK = "black"
    TRANSPARENT = "transparent"
    NAN = "nan"
    """Not one pixel is a number."""


class Removal(enum.StrEnum):
    """What is still to be removed of a job that has ended."""

    FILES = "files"
    """What is known of its files; the job stays as a record."""
    RECORD = "record"
    """The record too."""


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
    """The oldest Blender that opens it, as in :mod:`coordinator.domain.versions`."""
    needs: str
    """What else a slot must have to render it: JSON, see :mod:`coordinator.domain.matching`."""
    ram_needed: int
    """The most main memory that rendering it took, or more than what was too little; 0 while unknown."""
    vram_needed: int
    """More than what was too little of a graphics card's memory; 0 while none was."""
    max_slots: int | None
    """No more slots work on it at once."""
    chunk_frames: int | None
    """Leases have exactly this many frames, if its submission fixed it."""
    target_seconds: float
    """Leases are to last about this long otherwise."""
    hedge: bool
    """A frame that takes far too long may be given to a second slot as well."""
    first_look: bool
    """Frames spread over the whole range come first."""
    looks: int
    """How many of those were leased."""
    stop_after: int
    """It fails when its first so many frames all fail the same way; 0 turns that off."""
    stop_on_missing: bool
    """It is given up when its scene misses files."""
    cpu_fallback: bool
    """Frames that fit into no graphics card may be rendered on processors."""
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
    notify: tuple[str, ...]
    """E-mail addresses of those who are told of its end."""
    search: str
    """What it is found and sorted by: see :mod:`coordinator.domain.searching`."""
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    finished: int
    """How many frames are finished."""
    failed: int
    """How many frames failed for good."""
    blank: int
    """In how many of the finished frames there is nothing to be seen."""
    doubtful: int
    """How many of the finished frames may not be what the artist meant."""
    whole_failures: int
    """How often an agent could not render the job at all."""
    latest_frame: int | None
    costs: str
    """What is known of its frames' durations: JSON, see :mod:`coordinator.domain.costs`."""
    pending: int
    """How many frames wait for a lease."""
    slots: int
    """How many slots hold leases of it."""
    speed: float
    """The sum of those slots' speeds."""
    vtime: float
    """Slot-seconds it was given, counted from where it joined its owner's other jobs."""
    granted_at: datetime | None
    """When a lease of it was granted last."""
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
    keep: bool
    """Its files are never removed but by a person who takes this back first."""
    bytes: int | None
    """What its files take, without its pack, once it has ended and they were counted."""
    files_swept_at: datetime | None
    """When its files were removed."""
    removal: Removal | None
    """What is still to be removed of it; a record that is to go is shown to no one."""

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
    hedge_lease_id: str | None
    """A second lease on this one frame: the first result wins."""
    avoid_agent_id: int | None
    """The agent that failed on it last; another one should try."""

    @property
    def span(self) -> Span:
        """Its frames."""
        return Span(self.first, self.last, self.frame_count)


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
    frame_since: datetime | None
    """Since when it was reported to be rendered."""
    progress: float
    """Of that frame, 0–1."""
    remaining_seconds: float | None
    memory_bytes: int | None
    speed: float
    """Of the slot, when it was granted."""
    load_seconds: float
    """How long opening the scene was expected to take; 0 on a warm slot."""
    charged: float
    """Slot-seconds its job and their owner were charged for it."""
    used: float
    """Slot-seconds that its finished frames took, opening the scene included."""
    finished: int


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
    peak_gpu_memory_bytes: int | None
    energy_joules: float | None
    blender: str | None
    blank: Blank | None
    doubt: str | None
    """Why it may not be what the artist meant though it was accepted: a sentence."""
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
    pools: str
    """JSON, as are the next three; these two are its own settings', and the following people's."""
    farm_tags: str
    farm_pools: str
    engines: str
    """The engines it can render with; an empty list stands for all."""
    device: str
    """What its slots render with, such as CPU or OPTIX."""
    platform: str
    ram_bytes: int
    """Each slot's share of the machine's."""
    vram_bytes: int | None
    """Of the graphics card of a slot."""
    max_blender: int
    """The newest Blender it has, as in :mod:`coordinator.domain.versions`."""
    speed: float
    """How fast its slots render, 1 being the farm's typical slot."""
    speed_count: int
    """How many leases have taught that."""
    set_aside: str | None
    """Why it gets no work until a person lets it back: a sentence."""
    set_aside_at: datetime | None
    sandboxed: bool
    """Its Blenders see nothing of the machine but the job's files."""
    drained: bool
    """A person keeps work from it until further notice."""
    resting: str | None
    """Why it takes no work just now by its own settings: a sentence."""
    telemetry: str | None
    """JSON: what its machine measured last."""
    removed: bool
    """A person does not want to see it any more; it has left, and is seen again when it comes back."""
    registered_at: datetime
    last_seen_at: datetime

    @property
    def kept_from_work(self) -> bool:
        """A person or its failures keep work from it: it ends the frames that it renders, and gets no others."""
        return self.drained or self.set_aside is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One who submits jobs: an owner of shares of the farm."""

    name: str
    vtime: float
    """Slot-seconds the user's jobs were given, counted from where the user joined the others."""
    max_slots: int | None
    """No more slots work for the user at once."""
    scripts: bool
    """The user's jobs may run the Python that their files bring along."""
    quota_bytes: int | None
    """When the user's files take more, the oldest ended jobs lose theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A failed attempt at a frame, or at a whole job."""

    job_id: int
    frame: int | None
    agent_id: int
    lease_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """An agent that gets no more work of a job."""

    agent_id: int
    job_id: int
    reason: str
    at: datetime
