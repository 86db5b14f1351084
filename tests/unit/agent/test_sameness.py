"""When two pictures show the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from agent.sameness import same_picture
from coordinator.protocol import ImageFormat

Pixels = np.ndarray[Any, np.dtype[np.float32]]
SIZE = (60, 80, 3)


def picture() -> Pixels:
    """Return soft shapes with a little noise on them."""
    rows, columns, channels = np.indices(SIZE, np.float32)
    noise = np.random.default_rng(7).random(SIZE, np.float32)
    pixels: Pixels = (np.sin(rows / 9) * np.cos(columns / 7 + channels) + 1) * np.float32(0.45) + noise / 20
    return pixels


def write(path: Path, pixels: Pixels, image_format: ImageFormat) -> Path:
    match image_format:
        case ImageFormat.OPEN_EXR | ImageFormat.OPEN_EXR_MULTILAYER:
            channels = {"ViewLayer.Combined.RGB": pixels, "Depth.Z": pixels[..., 0].copy()}
            OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, channels).write(str(path))
        case _:
            Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8)).save(path, image_format.value, quality=90)
    return path


def rounded(pixels: Pixels) -> Pixels:
    return pixels + np.float32(0.003)


def one_spark(pixels: Pixels) -> Pixels:
    pixels[3, 4] = 5.0
    return pixels


def missing_thing(pixels: Pixels) -> Pixels:
    pixels[10:20, 10:20] = 0.0
    return pixels


def no_numbers(pixels: Pixels) -> Pixels:
    pixels[10:20, 10:20] = np.nan
    return pixels


@pytest.mark.parametrize("image_format", list(ImageFormat))
@pytest.mark.parametrize(
    ("change", "same"),
    [(np.copy, True), (rounded, True), (missing_thing, False)],
    ids=["equal", "rounded", "missing"],
)
def test_pictures(tmp_path: Path, image_format: ImageFormat, change: Callable[[Pixels], Pixels], same: bool) -> None:
    one = write(tmp_path / "one", picture(), image_format)
    other = write(tmp_path / "other", change(picture()), image_format)
    assert same_picture(one, other, image_format) is same


@pytest.mark.parametrize("image_format", [ImageFormat.PNG, ImageFormat.OPEN_EXR])
def test_a_single_spark_makes_no_difference(tmp_path: Path, image_format: ImageFormat) -> None:
    one = write(tmp_path / "one", picture(), image_format)
    other = write(tmp_path / "other", one_spark(picture()), image_format)
    assert same_picture(one, other, image_format)


def test_what_is_no_number_is_the_same_only_as_itself(tmp_path: Path) -> None:
    broken = write(tmp_path / "broken", no_numbers(picture()), ImageFormat.OPEN_EXR)
    again = write(tmp_path / "again", no_numbers(picture()), ImageFormat.OPEN_EXR)
    whole = write(tmp_path / "whole", picture(), ImageFormat.OPEN_EXR)
    assert same_picture(broken, again, ImageFormat.OPEN_EXR)
    assert not same_picture(broken, whole, ImageFormat.OPEN_EXR)


def test_bright_values_may_be_off_in_proportion(tmp_path: Path) -> None:
    one = write(tmp_path / "one", picture() * 1000, ImageFormat.OPEN_EXR)
    near = write(tmp_path / "near", picture() * 1005, ImageFormat.OPEN_EXR)
    far = write(tmp_path / "far", picture() * 1100, ImageFormat.OPEN_EXR)
    assert same_picture(one, near, ImageFormat.OPEN_EXR)
    assert not same_picture(one, far, ImageFormat.OPEN_EXR)


def test_pictures_of_other_sizes_or_channels_differ(tmp_path: Path) -> None:
    one = write(tmp_path / "one", picture(), ImageFormat.PNG)
    small = write(tmp_path / "small", picture()[:-1], ImageFormat.PNG)
    assert not same_picture(one, small, ImageFormat.PNG)
    layered = write(tmp_path / "layered", picture(), ImageFormat.OPEN_EXR)
    OpenEXR.File({}, {"RGB": picture()}).write(str(tmp_path / "plain"))
    assert not same_picture(layered, tmp_path / "plain", ImageFormat.OPEN_EXR)
