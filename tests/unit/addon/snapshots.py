"""A plain scene to start from."""

import dataclasses
from typing import Any

from addon.snapshot import Dependency, SceneSnapshot

PLAIN = SceneSnapshot(
    blend_path="/proj/shot.blend",
    is_dirty=False,
    file_version=(4, 2),
    blender_version=(4, 5),
    scene="Scene",
    scenes=("Scene",),
    camera="Camera",
    cameras=("Camera",),
    markers=(),
    frame_start=1,
    frame_end=24,
    frame_step=1,
    frame_current=1,
    fps=24,
    fps_base=1.0,
    engine="CYCLES",
    samples=64,
    resolution=(1920, 1080),
    percentage=100,
    border=None,
    multiview=False,
    file_format="PNG",
    color_mode="RGBA",
    color_depth="8",
    codec=None,
    is_movie_format=False,
    has_sound=False,
    uses_sequencer=False,
    has_compositor_file_outputs=False,
)


def scene(**changes: Any) -> SceneSnapshot:
    """Return a plain scene with these changes."""
    return dataclasses.replace(PLAIN, **changes)


def texture(stored: str, *files: str, **changes: Any) -> Dependency:
    """Return a reference to an image."""
    path = files[0] if files else f"/nowhere/{stored.lstrip('/')}"
    fields: dict[str, Any] = {"kind": "image", "user": "wood", "stored": stored, "path": path, "files": files}
    # A path that leads to nothing is missing, unless the test says why.
    fields["missing"] = () if files or changes.keys() & {"refused", "unbaked"} else (path,)
    return Dependency(**{**fields, **changes})
