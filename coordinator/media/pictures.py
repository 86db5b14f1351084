"""Decode a picture file completely, or say in a sentence why it is none.

Blender reports "Saved" and success for files that a full disk cut short, so no frame counts before all of its pixels
were decoded here.  Functions block; :mod:`coordinator.media.verify` runs them in threads.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from PIL import Image, UnidentifiedImageError

from coordinator.protocol import ImageFormat

#: A picture with more pixels is refused before it is decoded (16384 squared; 3 GB as four 32-bit channels).
MAX_PIXELS = 16_384 * 16_384

# Pillow's own limit is a warning and lower than what people render; ours is checked before any decoding.
Image.MAX_IMAGE_PIXELS = None

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


class BadPicture(ValueError):
    """The file is not the picture it should be; the text is a sentence for people."""


@dataclass(frozen=True)
class Picture:
    """What was found in a file that decodes."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    alpha: bool
    """There is an alpha channel."""
    deep: bool
    """More than 8 bits per channel."""


def read_picture(path: Path, kind: ImageFormat, size: tuple[int, int] | None = None) -> Picture:
    """Decode the file ``path`` to its last pixel.

    Args:
        path: the file.
        kind: the format it must have.
        size: the width and height it must have in pixels, or None for any.

    Raises:
        BadPicture: it is of another format or size, is empty or truncated, or holds no numbers at all.
    """
    if path.stat().st_size == 0:
        raise BadPicture("The file is empty; the disk it was written to may be full.")
    if kind is ImageFormat.OPEN_EXR:
        return _read_exr(path, size)
    return _read_with_pillow(path, kind, size)


def _read_with_pillow(path: Path, kind: ImageFormat, size: tuple[int, int] | None) -> Picture:
    try:
        with Image.open(path, formats=[kind.value]) as image:
            _check_size((image.width, image.height), size)
            # verify() checks the checksums of a PNG's parts, load() decodes; the one spoils the object for the other.
            image.verify()
        with Image.open(path, formats=[kind.value]) as image:
            image.load()
            picture = Picture(
                width=image.width,
                height=image.height,
                alpha=image.has_transparency_data,
                deep=_png_depth(path) > 8 if kind is ImageFormat.PNG else False,
            )
    except UnidentifiedImageError:
        raise BadPicture(f"The file is not a {kind.value} picture.") from None
    except BadPicture:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        # Pillow raises SyntaxError for broken PNG parts.
        raise BadPicture(
            f"The {kind.value} file is truncated or damaged ({error}); the disk it was written to may be full."
        ) from error
    if kind is ImageFormat.PNG and not _ends_with(path, _PNG_END):
        raise BadPicture("The PNG file is truncated: its end is missing; the disk it was written to may be full.")
    return picture


def _read_exr(path: Path, size: tuple[int, int] | None) -> Picture:
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            # Leaving the block empties the header.
            display, stored = (_extent(file.header()[name]) for name in ("displayWindow", "dataWindow"))
    except (RuntimeError, ValueError, OSError) as error:
        raise BadPicture("The file is not an OpenEXR picture, or its header is damaged.") from error
    _check_size(display, size)
    _check_size(stored, None)
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = [channel for part in file.parts for channel in part.channels.values()]
            names = {name.rpartition(".")[2] for part in file.parts for name in part.channels}
            numbers = any(bool(np.isfinite(channel.pixels).any()) for channel in channels)
    except (RuntimeError, ValueError, OSError) as error:
        raise BadPicture(f"The OpenEXR file is truncated or damaged ({error}).") from error
    if not channels:
        # The library prints what it stumbled over and hands out a file without parts.
        raise BadPicture("The OpenEXR file is truncated or damaged; the disk it was written to may be full.")
    if not numbers:
        raise BadPicture("The OpenEXR file holds not a single valid number; every pixel is NaN or infinite.")
    return Picture(width=display[0], height=display[1], alpha="A" in names, deep=True)


def _check_size(found: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    if min(found) < 1 or found[0] * found[1] > MAX_PIXELS:
        raise BadPicture(f"The picture claims to be {found[0]} × {found[1]} pixels, which cannot be decoded.")
    if wanted is not None and found != wanted:
        raise BadPicture(
            f"The picture is {found[0]} × {found[1]} pixels, but the job's frames are {wanted[0]} × {wanted[1]}."
        )


def _extent(window: Any) -> tuple[int, int]:
    """Return the width and height of an OpenEXR window, whose last column and row are inside."""
    (left, top), (right, bottom) = window
    return int(right) - int(left) + 1, int(bottom) - int(top) + 1


def _png_depth(path: Path) -> int:
    """Return the bits per channel, the ninth byte of the IHDR part; Pillow does not tell."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _ends_with(path: Path, ending: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(-len(ending), 2)
        return file.read() == ending
