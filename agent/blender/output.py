"""What a session says: one line of its events pipe → one typed event (pure; docs/PROTOCOL.md, session protocol)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from coordinator.protocol import Device

#: The longest line a session may write, in bytes.  A scene with ten thousand missing files stays below it.
MAX_LINE_BYTES = 4 * 1024 * 1024

_Count = Annotated[int, Meta(ge=0)]
_Seconds = Annotated[float, Meta(ge=0)]


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="ready"):
    """Blender is up."""

    blender: tuple[int, int, int]


class ComputeDevice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that Cycles can compute on."""

    type: Device
    name: str
    id: str
    """Cycles' own, with the device's place on the bus where it has one."""


class Described(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="described"):
    """What this Blender can do on this machine."""

    engines: list[str]
    """``CYCLES``, ``EEVEE``, ``WORKBENCH``."""
    denoisers: list[str]
    """Of Cycles: ``OPENIMAGEDENOISE``, ``OPTIX``."""
    devices: list[ComputeDevice]
    """In the order in which they are numbered."""


class MissingFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the scene needs and that is not in the pack."""

    kind: str
    """``image``, ``library``…"""
    name: str
    path: str
    relative: bool = False
    """The scene names it relative to the .blend or to a library."""


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="opened"):
    """The scene is open."""

    file_version: tuple[int, int, int]
    """Of the Blender that saved the file."""
    missing: list[MissingFile]
    warnings: list[str]


class Inspected(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="inspected"):
    """What is in a file."""

    file_version: tuple[int, int, int]
    """Of the Blender that saved it."""
    scene: str
    """The active one."""
    scenes: list[dict[str, object]]
    """As Blender has them: :mod:`agent.inspector` checks them."""
    missing: list[MissingFile]
    warnings: list[str]


class Configured(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="configured"):
    """The scene is set up for a job."""

    width: Annotated[int, Meta(ge=0)] | None
    """Of the finished frames, in pixels; None where Blender decides only while rendering."""
    height: Annotated[int, Meta(ge=0)] | None
    extension: str
    """Of the frames' files, without a dot."""
    engine: str
    """That renders, as this Blender calls it."""
    missing_engine: str | None = None
    """The render engine that the scene was saved with, if this Blender does not have it and renders with another."""
    warnings: list[str]


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="progress"):
    """How far the frame is."""

    progress: Annotated[float, Meta(ge=0, le=1)]
    remaining_seconds: _Seconds | None
    memory_bytes: _Count


class Rendered(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="rendered"):
    """The frame's files are written."""

    frame: int
    seconds: _Seconds
    """Wall time of the render."""
    output: str
    memory_bytes: _Count
    """The most memory the session has held so far."""
    held_bytes: _Count = 0
    """Memory that it holds now; 0 where the system does not tell."""


class Mixed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="mixed"):
    """The sound file is written."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="error"):
    """The command could not be carried out."""

    code: str
    message: str


Event = Ready | Described | Opened | Inspected | Configured | Progress | Rendered | Mixed | Failed


class BadLineError(ValueError):
    """The line is no event."""


def parse_event(line: bytes) -> Event:
    """Return the event in a line.

    Raises:
        BadLineError: the line is too long, no JSON, or no event of the session protocol.
    """
    if len(line) > MAX_LINE_BYTES:
        raise BadLineError(f"a line of {len(line)} bytes is over the limit of {MAX_LINE_BYTES}")
    try:
        event: Event = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLineError(str(error)) from error
    return event


_decoder = msgspec.json.Decoder(Event)
