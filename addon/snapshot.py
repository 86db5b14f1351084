"""What is known of a scene before it is submitted: its settings and the files it needs, as plain data.

:mod:`scene_reader` and :mod:`dependencies` fill these in from Blender; everything after them works on this alone, in
any thread and any Python.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Border:
    """A render border, as fractions of the picture (0-1) from its lower left corner."""

    min_x: float
    max_x: float
    min_y: float
    max_y: float
    crop: bool
    """The finished file holds only what is inside the border."""


@dataclass(frozen=True, kw_only=True)
class Marker:
    """A timeline marker; with a camera, the scene switches to it at that frame."""

    frame: int
    name: str
    camera: str | None


@dataclass(frozen=True, kw_only=True)
class SceneSnapshot:
    """The settings of one scene at one moment, as Blender has them."""

    blend_path: str
    """Absolute path of the open file; empty when it was never saved."""
    is_dirty: bool
    """The open scene differs from the file."""
    file_version: tuple[int, int]
    """The Blender version that saved the file."""
    blender_version: tuple[int, int]
    """The Blender version that has it open."""

    scene: str
    scenes: tuple[str, ...]
    camera: str | None
    """The active camera."""
    cameras: tuple[str, ...]
    """The scene's camera objects."""
    markers: tuple[Marker, ...]

    frame_start: int
    frame_end: int
    frame_step: int
    frame_current: int
    fps: int
    fps_base: float
    """The frame rate is ``fps / fps_base`` pictures a second."""

    engine: str
    """Blender's own identifier, such as ``CYCLES`` or ``BLENDER_EEVEE_NEXT``."""
    samples: int | None
    """Samples a pixel; None for an engine that has no such setting."""
    resolution: tuple[int, int]
    """Pixels, before the percentage."""
    percentage: int
    border: Border | None
    multiview: bool
    """Renders several views (stereo) at once."""

    file_format: str
    """Blender's own identifier, such as ``PNG`` or ``FFMPEG``."""
    color_mode: str
    color_depth: str
    codec: str | None
    is_movie_format: bool

    has_sound: bool
    """A strip or a speaker can be heard between the first and the last frame."""
    uses_sequencer: bool
    """The picture comes from strips in the sequencer."""
    has_compositor_file_outputs: bool
    """The compositor writes files of its own."""

    view_layers: tuple[str, ...] = ()
    """All of the scene."""
    rendered_layers: tuple[str, ...] = ()
    """Those that are rendered."""
    denoiser: str | None = None
    """Cycles' denoiser, by Blender's identifier; None where none is used."""
    views_format: str = ""
    """With several views: ``INDIVIDUAL`` files, ``STEREO_3D``, both eyes in one, or ``MULTIVIEW``, layers of one."""
    scripts: tuple[str, ...] = ()
    """What needs the Python in the file to run, for people."""

    @property
    def frame_rate(self) -> float:
        """Pictures a second."""
        return self.fps / self.fps_base

    @property
    def title(self) -> str:
        """The file's name without its folder and ending, for people."""
        return os.path.splitext(os.path.basename(self.blend_path))[0] or "Untitled"  # noqa: PTH119, PTH122 - text only


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """One reference from the scene, or from a library that it uses, to something outside the .blend file."""

    kind: str
    """``image``, ``library``, ``sound``, ``movie``, ``font``, ``volume``, ``cache``, ``text``…"""
    user: str
    """The data-block or strip that names it, for people."""
    stored: str
    """The path as Blender stores it: ``//`` is the folder of the file that names it; may hold ``<UDIM>``."""
    path: str
    """The same path made absolute."""
    owner: str | None = None
    """Absolute path of the library whose data-block names it; None: the scene's own file."""
    files: tuple[str, ...] = ()
    """Absolute paths of the files that are there: one, or those of a sequence, of tiles or in a folder."""
    missing: tuple[str, ...] = ()
    """Absolute paths of files that it needs and that are not there."""
    is_folder: bool = False
    """``path`` is a folder, and all that lies in it is needed."""
    refused: str | None = None
    """Why it cannot be packed, as the rest of a sentence that starts with its name."""
    unbaked: bool = False
    """It is a simulation of which nothing was baked, so that there is nothing to pack; it may have no path."""

    @property
    def exists(self) -> bool:
        """At least one of its files is there."""
        return bool(self.files)

    @property
    def is_relative(self) -> bool:
        """It is named relative to the file that names it."""
        return self.stored.startswith("//")


def to_plain(value: SceneSnapshot | Dependency) -> dict[str, Any]:
    """Return a form that JSON can carry."""
    return dataclasses.asdict(value)


def snapshot_from_plain(plain: Mapping[str, Any]) -> SceneSnapshot:
    """Return the snapshot that :func:`to_plain` gave; JSON has turned its tuples into lists."""
    fields = dict(plain)
    for name, value in plain.items():
        if isinstance(value, list):
            fields[name] = tuple(value)
    fields["markers"] = tuple(Marker(**marker) for marker in fields["markers"])
    fields["border"] = Border(**fields["border"]) if fields["border"] else None
    return SceneSnapshot(**fields)


def dependency_from_plain(plain: Mapping[str, Any]) -> Dependency:
    """Return the dependency that :func:`to_plain` gave."""
    return Dependency(**{**plain, "files": tuple(plain["files"]), "missing": tuple(plain["missing"])})
