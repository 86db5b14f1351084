"""A scene's settings and what the person wants changed → the request that makes a job (pure)."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .frame_range import format_frames, parse_frames
from .snapshot import SceneSnapshot

#: The file formats the farm writes, by Blender's identifiers.
FORMATS = ("PNG", "JPEG", "OPEN_EXR", "OPEN_EXR_MULTILAYER")

#: Formats that hold light, of which only Blender knows what it looks like.
_EXR_FORMATS = ("OPEN_EXR", "OPEN_EXR_MULTILAYER")

#: The engines agents have: the farm's short names and Blender's identifiers of 4.2 to 5.x.
ENGINES = (
    "CYCLES",
    "EEVEE",
    "WORKBENCH",
    "BLENDER_EEVEE",
    "BLENDER_EEVEE_NEXT",
    "BLENDER_WORKBENCH",
)

#: Longest job name and warning the coordinator takes, in characters, and how many warnings.
_NAME_LENGTH, _WARNING_LENGTH, _WARNINGS = 200, 1000, 100


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What the person wants otherwise than the scene has it; None leaves the scene's own value."""

    name: str | None = None
    frames: str | None = None
    camera: str | None = None
    engine: str | None = None
    samples: int | None = None
    resolution: tuple[int, int] | None = None
    """Pixels, before the percentage."""
    percentage: int | None = None
    format: str | None = None
    """One of :data:`FORMATS`."""
    video: bool | None = None
    """None: a video of more than one frame."""
    sound: bool | None = None
    """None: sound, when the scene has some and the frames are consecutive."""
    view_layers: tuple[str, ...] | None = None
    """Only these are rendered."""
    priority: int = 50
    """0-100, higher first."""
    max_retries: int = 3
    persistent_data: bool = True
    allow_scripts: bool = False
    farm: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the job request, as they are there: ``needs``, ``max_slots``, ``chunk_frames``…"""

    @property
    def device(self) -> str | None:
        """What must render it; None: anything."""
        return (self.farm.get("needs") or {}).get("device")


def frames_text(snapshot: SceneSnapshot, overrides: Overrides) -> str:
    """Return the frame range to render, as people write it."""
    if overrides.frames is not None:
        return overrides.frames
    return format_frames(snapshot.frame_start, snapshot.frame_end, snapshot.frame_step)


def output_format(snapshot: SceneSnapshot, overrides: Overrides) -> str:
    """Return the format of the frames: the scene's own where the farm writes it, else the nearest that it does."""
    if overrides.format is not None:
        return overrides.format
    if snapshot.file_format in FORMATS:
        return snapshot.file_format
    # Of those that the farm does not write, this alone holds more light than a PNG.
    return "OPEN_EXR" if snapshot.file_format == "HDR" else "PNG"


def wants_video(snapshot: SceneSnapshot, overrides: Overrides) -> bool:
    """Tell whether a video is made.  The frame range must be readable."""
    if overrides.video is not None:
        return overrides.video
    return len(parse_frames(frames_text(snapshot, overrides))) > 1


def wants_sound(snapshot: SceneSnapshot, overrides: Overrides) -> bool:
    """Tell whether the video gets the scene's sound: it has some, and the frames are consecutive."""
    if overrides.sound is False or not snapshot.has_sound or not wants_video(snapshot, overrides):
        return False
    return parse_frames(frames_text(snapshot, overrides)).consecutive


def finished_size(snapshot: SceneSnapshot, overrides: Overrides) -> tuple[int, int] | None:
    """Return width and height of a finished file in pixels, computed as Blender does.

    Blender truncates twice: the percentage in whole numbers, then each edge of the border in single precision
    (``render_init_from_main`` and ``RE_InitState`` in its render pipeline).  None where it cannot be told: several
    views may lie side by side.
    """
    if snapshot.multiview:
        return None
    percentage = overrides.percentage or snapshot.percentage
    width, height = (side * percentage // 100 for side in overrides.resolution or snapshot.resolution)
    border = snapshot.border
    if border is None or not border.crop:
        return width, height
    return (
        _edge(border.max_x, width) - _edge(border.min_x, width),
        _edge(border.max_y, height) - _edge(border.min_y, height),
    )


def build_request(
    snapshot: SceneSnapshot,
    overrides: Overrides,
    *,
    blender: tuple[int, int],
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the job request of docs/PROTOCOL.md, all but ``pack``, which the coordinator names.

    ``blender`` is the version that saved the .blend which is sent.  The scene must have passed the preflight.
    """
    size = finished_size(snapshot, overrides)
    file_format = output_format(snapshot, overrides)
    video = wants_video(snapshot, overrides)
    return {
        "name": (overrides.name or snapshot.title)[:_NAME_LENGTH],
        "frames": frames_text(snapshot, overrides),
        "priority": overrides.priority,
        "video": video,
        "sound": wants_sound(snapshot, overrides),
        "blender": list(blender),
        "max_retries": overrides.max_retries,
        "render": {
            "scene": snapshot.scene,
            "camera": overrides.camera,
            "engine": overrides.engine,
            "samples": overrides.samples,
            "resolution": list(overrides.resolution) if overrides.resolution else None,
            "percentage": overrides.percentage,
            "view_layers": None if overrides.view_layers is None else list(overrides.view_layers),
            "persistent_data": overrides.persistent_data,
            "allow_scripts": overrides.allow_scripts,
        },
        "output": {
            "format": file_format,
            "width": size[0] if size else None,
            "height": size[1] if size else None,
            "fps": snapshot.frame_rate,
            # ffmpeg cannot see light through the scene's view transform: Blender itself writes the video's pictures.
            "display": video and file_format in _EXR_FORMATS,
            **_pixels(snapshot, file_format),
        },
        "warnings": [warning[:_WARNING_LENGTH] for warning in warnings[:_WARNINGS]],
        **overrides.farm,
    }


def _pixels(snapshot: SceneSnapshot, file_format: str) -> dict[str, Any]:
    """Return what each frame's pixels must be, where the scene tells."""
    if file_format != snapshot.file_format or file_format == "OPEN_EXR_MULTILAYER":
        return {"color_mode": None, "color_depth": None}
    # Pictures of 8 bits in the sequencer stay what they are, whatever depth is set, and so do views laid together.
    keeps_depth = not (snapshot.uses_sequencer or snapshot.multiview)
    depth = 8 if file_format == "JPEG" else int(snapshot.color_depth) if keeps_depth else None
    return {"color_mode": snapshot.color_mode, "color_depth": depth}


def _edge(fraction: float, side: int) -> int:
    """Return a border's edge in pixels: a product in single precision, truncated."""
    return int(ctypes.c_float(ctypes.c_float(fraction).value * side).value)
