"""A pass of an OpenEXR as a picture for people: how its light, directions, depths or names are best told apart.

What a scene's view transform makes of a pass nobody needs to know here: light is shown by the plain sRGB curve, values
between their least and their most.
"""

import asyncio
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from PIL import Image

from coordinator.media.layers import group_channels
from coordinator.protocol.pictures import BadPicture

Pixels = np.ndarray[Any, np.dtype[np.float32]]

#: Blender's depth of what there is nothing at; anything so far is no part of the scene.
FAR = 1e9

QUALITY = 92
#: The longer side at most, in pixels.
MAX_SIDE = 4096


class NoSuchPass(Exception):
    """The file has no pass of that name."""


class Passes:
    """Makes pictures of passes, one after the other: such a file may take a gigabyte of memory to be read."""

    def __init__(self) -> None:
        """Begin a thread."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="passes")

    async def get(self, path: Path, name: str) -> bytes:
        """Return a JPEG of a pass of the file ``path``.

        Raises:
            NoSuchPass: there is none.
            BadPicture: the file cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, _picture, path, name)

    async def close(self) -> None:
        """Wait for what is being made, and free the thread."""
        await asyncio.to_thread(self._pool.shutdown, wait=True)


def _picture(path: Path, name: str) -> bytes:
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            wanted = [it for it in group_channels(file.parts) if it.name == name]
            channels = {
                letter: np.array(file.parts[part].channels[channel].pixels, np.float32)
                for it in wanted
                for letter, (part, channel) in it.channels.items()
            }
    except Exception as error:
        raise BadPicture(f"The file cannot be read ({error}).") from error
    if not channels:
        raise NoSuchPass(name)
    # Above the part of light that a screen shows is white, and what is no number is black.
    shown = np.nan_to_num(as_colours(name, channels), nan=0.0, posinf=1.0, neginf=0.0).clip(0.0, 1.0)
    image = Image.fromarray((shown * 255.0 + 0.5).astype(np.uint8))
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY, subsampling=0)
    return content.getvalue()


def as_colours(name: str, channels: Mapping[str, Pixels]) -> Pixels:
    """Return what shows a pass: rows × columns × three values, of 0 to 1 where it is not too bright for a screen.

    Args:
        name: of the pass, as Blender calls it.
        channels: its channels by their letters, each rows × columns.
    """
    letters = channels.keys()
    if "crypto" in name.lower() and letters >= set("RGBA"):
        return _names([channels[letter] for letter in "RGBA"])
    if letters >= set("RGB"):
        return _light(np.stack([channels[letter] for letter in "RGB"], -1))
    if letters >= set("XYZ"):
        return _directions(np.stack([channels[letter] for letter in "XYZ"], -1))
    if letters >= set("UV"):
        return np.stack([channels["U"], channels["V"], np.zeros_like(channels["U"])], -1)
    letter = next(iter(letters))
    grey = _between(channels[letter], near_is_bright=name.endswith("Depth"))
    return np.stack([grey] * 3, -1)


def _light(linear: Pixels) -> Pixels:
    """Return linear light as sRGB has it (IEC 61966-2-1)."""
    low = linear.clip(0.0, 1.0)
    shown: Pixels = np.where(low <= 0.0031308, low * 12.92, 1.055 * low ** (1 / 2.4) - 0.055)
    return shown


def _directions(vectors: Pixels) -> Pixels:
    """Return vectors as colours, the middle of each being none: unit vectors as they are, others by their longest."""
    finite = np.abs(vectors[np.isfinite(vectors) & (np.abs(vectors) < FAR)])
    longest = float(finite.max()) if finite.size else 1.0
    shown: Pixels = vectors / (2.0 * (longest if longest > 1.01 else 1.0)) + 0.5
    return shown


def _between(values: Pixels, *, near_is_bright: bool) -> Pixels:
    """Return values between their least and their most; what is endlessly far is black."""
    here = np.isfinite(values) & (np.abs(values) < FAR)
    if not here.any():
        return np.zeros_like(values)
    least, most = float(values[here].min()), float(values[here].max())
    # What is of 0 to 1 by its nature, a mist or a mask, is shown as it is.
    if least >= 0.0 and most <= 1.0 and not near_is_bright:
        least, most = 0.0, 1.0
    share: Pixels = (values - least) / (most - least if most > least else 1.0)
    # Not down to black: the farthest thing is still one.
    shown: Pixels = np.where(here, 1.0 - 0.9 * share if near_is_bright else share, 0.0)
    return shown


def _names(ranked: Sequence[Pixels]) -> Pixels:
    """Return Cryptomatte's names as colours that differ, each as strong as what it covers: two in four channels."""
    colours = np.zeros((*ranked[0].shape, 3), np.float32)
    for name, cover in (ranked[:2], ranked[2:]):
        bits = name.view(np.uint32)
        parts = [(bits * np.uint32(factor)) >> np.uint32(24) for factor in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)]
        colours += np.stack(parts, -1).astype(np.float32) / 255.0 * cover[..., None]
    return colours
