"""What is in a frame's file, for both ends: decoded to its last pixel, or why it is none, in a sentence.

Blender reports "Saved" and success for files that a full disk cut short, so no frame counts before all of its pixels
were decoded: by the agent before they travel, and again where they arrive.  Functions block.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import OpenEXR
from PIL import Image, UnidentifiedImageError

from coordinator.protocol.messages import ColorMode, ImageFormat
from coordinator.protocol.previews import is_small, small_jpeg

Blankness = Literal["black", "transparent", "nan"]
"""How there can be nothing to be seen in a picture."""

#: A picture with more pixels is refused before it is decoded (16384 squared; 3 GB as four 32-bit channels).
MAX_PIXELS = 16_384 * 16_384

#: The brightest that counts as black, of 255: Blender's dithering lifts black pixels by one (docs/FACTS.md).
BLACK = 1
#: The same as linear light, by the straight part of the sRGB curve: the denoiser leaves as much in an OpenEXR.
BLACK_LIGHT = BLACK / 255 / 12.92

# Pillow's own limit is a warning and lower than what people render; ours is checked before any decoding.
Image.MAX_IMAGE_PIXELS = None

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
#: The colour type in a PNG's IHDR part; two more are not what Blender writes.
_PNG_MODES = {0: ColorMode.BW, 2: ColorMode.RGB, 6: ColorMode.RGBA}
_JPEG_MODES = {"L": ColorMode.BW, "RGB": ColorMode.RGB}
_EXR_MODES = [
    ({"R", "G", "B", "A"}, ColorMode.RGBA),
    ({"R", "G", "B"}, ColorMode.RGB),
    ({"V"}, ColorMode.BW),
    ({"Y"}, ColorMode.BW),
]
#: Channels of an OpenEXR that hold light.
_LIGHT = frozenset("RGBYV")
#: Where this grid of pixels shows something, the picture is not blank, and no more of it is looked at.
_SAMPLE = (64, 64)


class BadPicture(ValueError):
    """The file is not the picture it should be; the text is a sentence for people."""


@dataclass(frozen=True)
class Wanted:
    """What a file must be; None stands for anything."""

    kind: ImageFormat
    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    color_mode: ColorMode | None = None
    color_depth: int | None = None
    """Bits per channel."""


@dataclass(frozen=True)
class Picture:
    """What was found in a file that decodes."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    color_mode: ColorMode | None
    """None: one that Blender does not write."""
    color_depth: int
    """Bits per channel."""
    alpha: bool
    """There is an alpha channel."""
    blank: Blankness | None = None
    nan_pixels: int = 0
    """How many of its pixels are no numbers."""

    @property
    def deep(self) -> bool:
        """More than 8 bits per channel."""
        return self.color_depth > 8


def read_picture(path: Path, wanted: Wanted, preview: Path | None = None) -> Picture:
    """Decode the file ``path`` to its last pixel.

    Args:
        path: the file.
        wanted: what it must be.
        preview: where a preview is written, while the picture is decoded, if it is a PNG or JPEG larger than one.

    Raises:
        BadPicture: it is of another format, size or kind of pixels, is empty or truncated.
    """
    if path.stat().st_size == 0:
        raise BadPicture("The file is empty; the disk it was written to may be full.")
    if wanted.kind.is_exr:
        picture = _read_exr(path, wanted.size)
    else:
        picture = _read_with_pillow(path, wanted.kind, wanted.size, preview)
    if wanted.kind is ImageFormat.OPEN_EXR_MULTILAYER:
        return picture  # every pass has channels of its own
    if wanted.color_mode not in (None, picture.color_mode):
        found = "other" if picture.color_mode is None else picture.color_mode.value
        raise BadPicture(f"The picture has {found} channels, but the job's frames are {wanted.color_mode}.")
    if wanted.color_depth not in (None, picture.color_depth):
        raise BadPicture(
            f"The picture has {picture.color_depth} bits per channel, but the job's frames have {wanted.color_depth}."
        )
    return picture


def _read_with_pillow(path: Path, kind: ImageFormat, size: tuple[int, int] | None, preview: Path | None) -> Picture:
    try:
        with Image.open(path, formats=[kind.value]) as image:
            _check_size((image.width, image.height), size)
            # verify() checks the checksums of a PNG's parts, load() decodes; the one spoils the object for the other.
            image.verify()
        with Image.open(path, formats=[kind.value]) as image:
            image.load()
            depth, color_mode = _png_pixels(path) if kind is ImageFormat.PNG else (8, _JPEG_MODES.get(image.mode))
            picture = Picture(
                width=image.width,
                height=image.height,
                color_mode=color_mode,
                color_depth=depth,
                alpha=image.has_transparency_data,
                blank=_blankness(image),
            )
            small = None if preview is None or is_small(*image.size) else small_jpeg(image)
    except UnidentifiedImageError:
        raise BadPicture(f"The file is not a {kind.value} picture.") from None
    except BadPicture:
        raise
    except Exception as error:
        # Whatever a damaged file makes the decoder stumble over.
        raise BadPicture(
            f"The {kind.value} file is truncated or damaged ({error}); the disk it was written to may be full."
        ) from error
    if kind is ImageFormat.PNG and not _ends_with(path, _PNG_END):
        raise BadPicture("The PNG file is truncated: its end is missing; the disk it was written to may be full.")
    if preview is not None and small is not None:
        preview.write_bytes(small)
    return picture


