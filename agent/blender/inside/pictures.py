"""Files of a frame: the format Blender writes, and the pictures for people beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import bpy

from agent.blender.inside.errors import CommandError
from agent.blender.inside.overrides import Overrides

EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "OPEN_EXR": "exr", "OPEN_EXR_MULTILAYER": "exr"}

PREVIEW_QUALITY = 90

#: Setting one of these changes those after it, so they are saved and put back in this order.
_FORMAT_FIELDS = ("media_type", "file_format", "color_mode", "color_depth", "quality", "compression", "exr_codec")


def use_format(settings: Any, wanted: str, overrides: Overrides) -> None:
    """Have the scene write ``wanted``; a scene that does already keeps every one of its own format settings.

    Blender keeps depth and colour mode where the new format knows them, and takes its nearest ones otherwise.
    """
    if settings.file_format == wanted:
        return
    before = _read(settings)
    _set_file_format(settings, wanted)
    overrides.add(partial(_write, settings, before))


def render_path(path: str) -> str:
    """Return ``path`` as ``render.filepath`` must say it: from Blender 4.5 ``{`` begins a template."""
    return path.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (4, 5) else path


def save_preview(scene: Any, frame: str, path: str) -> None:
    """Write the finished frame, whose file is ``frame``, as a JPEG, through the scene's view transform.

    Raises:
        CommandError: Blender could not write it.
    """
    settings = scene.render.image_settings
    # JPEG has no transparency; black and white stays what it is.
    colour = "BW" if settings.color_mode == "BW" else "RGB"
    with _format(settings, "JPEG", color_mode=colour, quality=PREVIEW_QUALITY):
        _save(scene, frame, path)


def save_display(scene: Any, frame: str, path: str) -> None:
    """Write the finished ``frame`` as an 8-bit PNG, through the scene's view transform, with alpha if the scene has it.

    Raises:
        CommandError: Blender could not write it.
    """
    settings = scene.render.image_settings
    with _format(settings, "PNG", color_mode=settings.color_mode, color_depth="8"):
        _save(scene, frame, path)


@contextmanager
def _format(settings: Any, wanted: str, **fields: Any) -> Iterator[None]:
    before = _read(settings)
    try:
        _set_file_format(settings, wanted)
        for name, value in fields.items():
            setattr(settings, name, value)
        yield
    finally:
        _write(settings, before)


def _save(scene: Any, frame: str, path: str) -> None:
    with _finished(scene, frame) as picture:
        try:
            picture.save_render(path, scene=scene)
        except RuntimeError as error:
            raise CommandError("not_written", f"Blender could not write the frame's preview: {error}") from error
    if not Path(path).is_file():
        raise CommandError("not_written", "Blender reported success but wrote no preview of the frame.")


@contextmanager
def _finished(scene: Any, frame: str) -> Iterator[Any]:
    """Give out Blender's image of the frame that was rendered last."""
    if scene.render.use_multiview:
        # Blender cannot save its own result of two eyes as one picture; the frame's file has both.
        picture = bpy.data.images.load(frame)
        try:
            yield picture
        finally:
            bpy.data.images.remove(picture)
        return
    # The render result is unique, but a user's image may have taken its name.
    result = next((image for image in bpy.data.images if image.type == "RENDER_RESULT" and image.library is None), None)
    if result is None:
        raise CommandError("not_written", "Blender kept no picture of the frame, so no preview could be made.")
    yield result


def _set_file_format(settings: Any, wanted: str) -> None:
    if hasattr(settings, "media_type"):  # Blender 5.0: the formats on offer depend on it
        settings.media_type = "MULTI_LAYER_IMAGE" if wanted == "OPEN_EXR_MULTILAYER" else "IMAGE"
    settings.file_format = wanted


def _read(settings: Any) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in _FORMAT_FIELDS if hasattr(settings, name)}


def _write(settings: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if getattr(settings, name) != value:
            setattr(settings, name, value)
