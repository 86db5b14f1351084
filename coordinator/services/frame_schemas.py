"""Messages of the public API about a job's frames, files and cost.  Lengths are in bytes, durations in seconds."""

from datetime import datetime
from typing import Literal

import msgspec

from coordinator.domain.model import FrameState
from coordinator.services.schemas import FrameView


class FrameChange(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that has ended, as the event stream tells it: what a map of the job's frames needs."""

    job: int
    frame: int
    state: FrameState
    agent: str | None
    seconds: float | None
    version: str | None
    """Tells its picture from another one of the same frame; None: it has none."""


class FrameMap(msgspec.Struct, frozen=True, kw_only=True):
    """All frames of a job at once, column by column; one of 100,000 frames is a few hundred kB when compressed."""

    frames: str
    """The job's range: its frames, ascending, are what the columns are about."""
    agents: list[str]
    states: list[tuple[FrameState | None, int]]
    """State and how many frames in a row have it; None: not ended."""
    by: list[tuple[int | None, int]]
    """Place in ``agents`` of who rendered it, and how many frames in a row."""
    seconds: list[float]
    """Render times of the finished frames, in their order, to three digits."""
    versions: str
    """Six characters for each finished frame, in their order: the beginning of its file's digest."""
    doubtful: list[int]
    """Finished frames that may not be what the artist meant (the first 10,000)."""


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """A failed attempt at a frame."""

    at: datetime
    agent: str
    code: str
    message: str
    counts: bool
    """False: it was made before a person had the frame rendered again."""


class FrameDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one frame."""

    frame: int
    filename: str
    result: FrameView | None
    """How it ended; None while it has not."""
    blender: str | None
    device: str | None
    """What its agent renders with."""
    cards: list[str]
    """The names of its agent's graphics cards, where it renders on them."""
    display: bool
    """There is a picture of full size as seen in Blender, for files that browsers do not show."""
    log: str | None
    """What Blender said while it rendered it, in short; None where nothing is kept."""
    attempts: list[AttemptView]
    """The failed ones, the oldest first."""


class LayerView(msgspec.Struct, frozen=True, kw_only=True):
    """Channels of a picture that belong together, such as a render pass."""

    name: str
    channels: list[str]
    bits: int | None
    """Of each value; not told of an OpenEXR."""


class LayersView(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a frame's file, by its header."""

    width: int
    height: int
    compression: str | None
    layers: list[LayerView]


class PackFileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the scene."""

    path: str
    size: int


class PackView(msgspec.Struct, frozen=True, kw_only=True):
    """The files that a job is rendered from: the largest first, a page of them."""

    main: str
    """The .blend."""
    file_count: int
    size: int
    """Of all of them."""
    items: list[PackFileView]
    next: str | None = None


class DeviceCost(msgspec.Struct, frozen=True, kw_only=True):
    """What agents that render with the same thing have done for a job."""

    device: str
    """Such as CPU or OPTIX."""
    hardware: str
    """The name of the card, or of the processor."""
    agents: list[str]
    frames: int
    seconds: float
    """Render time of its finished frames together."""
    energy_frames: int
    """Frames of which the cards told what they took."""
    energy_joules: float
    """Of these together."""


class CostView(msgspec.Struct, frozen=True, kw_only=True):
    """What a job has cost so far."""

    frames: int
    seconds: float
    gpu_seconds: float
    """Of these, on graphics cards."""
    energy_frames: int
    """Frames of which graphics cards told what they took."""
    energy_joules: float
    """Of these together."""
    devices: list[DeviceCost]
    """The one that did most first."""


Order = Literal["oldest", "newest"]
Kinds = Literal["all", "notable"]