def _blankness(image: Image.Image) -> Blankness | None:
    sample = image.resize(_SAMPLE, Image.Resampling.NEAREST)
    return None if _blankness_of_all(sample) is None else _blankness_of_all(image)


def _blankness_of_all(image: Image.Image) -> Blankness | None:
    bands = dict(zip(image.getbands(), np.reshape(image.getextrema(), (-1, 2)).tolist(), strict=True))
    alpha = bands.pop("A", None)
    # Alpha is straight in these files: where it is 0, no colour is to be seen.
    if alpha is not None and alpha[1] == 0:
        return "transparent"
    limit = BLACK * 257 if image.mode.startswith("I") else BLACK
    if max(brightest for _, brightest in bands.values()) > limit:
        return None
    # All black where alpha varies is a shadow, or a silhouette.
    return "black" if alpha is None or alpha[0] == alpha[1] else None


def _read_exr(path: Path, size: tuple[int, int] | None) -> Picture:
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            # Leaving the block empties the header.
            display, stored = (_extent(file.header()[name]) for name in ("displayWindow", "dataWindow"))
    except Exception as error:
        raise BadPicture("The file is not an OpenEXR picture, or its header is damaged.") from error
    _check_size(display, size)
    _check_size(stored, None)
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: channel.pixels for part in file.parts for name, channel in part.channels.items()}
            blank, nan_pixels = _light_of(channels)
    except Exception as error:
        raise BadPicture(f"The OpenEXR file is truncated or damaged ({error}).") from error
    if not channels:
        # The library prints what it stumbled over and hands out a file without parts.
        raise BadPicture("The OpenEXR file is truncated or damaged; the disk it was written to may be full.")
    names = {name.rpartition(".")[2] for name in channels}
    return Picture(
        width=display[0],
        height=display[1],
        color_mode=next((mode for wanted, mode in _EXR_MODES if names == wanted), None),
        color_depth=max(pixels.dtype.itemsize * 8 for pixels in channels.values()),
        alpha="A" in names,
        blank=blank,
        nan_pixels=nan_pixels,
    )


def _light_of(channels: dict[str, np.ndarray[Any, Any]]) -> tuple[Blankness | None, int]:
    """Return how a picture is blank, and how many of its pixels are no numbers.

    Of several passes, the one that people look at tells.
    """
    channels = {name: values for name, values in channels.items() if ".Combined." in name} or channels
    pixels = [values for name, values in channels.items() if name.rpartition(".")[2] in _LIGHT]
    light = [_Light.of(values) for values in pixels or channels.values() if values.dtype.kind == "f"]
    masks = [it.nan for it in light if it.nan is not None]
    # Channels that are stored smaller than others cannot be laid over them.
    masks = [mask for mask in masks if mask.shape == masks[0].shape]
    nan_pixels = int(np.count_nonzero(np.logical_or.reduce(masks))) if masks else 0
    if light and not any(it.numbers for it in light):
        return "nan", nan_pixels
    if not light or not all(it.black for it in light):
        return None, nan_pixels
    alphas = [values for name, values in channels.items() if name.rpartition(".")[2] == "A"]
    # Alpha is associated here: light without any of it, as of a flame, is to be seen.
    if alphas and not any(alpha.any() for alpha in alphas):
        return "transparent", nan_pixels
    # All black where alpha varies is a shadow, or a silhouette.
    return ("black" if all(alpha.min() == alpha.max() for alpha in alphas) else None), nan_pixels


@dataclass(frozen=True)
class _Light:
    """What a channel's floats are."""

    black: bool
    numbers: bool
    """Some of them are finite."""
    nan: np.ndarray[Any, Any] | None
    """Where they are no numbers, if they are so anywhere."""

    @classmethod
    def of(cls, pixels: np.ndarray[Any, Any]) -> "_Light":
        """Look at every value.

        Without their sign, the bits of floats sort as their magnitudes do, infinity after all numbers and NaN last
        (IEEE 754): as whole numbers, half floats are compared many times faster.
        """
        whole = np.dtype(f"u{pixels.dtype.itemsize}")
        bits = np.bitwise_and(pixels.view(whole), np.iinfo(whole).max >> 1)
        most, least = int(bits.max()), int(bits.min())
        black, infinity = (int(np.array(value, pixels.dtype).view(whole)) for value in (BLACK_LIGHT, np.inf))
        return cls(black=most <= black, numbers=least < infinity, nan=bits > infinity if most > infinity else None)


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


def _png_pixels(path: Path) -> tuple[int, ColorMode | None]:
    """Return bits per channel and channels, the bytes 24 and 25 of a PNG; Pillow tells what it makes of them."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[24], _PNG_MODES.get(head[25])


def _ends_with(path: Path, ending: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(-len(ending), 2)
        return file.read() == ending
