"""Scenes of several views (stereoscopy), a file for each: the first one is the frame, the others come beside it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.blender.inside.errors import CommandError

#: Below the folder of what the scene itself writes beside a frame.
_FOLDER = "views"


def check_views(render: Any) -> None:
    """Raise CommandError for a scene with several pictures in one file, or files in places of their own."""
    if not render.use_multiview:
        return
    if render.image_settings.views_format == "MULTIVIEW":
        raise CommandError(
            "unsupported",
            "The scene is stereoscopic and writes all of its views as layers of one file; set Output > Views > Views "
            "Format to Individual or Stereo 3D, or turn Stereoscopy off.",
        )
    for suffix in _suffixes(render):
        if not re.fullmatch(r"[\w.-]*", suffix):
            raise CommandError(
                "unsupported",
                f"The scene is stereoscopic, and “{suffix}” cannot be the end of a view's file name; take letters, "
                "digits, dots, hyphens and underscores (Output > Stereoscopy).",
            )


def forget_views(render: Any, output: str) -> None:
    """Remove what an earlier frame may have left where this one's files will be."""
    for path in (Path(output), *(path for _, path in _files(render, output))):
        path.unlink(missing_ok=True)


def lay_beside(render: Any, output: str, frame: int, extras: str | None) -> None:
    """Make the first view's file the frame's; move those of the others below ``extras``, or remove them without it."""
    frame_file = Path(output)
    for suffix, path in _files(render, output):
        if not path.is_file():
            continue
        if not frame_file.is_file():
            path.replace(frame_file)
        elif extras is None:
            path.unlink()
        else:
            folder = Path(extras) / _FOLDER
            folder.mkdir(parents=True, exist_ok=True)
            path.replace(folder / f"{frame:04}{suffix}{path.suffix}")


def _files(render: Any, output: str) -> Iterator[tuple[str, Path]]:
    """Yield what Blender adds to the name of each view's file, and that file; none where it writes one for them all."""
    if render.use_multiview and render.image_settings.views_format == "INDIVIDUAL":
        path = Path(output)
        yield from ((suffix, path.with_stem(path.stem + suffix)) for suffix in _suffixes(render) if suffix)


def _suffixes(render: Any) -> list[str]:
    """Return what Blender adds to the names of the views' files, in the order of the views."""
    stereo = render.views_format == "STEREO_3D"
    views = [view for view in render.views if view.use and (not stereo or view.name in ("left", "right"))]
    return [view.file_suffix for view in views]
