"""The public API's messages (JSON), as docs/PROTOCOL.md describes them.

Lengths are in bytes, durations in seconds, times aware and in UTC (ISO 8601 on the wire).
"""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from coordinator.domain.model import Blank, FrameState, JobState, SoundState
from coordinator.domain.tokens import TokenKind
from coordinator.protocol import OutputSpec, Platform, RenderSpec
from coordinator.protocol.packs import Sha256

T = TypeVar("T")

Label = Annotated[str, Meta(min_length=1, max_length=200)]
"""A tag, or the name of a pool."""
Memory = Annotated[int, Meta(ge=0, le=2**62)]
Slots = Annotated[int, Meta(ge=1, le=1_000_000)]
Version = tuple[Annotated[int, Meta(ge=2, le=99)], Annotated[int, Meta(ge=0, le=99)]]
"""Major and minor version of Blender."""
Priority = Annotated[int, Meta(ge=0, le=100)]
"""Higher first."""


EmailAddress = Annotated[str, Meta(pattern=r"^[^@\s<>,;:\"()]{1,64}@[A-Za-z0-9.-]{1,190}$", max_length=254)]
"""Where a person is written to."""


class NeedsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a slot must have to render a job, beside a Blender that opens it."""

    tags: Annotated[list[Label], Meta(max_length=64)] = []
    """All of them."""
    pool: Label | None = None
    """Only agents of this pool."""
    max_blender: Version | None = None
    """The newest Blender that may render it."""
    engine: Label | None = None
    """The engine that the scene is rendered with, if it needs more than Blender itself brings."""
    device: Literal["GPU", "CPU", "CUDA", "OPTIX", "HIP", "ONEAPI", "METAL"] | None = None
    """``GPU`` is every device but the processor."""
    platform: Platform | None = None
    sandbox: bool = False
    """Only agents whose Blender sees nothing but the job's files; what ``render.allow_scripts`` always needs."""
    ram_bytes: Memory = 0
    """Of the machine."""
    vram_bytes: Memory = 0
    """Of the graphics card, where one renders."""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list, and where it goes on."""

    items: list[T]
    next: str | None = None
    """The cursor of the next page; ``None`` at the end."""


class JobRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A submission."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    pack: Sha256
    frames: Annotated[str, Meta(min_length=1, max_length=20_000)]
    """A frame range."""
    blender: Version
    """The Blender that saved the file."""
    render: RenderSpec
    output: OutputSpec
    priority: Priority = 50
    needs: NeedsRequest = NeedsRequest()
    max_slots: Slots | None = None
    """No more slots work on it at once."""
    chunk_frames: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    """Leases of exactly so many frames; by default they are fitted to each slot's speed and to what is left."""
    target_seconds: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    """Leases are to last about this long."""
    hedge: bool = True
    """A frame that takes far too long may be rendered by a second slot as well."""
    first_look: bool = False
    """Begin with the first, the middle and the last frame, and go on between them."""
    stop_after: Annotated[int, Meta(ge=0, le=1000)] = 3
    """Give up when the first so many frames all fail the same way; 0: never."""
    stop_on_missing: bool = False
    """Give up when the scene misses files; by default it is rendered without them, and a warning names them."""
    cpu_fallback: bool = False
    """Render frames that fit into no graphics card of the farm on processors."""
    after: Annotated[list[Annotated[int, Meta(ge=1, le=2**62)]], Meta(max_length=100)] = []
    """Begin when these jobs are completed."""
    video: bool = False
    sound: bool = False
    max_retries: Annotated[int, Meta(ge=0, le=100)] = 3
    """How often each frame may be tried again after its first failure."""
    notify: Annotated[list[EmailAddress], Meta(max_length=5)] = []
    """Those who are written to when it is completed, fails, or frames of it are doubted."""
    warnings: Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=100)] = []
    submission: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    """Random, made once for a submission: the request sent again is answered with the job that it made."""


class JobChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be changed of a job; what is left out stays."""

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    frames: Annotated[str, Meta(min_length=1, max_length=20_000)] | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    needs: NeedsRequest | UnsetType = UNSET
    max_slots: Slots | UnsetType | None = UNSET
    hedge: bool | UnsetType = UNSET
    keep: bool | UnsetType = UNSET
    """Its files are not removed when they are old, or when their owner's quota is full."""


class RequeueRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which frames to render again."""

    frames: Annotated[str, Meta(min_length=1, max_length=20_000)] | None = None
    """A frame range; by default, all that failed."""


class RerenderRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different in a new job on the same pack; what is left out is as it was."""

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    frames: Annotated[str, Meta(min_length=1, max_length=20_000)] | UnsetType = UNSET
    render: RenderSpec | UnsetType = UNSET
    output: OutputSpec | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    needs: NeedsRequest | UnsetType = UNSET
    video: bool | UnsetType = UNSET
    sound: bool | UnsetType = UNSET
    submission: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """One who submits jobs."""

    name: str
    max_slots: int | None
    scripts: bool
    """Jobs of the user may run the Python that their files bring along."""
    slots: int
    """How many work for the user now."""
    quota_bytes: int | None
    """When the user's files take more, the oldest jobs that have ended lose theirs, but those that are kept."""


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user may; what is left out stays."""

    max_slots: Slots | UnsetType | None = UNSET
    """None: as many as there are."""
    scripts: bool | UnsetType = UNSET
    """Jobs may run the Python that their files bring along."""
    quota_bytes: Memory | UnsetType | None = UNSET
    """None: as many as there is room for."""


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as lists and the event stream show it."""

    id: int
    name: str
    pack: str
    frames: str
    blender: tuple[int, int]
    render: RenderSpec
    output: OutputSpec
    priority: int
    needs: NeedsRequest
    max_slots: int | None
    chunk_frames: int | None
    target_seconds: float
    hedge: bool
    first_look: bool
    stop_after: int
    stop_on_missing: bool
    cpu_fallback: bool
    after: list[int]
    video: bool
    sound: bool
    max_retries: int
    warnings: list[str]
    state: JobState
    reason: str | None
    """Why it failed, a sentence."""
    waiting: str | None
    """Why no slot renders it though it has not ended, a sentence."""
    user: str
    """Who submitted it."""
    frame_count: int
    finished: int
    failed: int
    doubtful: int
    """Finished frames that may not be what the artist meant."""
    progress: float
    """0–1; frames being rendered count by their share."""
    eta_seconds: float | None
    """Until the last frame, on the slots that work on it now."""
    eta_low_seconds: float | None
    eta_high_seconds: float | None
    """Four of five jobs of which so much is known end between these."""
    seconds_per_frame: float | None
    frames_per_minute: float | None
    """Of all slots at work together; null while none is, or nothing is known."""
    latest_frame: int | None
    """The frame that was finished last."""
    video_ready: bool
    sound_state: SoundState
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    keep: bool
    """Its files are not removed when they are old, or when their owner's quota is full."""
    files_swept_at: datetime | None
    """When its files were removed; what it was and how it went is all that is left."""


class FailureView(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that failed for good (``frame`` None: what made the whole job fail)."""

    frame: int | None
    reason: str
    attempts: int


class DoubtView(msgspec.Struct, frozen=True, kw_only=True):
    """A finished frame that may not be what the artist meant."""

    frame: int
    doubt: str
    """A sentence."""
    beside: list[int]
    """The finished frames next before and after it, where there are any near it."""


class JobSlotView(msgspec.Struct, frozen=True, kw_only=True):
    """A slot working on a job."""

    agent: str
    slot: int
    stage: str | None
    frame: int | None
    progress: float
    remaining_seconds: float | None


class JobDetail(JobView, frozen=True, kw_only=True):
    """A single job: also what failed (the first 200), what is doubted (the first 50) and who works on it."""

    failures: list[FailureView]
    doubts: list[DoubtView]
    slots: list[JobSlotView]


class FrameView(msgspec.Struct, frozen=True, kw_only=True):
    """An ended frame."""

    frame: int
    state: FrameState
    reason: str | None
    attempts: int
    """How often it was tried, the successful time included."""
    agent: str | None
    seconds: float | None
    peak_memory_bytes: int | None
    peak_gpu_memory_bytes: int | None
    """Of the graphics card, where one rendered it and could tell."""
    energy_joules: float | None
    """What the graphics cards took while it was rendered, where they could tell."""
    size: int | None
    sha256: str | None
    filename: str
    blank: Blank | None
    doubt: str | None
    """Why it may not be what the artist meant: a sentence."""
    extras: int
    """How many files the scene itself wrote beside it."""
    finished_at: datetime


class ExtraFileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the scene itself wrote, by a File Output node."""

    path: str
    """Below the frame's folder."""
    sha256: str
    size: int


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a job's history."""

    id: int
    at: datetime
    kind: str
    message: str
    data: dict[str, object]


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a new token."""

    kind: Literal["admin", "join"]
    name: Annotated[str, Meta(min_length=1, max_length=200)]


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret."""

    id: int
    kind: TokenKind
    name: str
    created_at: datetime
    expires_at: datetime | None


class TokenCreated(TokenView, frozen=True, kw_only=True):
    """A new token; the only time that the plain token is shown."""

    token: str


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A browser signs in."""

    token: Annotated[str, Meta(max_length=200)]


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is."""

    kind: TokenKind
    name: str


class ConnectStart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program on a person's computer asks to be let in."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    """Who works there, for the person who approves it; the token is called so."""
    token_sha256: Sha256
    """Of the token that it has made for itself, and keeps to itself."""


class ConnectAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that waits for a person; the only time that the code is told."""

    id: int
    code: str
    expires_at: datetime


class ConnectStateView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request."""

    state: str
    """``waiting``, ``approved``, ``refused`` or ``expired``."""


class ConnectView(ConnectStateView, frozen=True, kw_only=True):
    """A request as the person sees it who is to approve it."""

    id: int
    name: str
    created_at: datetime
    expires_at: datetime


class ConnectApproval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person lets a program in."""

    code: Annotated[str, Meta(max_length=50)]
    """As the program shows it."""
    name: Annotated[str, Meta(max_length=200)] | None = None
    """What its token is to be called instead."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator runs."""

    status: Literal["ok"] = "ok"
    version: str
    database: Literal["sqlite", "postgresql"]
