"""The frame of a job that was finished last, in Blender's image editor, as it arrives.

It is an image of Blender's own that the artist asked for; one that no editor shows any more is not saved.
"""

from collections.abc import Iterator
from pathlib import Path

import bpy

from .job_pictures import LatestFrame

#: What the image is called in Blender.
NAME = "Render Farm"

#: Which picture is shown.
_shown: LatestFrame | None = None


def show(latest: LatestFrame | None) -> None:
    """Show a picture in the editors that show the farm's; does nothing when it is there already."""
    global _shown  # noqa: PLW0603 - as in state.py
    if latest is None or latest == _shown or not Path(latest.path).is_file():
        return
    _shown = latest
    image = bpy.data.images.get(NAME)
    if image is None:
        image = bpy.data.images.load(latest.path)
        image.name = NAME
    else:
        image.filepath = latest.path  # Blender reads it anew
    for editor in _editors():
        if editor.image is None or editor.image == image:
            editor.image = image


def forget() -> None:
    """Stop showing pictures; the last one stays where it is."""
    global _shown  # noqa: PLW0603 - as in state.py
    _shown = None


def words() -> str:
    """Return what the picture is of; empty when none is shown."""
    return "" if _shown is None else f"{_shown.job_name}, frame {_shown.frame}"


def _editors() -> Iterator[bpy.types.SpaceImageEditor]:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                yield area.spaces.active
