"""Passes of an OpenEXR are shown so that people can tell them apart."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from coordinator.media.layers import read_contents
from coordinator.media.passes import NoSuchPass, Passes
from coordinator.protocol.pictures import BadPicture

WIDTH, HEIGHT = 64, 36

Channels = dict[str, np.ndarray[Any, Any]]


def flat(letters: str, *values: float, kind: type = np.float32) -> Channels:
    """Return channels of one value each."""
    return {letter: np.full((HEIGHT, WIDTH), value, kind) for letter, value in zip(letters, values, strict=True)}


def depth() -> Channels:
    """Return a depth with something near on the left, something far in the middle, and nothing on the right."""
    channels = flat("Z", 1e10)
    channels["Z"][:, :20], channels["Z"][:, 20:40] = 2.0, 50.0
    return channels


LAYERS = {
    "Room.Combined": flat("RGBA", 0.5, 0.25, 0.0, 1.0, kind=np.float16),
    "Room.Depth": depth(),
    "Room.Normal": flat("XYZ", 0.0, 0.0, 1.0),
    "Room.Vector": flat("XYZW", 20.0, -20.0, 0.0, 0.0),
    "Room.UV": flat("UVA", 1.0, 0.5, 1.0),
    "Room.Mist": flat("Z", 0.5),
    "Room.Glare": flat("RGB", 900.0, np.nan, 0.0),
    "Room.CryptoObject00": flat("RGBA", 1.5e-12, 1.0, 0.0, 0.0),
}


def named(layers: dict[str, Channels]) -> Channels:
    """Return the channels of layers, with the names that they have in a file."""
    return {f"{name}.{letter}": pixels for name, channels in layers.items() for letter, pixels in channels.items()}


@pytest.fixture
def exr(tmp_path: Path) -> Path:
    """Return a file with passes as Blender writes them."""
    path = tmp_path / "0001.exr"
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, named(LAYERS)).write(str(path))
    return path


async def colour(path: Path, name: str, x: int = 10) -> tuple[int, ...]:
    """Return a pixel of the picture of a pass."""
    passes = Passes()
    try:
        with Image.open(io.BytesIO(await passes.get(path, name))) as picture:
            assert picture.size == (WIDTH, HEIGHT)
            pixel = picture.getpixel((x, 10))
            assert isinstance(pixel, tuple)
            return pixel
    finally:
        await passes.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Room.Combined", (188, 137, 0)),
        ("Room.Normal", (128, 128, 255)),
        ("Room.Vector", (255, 0, 128)),
        ("Room.UV", (255, 128, 0)),
        ("Room.Glare", (255, 0, 0)),
    ],
)
async def test_what_a_pass_looks_like(exr: Path, name: str, expected: tuple[int, ...]) -> None:
    assert await colour(exr, name) == pytest.approx(expected, abs=3)


async def test_near_is_bright_far_is_dark_and_nothing_is_black(exr: Path) -> None:
    near, far, nothing = [(await colour(exr, "Room.Depth", x))[0] for x in (10, 30, 60)]
    assert near > 250
    assert 15 < far < 40
    assert nothing < 3


async def test_names_of_objects_have_colours(exr: Path) -> None:
    assert max(await colour(exr, "Room.CryptoObject00")) > 60


async def test_every_layer_of_the_list_has_a_picture(exr: Path) -> None:
    names = [layer.name for layer in read_contents(exr, exr=True).layers]
    assert sorted(names) == sorted(LAYERS)
    for name in names:
        assert len(await colour(exr, name)) == 3
    with pytest.raises(NoSuchPass):
        await colour(exr, "Attic.Combined")


async def test_a_file_of_several_parts(tmp_path: Path) -> None:
    path = tmp_path / "parts.exr"
    parts = [
        OpenEXR.Part({"name": "Room.Combined"}, flat("RGB", 0.0, 1.0, 0.0)),
        OpenEXR.Part({"name": "Room.Depth"}, named({"Room.Depth": depth()})),
    ]
    OpenEXR.File(parts).write(str(path))
    assert [layer.name for layer in read_contents(path, exr=True).layers] == ["Room.Combined", "Room.Depth"]
    assert await colour(path, "Room.Combined") == pytest.approx((0, 255, 0), abs=3)
    assert (await colour(path, "Room.Depth"))[0] > 250


async def test_a_damaged_file_is_said_to_be_one(exr: Path) -> None:
    os.truncate(exr, 200)
    with pytest.raises((BadPicture, NoSuchPass)):
        await colour(exr, "Room.Combined")
