"""Pictures compared as they are stored, to the last bit."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR


def exr_channels(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return an EXR's pixels by channel, in the depth they are stored in."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: np.array(channel.pixels) for name, channel in file.channels().items()}


def assert_same_pixels(ours: Path, theirs: Path) -> None:
    if ours.suffix == ".exr":
        mine, plain = exr_channels(ours), exr_channels(theirs)
        assert mine.keys() == plain.keys()
        for name, pixels in plain.items():
            assert mine[name].dtype == pixels.dtype
            assert mine[name].tobytes() == pixels.tobytes()
        return
    # Everything but the notes that Cycles leaves in a file, such as how long it took.
    assert picture_data(ours) == picture_data(theirs)


def picture_data(path: Path) -> list[bytes]:
    """Return the parts of a PNG or JPEG that make its picture, as they are stored: 16 bits and all."""
    data = path.read_bytes()
    if path.suffix == ".png":
        parts, place = [], 8
        while place < len(data):
            (length,) = struct.unpack(">I", data[place : place + 4])
            if data[place + 4 : place + 8] in (b"IHDR", b"IDAT", b"PLTE"):
                parts.append(data[place + 8 : place + 8 + length])
            place += length + 12
        return parts
    parts, place = [], 2
    while data[place : place + 2] != b"\xff\xda":  # from the start of the scan on it is all picture
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        if data[place + 1] != 0xFE:  # a comment
            parts.append(data[place : place + 2 + length])
        place += length + 2
    return [*parts, data[place:]]
