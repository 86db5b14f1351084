"""Telling whether two pictures of the same frame show the same."""

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from PIL import Image

from coordinator.protocol import ImageFormat

#: How far a value may be off (of 1, or of the value itself where it is above 1): what graphics cards and the denoiser
#: make of the same work in another order stays far below.
TOLERANCE = 0.02
#: A JPEG rounds in steps, and a value beside the edge of one goes to the next.
JPEG_TOLERANCE = 0.08

#: The share of values that may be off by more: single sparks.
SHARE = 0.001

Pixels = np.ndarray[Any, np.dtype[np.float32]]


def same_picture(one: Path, other: Path, image_format: ImageFormat) -> bool:
    """Tell whether two files show the same but for rounding; both must decode."""
    read = _read_exr if image_format.is_exr else _read_image
    mine, theirs = read(one), read(other)
    if mine.keys() != theirs.keys():
        return False
    tolerance = JPEG_TOLERANCE if image_format is ImageFormat.JPEG else TOLERANCE
    return all(_alike(pixels, theirs[name], tolerance) for name, pixels in mine.items())


def _alike(one: Pixels, other: Pixels, tolerance: float) -> bool:
    if one.shape != other.shape:
        return False
    allowed = tolerance * np.maximum(1.0, np.abs(one))
    with np.errstate(invalid="ignore"):
        off = np.abs(one - other) > allowed
    # Nothing can be told of the difference of what are no numbers, or of infinities.
    off |= np.isfinite(one) != np.isfinite(other)
    return bool(np.count_nonzero(off) <= SHARE * off.size)


def _read_image(path: Path) -> dict[str, Pixels]:
    with Image.open(path) as picture:
        picture.load()
        pixels = np.asarray(picture)
    depth = 65535 if pixels.dtype.itemsize > 1 else 255
    return {"": pixels.astype(np.float32) / np.float32(depth)}


def _read_exr(path: Path) -> dict[str, Pixels]:
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {
            f"{number} {name}": np.array(channel.pixels, np.float32)
            for number, part in enumerate(file.parts)
            for name, channel in part.channels.items()
        }
