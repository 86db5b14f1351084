"""A rendered file is looked at before it is handed in."""

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from agent.pictures import SpoiltFrameError, check_frame, shrink_preview
from coordinator.protocol import ImageFormat
from coordinator.protocol.pictures import Wanted
from coordinator.protocol.previews import PREVIEW_PIXELS


def make(path: Path, image_format: ImageFormat, width: int, height: int) -> Path:
    """Write a noisy picture."""
    pixels = np.random.default_rng(1).random((height, width, 3))
    if image_format.is_exr:
        layer = "" if image_format is ImageFormat.OPEN_EXR else "ViewLayer.Combined."
        channels = {f"{layer}{name}": pixels[..., index].astype(np.float32) for index, name in enumerate("RGB")}
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        with OpenEXR.File(header, channels) as file:
            file.write(str(path))
    else:
        Image.fromarray((pixels * 255).astype(np.uint8)).save(path, image_format.value)
    return path


@pytest.mark.parametrize("image_format", ImageFormat)
def test_whole_file(tmp_path: Path, image_format: ImageFormat) -> None:
    path = make(tmp_path / "frame", image_format, 40, 30)
    assert check_frame(path, Wanted(image_format, (40, 30))) == check_frame(path, Wanted(image_format))
    with pytest.raises(SpoiltFrameError, match="40 × 30 pixels, but the job's frames are 41 × 30"):
        check_frame(path, Wanted(image_format, (41, 30)))


@pytest.mark.parametrize("image_format", ImageFormat)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_file_cut_short(tmp_path: Path, image_format: ImageFormat, kept: float) -> None:
    path = make(tmp_path / "frame", image_format, 40, 30)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(SpoiltFrameError):
        check_frame(path, Wanted(image_format, (40, 30)))


def test_another_format(tmp_path: Path) -> None:
    path = make(tmp_path / "frame", ImageFormat.JPEG, 40, 30)
    with pytest.raises(SpoiltFrameError):
        check_frame(path, Wanted(ImageFormat.PNG, (40, 30)))


@pytest.mark.parametrize(
    ("size", "small"), [((1920, 1080), (640, 360)), ((100, 2000), (32, 640)), ((64, 48), (64, 48))]
)
def test_preview_is_made_small(tmp_path: Path, size: tuple[int, int], small: tuple[int, int]) -> None:
    path = make(tmp_path / "preview.jpg", ImageFormat.JPEG, *size)
    shrink_preview(path)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("JPEG", small)
        assert max(picture.size) <= PREVIEW_PIXELS
    assert [entry.name for entry in tmp_path.iterdir()] == ["preview.jpg"]


def test_preview_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "preview.jpg").write_bytes(b"\xff\xd8nothing")
    with pytest.raises(SpoiltFrameError, match="preview"):
        shrink_preview(tmp_path / "preview.jpg")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
def test_preview_is_made_of_the_decoded_frame(tmp_path: Path, mode: str) -> None:
    frame, preview = tmp_path / "frame.png", tmp_path / "preview.jpg"
    halves: dict[str, int | tuple[int, ...]] = {
        "RGB": (200, 100, 0),
        "RGBA": (200, 100, 0, 128),
        "L": 200,
        "I;16": 200 * 256,
    }
    half = halves[mode]
    Image.new(mode, (1280, 720), half).save(frame)
    check_frame(frame, Wanted(ImageFormat.PNG), preview)
    with Image.open(preview) as small:
        assert (small.format, small.size) == ("JPEG", (640, 360))
        shown = np.asarray(small.convert("RGB"))[180, 320]
    # What is transparent shows the black behind it.
    seen = {"RGB": (200, 100, 0), "RGBA": (100, 50, 0), "L": (200,) * 3, "I;16": (200,) * 3}[mode]
    assert np.abs(shown.astype(int) - seen).max() <= 4
    preview.unlink()
    Image.new(mode, (640, 360), half).save(frame)
    check_frame(frame, Wanted(ImageFormat.PNG), preview)
    assert not preview.exists()
