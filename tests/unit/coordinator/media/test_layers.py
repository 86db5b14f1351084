"""The passes of an OpenEXR, by its header."""

from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from coordinator.media.layers import Layer, read_contents


@pytest.mark.parametrize("twice", [True, False], ids=["named once more in its channels", "named by the part alone"])
def test_each_part_of_a_file_is_a_pass(tmp_path: Path, twice: bool) -> None:
    """Blender 5 writes each pass as a part of its own."""
    pixels, parts = np.zeros((9, 16), np.float16), []
    for name, letters in (("Left.Combined", "RGBA"), ("Left.Normal", "XYZ")):
        channels = {f"{name}.{letter}" if twice else letter: pixels for letter in letters}
        parts.append(OpenEXR.Part({"type": OpenEXR.scanlineimage}, channels, name))
    OpenEXR.File(parts).write(str(tmp_path / "parts.exr"))
    contents = read_contents(tmp_path / "parts.exr", exr=True)
    assert (contents.width, contents.height) == (16, 9)
    assert contents.layers == (Layer("Left.Combined", tuple("RGBA")), Layer("Left.Normal", tuple("XYZ")))
