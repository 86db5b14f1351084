"""A look at a frame's files before they are handed in: do they decode, are they the right size."""

from pathlib import Path

import OpenEXR
from PIL import Image

from coordinator.protocol import ImageFormat

#: The long side of a preview, in pixels.
PREVIEW_PIXELS = 640

PREVIEW_QUALITY = 82

# Pillow warns of pictures that people do render; these come from a Blender of ours.
Image.MAX_IMAGE_PIXELS = None


class SpoiltFrameError(Exception):
    """The file is no good; the text says why."""


def check_frame(path: Path, image_format: ImageFormat, size: tuple[int, int] | None) -> None:
    """Decode a frame's file whole: Blender reports success for files that a full disk cut short.

    Args:
        path: the file.
        image_format: what it must be.
        size: its width and height in pixels, or None for any.

    Raises:
        SpoiltFrameError: it does not decode, or has another size.
    """
    try:
        found = _exr_size(path) if image_format is ImageFormat.OPEN_EXR else _image_size(path, image_format)
    except SpoiltFrameError:
        raise
    except Exception as error:
        raise SpoiltFrameError(f"The rendered file is damaged ({str(error) or type(error).__name__}).") from error
    if size is not None and found != size:
        raise SpoiltFrameError(
            f"The rendered file is {found[0]}×{found[1]} pixels, but {size[0]}×{size[1]} were to be rendered."
        )


def shrink_preview(path: Path) -> None:
    """Make a JPEG small enough to be shown by the hundred, in place; a smaller one stays as it is.

    Raises:
        SpoiltFrameError: it does not decode.
    """
    try:
        with Image.open(path, formats=["JPEG"]) as picture:
            if max(picture.size) <= PREVIEW_PIXELS:
                picture.load()
                return
            # The decoder halves on the fly, down to the next larger size.
            picture.draft(None, (PREVIEW_PIXELS, PREVIEW_PIXELS))
            picture.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS), Image.Resampling.LANCZOS)
            small = path.with_suffix(".small")
            picture.save(small, "JPEG", quality=PREVIEW_QUALITY)
        small.replace(path)
    except Exception as error:
        raise SpoiltFrameError(f"The frame's preview is damaged ({str(error) or type(error).__name__}).") from error


def _image_size(path: Path, image_format: ImageFormat) -> tuple[int, int]:
    with Image.open(path, formats=[image_format.value]) as picture:
        picture.load()
        return picture.size


def _exr_size(path: Path) -> tuple[int, int]:
    with OpenEXR.File(str(path), separate_channels=True) as file:
        if not file.channels():
            raise SpoiltFrameError("The rendered file has no channels.")
        low, high = file.header()["dataWindow"]
        return int(high[0] - low[0] + 1), int(high[1] - low[1] + 1)
