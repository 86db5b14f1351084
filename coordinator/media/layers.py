"""What is in a picture's file, by its header: passes and layers of an OpenEXR, the channels of any other.

Functions block.
"""

from dataclasses import dataclass
from pathlib import Path

import OpenEXR
from PIL import Image

from coordinator.protocol.pictures import BadPicture


@dataclass(frozen=True)
class Layer:
    """Channels that belong together."""

    name: str
    channels: tuple[str, ...]
    bits: int | None = None
    """Of each value; the header of an OpenEXR is not asked for that."""


@dataclass(frozen=True)
class Contents:
    """What a file has."""

    width: int
    height: int
    compression: str | None
    layers: tuple[Layer, ...]


_COLOURS = "RGBAXYZUV"
_BANDS = {"1": "BW", "L": "V", "P": "RGB", "I;16": "V", "I;16B": "V", "I": "V"}


def read_contents(path: Path, *, exr: bool) -> Contents:
    """Return what is in the file ``path``.

    Raises:
        BadPicture: it cannot be read.
    """
    try:
        return _exr(path) if exr else _other(path)
    except Exception as error:
        raise BadPicture(f"The file's header cannot be read ({error}).") from error


def _exr(path: Path) -> Contents:
    grouped: dict[str, set[str]] = {}
    with OpenEXR.File(str(path), header_only=True) as file:
        for number, part in enumerate(file.parts):
            # Each header of a file without pixels can be looked at once.
            header = part.header
            if number == 0:
                (left, top), (right, bottom) = header["displayWindow"]
                compression = str(header.get("compression", "")).rpartition(".")[2].partition("_COMPRESSION")[0] or None
            for channel in header["channels"]:
                # "ViewLayer.Diffuse Direct.R": the last part is the channel, what is before it the pass.
                layer, _, letter = channel.name.rpartition(".")
                prefix = header.get("name", "") if len(file.parts) > 1 else ""
                # Blender 5 writes each pass as a part, and names it in the part's channels once more.
                names = [layer] if layer.startswith(prefix) else [prefix, layer]
                name = ".".join(it for it in names if it) or "Combined"
                grouped.setdefault(name, set()).add(letter)
    width, height = int(right) - int(left) + 1, int(bottom) - int(top) + 1
    layers = tuple(Layer(name, tuple(sorted(channels, key=_place))) for name, channels in grouped.items())
    return Contents(width, height, compression, layers)


def _place(letter: str) -> tuple[int, str]:
    place = _COLOURS.find(letter)
    return (place if place >= 0 else len(_COLOURS), letter)


def _other(path: Path) -> Contents:
    with Image.open(path, formats=["PNG", "JPEG"]) as image:
        bands = tuple(_BANDS[image.mode]) if image.mode in _BANDS else image.getbands()
        bits = 8
        if image.format == "PNG":
            with path.open("rb") as file:
                bits = file.read(25)[24]
        return Contents(image.width, image.height, None, (Layer("Combined", bands, bits),))
