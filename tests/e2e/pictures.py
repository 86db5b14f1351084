"""Reading pictures exactly, to the last bit of each channel."""

import struct
import zlib
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image


def _png_pixels(path: Path) -> tuple[bytes, bytes]:
    """Return a PNG's header and its unpacked scan lines.

    Pillow reads 16-bit colour as 8-bit, so the scan lines themselves are compared: one encoder with one setting writes
    equal pixels as equal lines, and lines that are equal under an equal header are equal pixels.
    """
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n"), path
    header, packed, at = b"", b"", 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            packed += body
        at += length + 12
    return header, zlib.decompress(packed)


def assert_same_pixels(ours: Path, oracle: Path) -> None:
    """Fail unless both files hold the same picture, bit by bit, in the same format, depth and channels."""
    assert ours.suffix == oracle.suffix
    match ours.suffix:
        case ".png":
            assert _png_pixels(ours) == _png_pixels(oracle), f"{ours} differs from {oracle}"
        case ".jpg":
            with Image.open(ours) as left, Image.open(oracle) as right:
                assert left.mode == right.mode
                assert left.tobytes() == right.tobytes(), f"{ours} differs from {oracle}"
        case ".exr":
            left, right = OpenEXR.File(str(ours)).channels(), OpenEXR.File(str(oracle)).channels()
            assert left.keys() == right.keys()
            for name in left:
                assert left[name].pixels.dtype == right[name].pixels.dtype, name
                np.testing.assert_array_equal(left[name].pixels, right[name].pixels, err_msg=name)
        case _:
            raise AssertionError(f"no way to read {ours}")
