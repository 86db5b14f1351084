"""What is in a picture's file, by its header: passes and layers of an OpenEXR, the channels of any other.

Functions block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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


#: What channels without any name before their letter are.
COMBINED = "Combined"

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


@dataclass(frozen=True)
class Group:
    """Channels of an OpenEXR that belong together, by where they are."""

    name: str
    channels: dict[str, tuple[int, str]]
    """By their letters: the number of the file's part, and the channel's own name."""


def group_channels(parts: Sequence[Any]) -> list[Group]:
    """Return the passes and layers of an OpenEXR by its parts, whose pixels need not have been read.

    "ViewLayer.Diffuse Direct.R": the last part is the channel, what is before it the pass.  A file of several parts
    has a pass in each, as Blender 5 writes it, whose name is that of the part and mostly of its channels once more.
    """
    groups: dict[str, dict[str, tuple[int, str]]] = {}
    for number, part in enumerate(parts):
        # Each header of a file without pixels can be looked at once.
        header = part.header
        in_part = header.get("name", "") if len(parts) > 1 else ""
        for channel in header["channels"]:
            layer, _, letter = channel.name.rpartition(".")
            name = layer if layer.startswith(in_part) else ".".join(filter(None, (in_part, layer)))
            groups.setdefault(name or COMBINED, {})[letter] = (number, channel.name)
    return [Group(name, channels) for name, channels in groups.items()]


def _exr(path: Path) -> Contents:
    with OpenEXR.File(str(path), header_only=True) as file:
        # Leaving the block empties the headers.
        parts = [_Part(dict(part.header)) for part in file.parts]
    (left, top), (right, bottom) = parts[0].header["displayWindow"]
    compression = str(parts[0].header.get("compression", "")).rpartition(".")[2].partition("_COMPRESSION")[0] or None
    width, height = int(right) - int(left) + 1, int(bottom) - int(top) + 1
    layers = tuple(Layer(it.name, tuple(sorted(it.channels, key=_place))) for it in group_channels(parts))
    return Contents(width, height, compression, layers)


class _Part(NamedTuple):
    """A part of which the header was read."""

    header: Any


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
