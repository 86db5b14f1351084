"""Inspections: an agent looks into a pack's .blend, so that people are shown the scene's own values and what it misses.

Lengths are in bytes, times in seconds, image sizes in pixels.  All of it comes from a file that may be hostile, through
a Blender that may have been taken over: everything has a limit.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from coordinator.protocol.messages import BlenderVersion, FrameNumber, Name, Pixels, Seconds, Stage
from coordinator.protocol.packs import Sha256

#: More scenes, names of one kind, missing files or warnings than these are not told.
MAX_SCENES, MAX_NAMES, MAX_MISSING, MAX_WARNINGS = 100, 500, 200, 20

Sentence = Annotated[str, Meta(max_length=1000)]
StoredPath = Annotated[str, Meta(max_length=1024)]
Names = Annotated[list[Name], Meta(max_length=MAX_NAMES)]


class SceneFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one scene of the file is set to."""

    name: Name
    camera: Name | None
    """The active one."""
    cameras: Names
    camera_changes: bool
    """Markers on the timeline switch cameras."""
    view_layers: Names
    """Those that are rendered."""
    frame_start: FrameNumber
    frame_end: FrameNumber
    frame_step: Annotated[int, Meta(ge=1, le=1_048_574)]
    frame_current: FrameNumber
    fps: Annotated[float, Meta(ge=0.001, le=10_000)]
    resolution: tuple[Pixels, Pixels]
    """Before the percentage."""
    percentage: Annotated[int, Meta(ge=1, le=32_767)]
    plain_size: bool
    """A finished frame measures the resolution by the percentage: nothing is cropped, and there is one view."""
    engine: Name
    """Blender's own identifier."""
    samples: Annotated[int, Meta(ge=0, le=2**31)] | None
    """``None`` where the engine has no such setting."""
    format: Name
    """Of the files, by Blender's own identifier."""
    sound: bool
    """Something can be heard in it."""


class MissingInput(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the scene needs and the pack has not got."""

    kind: Name
    name: Name
    """Of what needs it."""
    path: StoredPath
    """As the scene names it, made absolute unless it lies in the pack's folder."""
    place: StoredPath | None
    """Where in the pack it is looked for, beginning with ``..`` where that is outside; ``None``: its path is
    absolute, and only a ``remap`` leads to the pack."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a .blend."""

    file_version: BlenderVersion
    """Of the Blender that saved it."""
    blender: BlenderVersion
    """The one that looked."""
    scene: Name
    """The one that was active when the file was saved."""
    scenes: Annotated[list[SceneFacts], Meta(min_length=1, max_length=MAX_SCENES)]
    missing: Annotated[list[MissingInput], Meta(max_length=MAX_MISSING)]
    missing_count: Annotated[int, Meta(ge=0, le=2**31)]
    """All of them."""
    warnings: Annotated[list[Sentence], Meta(max_length=MAX_WARNINGS)]


class InspectionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An agent asks for a pack to look into."""

    blender: BlenderVersion
    wait_seconds: Seconds = 25.0


class InspectionGrant(msgspec.Struct, frozen=True, kw_only=True):
    """The right to look into one pack, until nothing was heard for ``lease_seconds``."""

    claim: str
    """Fences every report."""
    pack_id: Sha256


class InspectionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The agent is at it."""

    stage: Stage


class InspectionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, or why nothing was."""

    findings: Findings | None = None
    failure: Sentence | None = None
    """In the words of a person."""
    again: bool = False
    """Another agent may manage."""
