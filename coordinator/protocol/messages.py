"""The messages between coordinator and agents.  docs/PROTOCOL.md tells when each travels and what must follow.

Lengths are in bytes, times in seconds, image sizes in pixels.  Unknown fields are ignored, so that a newer peer can
add some; :data:`PROTOCOL_VERSION` changes when that is not enough.
"""

import enum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from coordinator.protocol.packs import Sha256

PROTOCOL_VERSION = 1

#: Files of its own that a scene may bring with each frame, and the longest of their paths in characters.
MAX_EXTRAS, MAX_EXTRA_PATH = 200, 500

Seconds = Annotated[float, Meta(ge=0, le=1e9)]
"""At most some thirty years: infinity is no duration."""
Bytes = Annotated[int, Meta(ge=0, le=2**62)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
AgentToken = Annotated[str, Meta(pattern=r"^rf_agent_[A-Za-z0-9_-]{43}$")]
Pixels = Annotated[int, Meta(ge=1, le=65536)]
BlenderVersion = tuple[
    Annotated[int, Meta(ge=0, le=9999)], Annotated[int, Meta(ge=0, le=99)], Annotated[int, Meta(ge=0, le=9999)]
]
"""Major, minor, patch."""
FrameNumber = Annotated[int, Meta(ge=-1_048_574, le=1_048_574)]
"""Blender's own limits (MINAFRAME, MAXFRAME)."""


class ImageFormat(enum.StrEnum):
    """File formats of frames, by Blender's identifiers."""

    PNG = "PNG"
    JPEG = "JPEG"
    OPEN_EXR = "OPEN_EXR"
    OPEN_EXR_MULTILAYER = "OPEN_EXR_MULTILAYER"
    """All passes of all view layers, each by its name and with its own depth."""

    @property
    def is_exr(self) -> bool:
        """An OpenEXR holds light; what it looks like only Blender knows."""
        return self in (ImageFormat.OPEN_EXR, ImageFormat.OPEN_EXR_MULTILAYER)


class ColorMode(enum.StrEnum):
    """Channels of a frame's file, by Blender's identifiers."""

    BW = "BW"
    RGB = "RGB"
    RGBA = "RGBA"


class Stage(enum.StrEnum):
    """What a slot is doing with its lease."""

    FETCHING = "fetching"
    OPENING = "opening"
    MIXING = "mixing"
    RENDERING = "rendering"
    UPLOADING = "uploading"


class Platform(enum.StrEnum):
    """Operating systems that Blender runs on."""

    LINUX = "linux"
    WINDOWS = "windows"
    MACOS = "macos"


class Device(enum.StrEnum):
    """What Cycles renders with, by Blender's identifiers."""

    CPU = "CPU"
    CUDA = "CUDA"
    OPTIX = "OPTIX"
    HIP = "HIP"
    ONEAPI = "ONEAPI"
    METAL = "METAL"


class BlenderBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A Blender that an agent can render with."""

    version: BlenderVersion
    kind: str
    """``bpy`` (the Python module) or ``executable``."""
    engines: Annotated[list[Name], Meta(max_length=32)] = []
    """Blender's own that it was built with, as in :class:`RenderSpec`; empty: not told."""
    denoisers: Annotated[list[Name], Meta(max_length=32)] = []
    """Of Cycles, by Blender's identifiers."""
    devices: Annotated[list[Device], Meta(max_length=32)] = []
    """The kinds of devices that Cycles finds on the machine; empty: not looked for."""


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics card."""

    name: str
    memory_bytes: Bytes | None = None
    driver: str = ""
    """The driver's version."""


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """The machine an agent runs on."""

    hostname: str
    os: str
    cpu: str
    cpu_count: Annotated[int, Meta(ge=1)]
    memory_bytes: Bytes
    gpus: list[Gpu] = []


class RegisterRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An agent introduces itself, with a join token for the first time and its own token afterwards."""

    protocol: int
    name: Name
    software_version: str
    slots: Annotated[int, Meta(ge=1, le=64)]
    hardware: Hardware
    blenders: Annotated[list[BlenderBuild], Meta(min_length=1, max_length=32)]
    tags: Annotated[list[Name], Meta(max_length=64)] = []
    """What is special about the machine: jobs may ask for it."""
    pools: Annotated[list[Name], Meta(max_length=64)] = []
    """The pools it belongs to: a job of a pool is rendered by its agents only."""
    device: Device = Device.CPU
    """What its slots render with."""
    platform: Platform = Platform.LINUX
    engines: Annotated[list[Name], Meta(max_length=32)] = []
    """The engines it can render with, as in :class:`RenderSpec`; empty: all."""
    vram_bytes: Bytes | None = None
    """Memory of a slot's graphics card; ``None`` where it has none or it cannot be told."""
    sandboxed: bool = False
    """Its Blenders see nothing of the machine but the job's files, and no network."""
    unsandboxed_because: Annotated[str, Meta(max_length=1000)] = ""
    """Why they do."""
    token: AgentToken | None = None
    """The token that it is to have as its own when it joins: random.  It has that even when the answer is lost, and
    needs no second join code.  ``None``: the coordinator makes one."""


class GpuLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What a graphics card measures of itself; ``None`` where it does not."""

    name: Annotated[str, Meta(max_length=200)]
    celsius: Annotated[float, Meta(ge=-273, le=1000)] | None = None
    watts: Annotated[float, Meta(ge=0, le=100_000)] | None = None
    memory_used_bytes: Bytes | None = None
    memory_bytes: Bytes | None = None
    utilization: Fraction | None = None


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """How an agent's machine is."""

    gpus: Annotated[list[GpuLoad], Meta(max_length=64)] = []
    cpu_utilization: Fraction | None = None
    memory_used_bytes: Bytes | None = None
    disk_free_bytes: Bytes | None = None
    """Where it keeps its files."""


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """A coordinator is here, and it takes the token that was sent."""

    protocol: int
    software_version: str
    token: str
    """Its kind: ``join`` or ``agent``."""


class RegisterResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's credential and the farm's timing."""

    agent_id: int
    token: str
    """The agent's own token; keep it.  Empty when the agent registered with the one it has."""
    lease_seconds: Seconds
    """A lease lives this long past its last report."""
    report_seconds: Seconds
    """Report at least this often."""
    poll_seconds: Seconds
    """How long the coordinator holds a lease request open when there is no work."""


class RenderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in the scene before rendering; ``None`` leaves the scene's own value."""

    scene: Name | None = None
    """``None`` is the one that was active when the file was saved."""
    camera: Name | None = None
    engine: Name | None = None
    """``CYCLES``, ``EEVEE`` or ``WORKBENCH`` (each Blender's own identifiers are accepted too)."""
    samples: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    resolution: tuple[Pixels, Pixels] | None = None
    percentage: Annotated[int, Meta(ge=1, le=1000)] | None = None
    view_layers: Annotated[list[Name], Meta(min_length=1, max_length=256)] | None = None
    """Only these are rendered."""
    persistent_data: bool = True
    """Keep prepared scene data between frames of a session."""
    allow_scripts: bool = False
    """Run the Python in the file: registered texts and driver expressions.  In a sandbox only."""
    processor: bool = False
    """Render on the processor whatever the slot's device is."""


class OutputSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What each frame's file must be."""

    format: ImageFormat
    width: Pixels | None = None
    """``None`` where it cannot be told before rendering; then all frames must be alike."""
    height: Pixels | None = None
    fps: Annotated[float, Meta(ge=0.001, le=10_000)] = 24.0
    """Pictures a second, the scene's ``fps / fps_base``."""
    display: bool = False
    """Also deliver a full-size 8-bit PNG through the view transform (a video of OpenEXR frames is made of these)."""
    color_mode: ColorMode | None = None
    """``None`` where it cannot be told, as of a scene that is set to a format the farm does not write."""
    color_depth: Literal[8, 16, 32] | None = None
    """Bits per channel; ``None`` as of ``color_mode``."""


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent needs to know of a job."""

    job_id: int
    name: str
    pack_id: Sha256
    render: RenderSpec
    output: OutputSpec
    stop_on_missing: bool = False
    """A scene that misses files fails the job (``missing_files``)."""


class LeaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A slot asks for work."""

    slot: Annotated[int, Meta(ge=0, le=63)]
    blender: BlenderVersion
    """The version this slot renders with."""
    open_pack: Sha256 | None = None
    """The pack its session has open."""
    cached_packs: Annotated[list[Sha256], Meta(max_length=64)] = []
    """Packs whose files the agent has on disk."""
    busy_seconds: Seconds = 0.0
    """How long it expects to be busy with the leases it holds."""
    holds: list[str] = []
    """Ids of the leases the slot still works on; a live lease of this slot that is not among them is granted again."""
    wait_seconds: Seconds = 25.0
    resting: Annotated[str, Meta(max_length=300)] | None = None
    """Why it takes no work just now, a sentence for people; it only says that it is alive."""
    others_work: bool = False
    """It rests alone: other slots of its agent take work."""
    telemetry: Telemetry | None = None


class LeaseGrant(msgspec.Struct, frozen=True, kw_only=True):
    """One slot's time-limited right to render one chunk."""

    lease_id: str
    job: JobSpec
    frames: Annotated[list[FrameNumber], Meta(min_length=1)]
    """In the order to render them."""
    mix_sound: bool = False
    """Mix the scene's sound for ``sound_range`` first and deliver it before the frames."""
    sound_range: tuple[FrameNumber, FrameNumber] | None = None
    expected_seconds: Seconds | None = None
    """What its slowest frame is expected to take on this slot; ``None`` while nothing is known."""


class FrameFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One frame (or, with ``frame`` None, the whole job) could not be rendered."""

    frame: FrameNumber | None
    code: Name
    """``render_failed``, ``out_of_memory``, ``out_of_gpu_memory``, ``crashed``, ``cannot_open``, ``bad_frame``…"""
    message: Annotated[str, Meta(max_length=4000)]
    """In the words of a person."""


class ReportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The slot is alive; where it is."""

    stage: Stage
    frame: FrameNumber | None = None
    """The frame being rendered."""
    progress: Fraction = 0.0
    """Of that frame."""
    remaining_seconds: Seconds | None = None
    """Of that frame, as Blender estimates it."""
    memory_bytes: Bytes | None = None
    failures: list[FrameFailure] = []
    """Since the last report that was answered; the same failure sent twice counts once."""
    warnings: list[Annotated[str, Meta(max_length=1000)]] = []
    """What the job's owner should know (a missing texture); the same text counts once per job."""
    release: bool = False
    """Hand back every frame of the lease that is not finished; the lease ends."""
    telemetry: Telemetry | None = None
    """Sent by one slot of an agent, now and then."""


class ReportResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Go on."""

    last_frame: FrameNumber | None
    """Render no frame of the lease past this one (its order counts); ``None``: nothing is left to render."""
    processor: bool = False
    """The job is rendered on processors by now (:attr:`RenderSpec.processor`), also what is left of this lease."""


MAX_BLOBS_ASKED = 500
"""So many blobs of a pack are asked for at once at most."""


class BlobsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Blobs of a pack that are wanted together; the answer is their bytes, one after the other in this order."""

    sha256: Annotated[list[Sha256], Meta(min_length=1, max_length=MAX_BLOBS_ASKED)]


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was uploaded as a blob before."""

    sha256: Sha256
    size: Annotated[int, Meta(ge=1, le=2**62)]


class ExtraFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the scene itself wrote beside its picture, by a File Output node."""

    path: Annotated[str, Meta(min_length=1, max_length=MAX_EXTRA_PATH)]
    """Relative, with ``/`` and without ``..``: where it lies below the frame's folder."""
    file: StoredFile


class FrameResult(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered frame, its files already uploaded as blobs, or in the same parcel."""

    output: StoredFile
    preview: StoredFile | None = None
    """JPEG, as seen in Blender, small.  ``None``: the display file, or the output where there is none, is no larger
    than a preview and not an OpenEXR; a preview is made of it when somebody looks."""
    display: StoredFile | None = None
    seconds: Seconds
    """Wall time of the render."""
    load_seconds: Seconds = 0.0
    """Wall time that opening the scene and setting it up took just before this frame."""
    peak_memory_bytes: Bytes | None = None
    peak_gpu_memory_bytes: Bytes | None = None
    """Of the graphics card, by all of this slot's Blender."""
    energy_joules: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    """What the slot's graphics cards took while it was rendered; None where they do not tell, or there are none."""
    blender: BlenderVersion
    extras: Annotated[list[ExtraFile], Meta(max_length=MAX_EXTRAS)] = []
    log: Annotated[str, Meta(max_length=10_000)] = ""
    """What Blender said of the frame, in short; of the first one after opening the scene, of that as well."""


class FrameAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A frame was recorded (before, perhaps): go on."""

    last_frame: FrameNumber | None
    """As in :class:`ReportResponse`."""


class SoundResult(msgspec.Struct, frozen=True, kw_only=True):
    """The mixed sound of a job (FLAC), or why there is none."""

    file: StoredFile | None = None
    failure: Annotated[str, Meta(max_length=4000)] | None = None
