"""Small pictures of the jobs' latest frames, as Blender's interface shows them."""

from collections.abc import Mapping

import bpy
import bpy.utils.previews

#: By path; one file for each picture, so that a new one has a new path.
_pictures: "bpy.utils.previews.ImagePreviewCollection | None" = None
_paths: dict[int, str] = {}


def start() -> None:
    """Begin, with no picture."""
    global _pictures  # noqa: PLW0603 - as in state.py
    _pictures = bpy.utils.previews.new()


def stop() -> None:
    """Forget all pictures."""
    global _pictures  # noqa: PLW0603 - as in state.py
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
    _pictures = None
    _paths.clear()


def show(paths: Mapping[int, str]) -> None:
    """Have these pictures, by job, at hand; Blender reads the files when it first draws them."""
    if _pictures is None or paths == _paths:
        return
    for path in set(paths.values()) - set(_pictures):
        _pictures.load(path, path, "IMAGE")
    for path in set(_pictures) - set(paths.values()):
        del _pictures[path]
    _paths.clear()
    _paths.update(paths)


def icon_of(job_id: int) -> int:
    """Return the icon of a job's picture; 0: there is none."""
    path = _paths.get(job_id)
    if path is None or _pictures is None or path not in _pictures:
        return 0
    return int(_pictures[path].icon_id)
