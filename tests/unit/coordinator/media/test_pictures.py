"""A frame counts only when it decodes to its last pixel."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from coordinator.media.pictures import BadPicture, Picture, read_picture
from coordinator.protocol import ImageFormat

WIDTH, HEIGHT = 61, 37

EXR_CODECS = ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB"]


def noise(channels: int, kind: str = "uint8") -> np.ndarray[Any, Any]:
    """Return a picture that compresses badly, so that half of its file is not all of it."""
    values = np.random.default_rng(7).random((HEIGHT, WIDTH, channels))
    return (values * (np.iinfo(kind).max if kind.startswith("u") else 1)).astype(kind)


def pillow_file(path: Path, mode: str) -> Path:
    """Write a picture of a Pillow mode."""
    if mode == "I;16":
        image = Image.fromarray(noise(1, "uint16")[:, :, 0])
    else:
        channels = len(mode)
        data = noise(channels)
        image = Image.fromarray(data[:, :, 0] if channels == 1 else data)
        assert image.mode == mode
    image.save(path)
    return path


def exr_file(path: Path, codec: str = "ZIP", data: np.ndarray[Any, Any] | None = None) -> Path:
    """Write an OpenEXR file."""
    header = {"compression": getattr(OpenEXR, f"{codec}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"RGBA": noise(4, "float16") if data is None else data}) as file:
        file.write(str(path))
    return path


@pytest.mark.parametrize(
    ("mode", "alpha", "deep"),
    [("L", False, False), ("LA", True, False), ("RGB", False, False), ("RGBA", True, False), ("I;16", False, True)],
)
def test_png(tmp_path: Path, mode: str, alpha: bool, deep: bool) -> None:
    path = pillow_file(tmp_path / "a.png", mode)
    expected = Picture(width=WIDTH, height=HEIGHT, alpha=alpha, deep=deep)
    assert read_picture(path, ImageFormat.PNG, (WIDTH, HEIGHT)) == expected


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg(tmp_path: Path, mode: str) -> None:
    path = pillow_file(tmp_path / "a.jpg", mode)
    expected = Picture(width=WIDTH, height=HEIGHT, alpha=False, deep=False)
    assert read_picture(path, ImageFormat.JPEG) == expected


@pytest.mark.parametrize("codec", EXR_CODECS)
def test_exr_with_every_codec_of_blender(tmp_path: Path, codec: str) -> None:
    path = exr_file(tmp_path / "a.exr", codec)
    expected = Picture(width=WIDTH, height=HEIGHT, alpha=True, deep=True)
    assert read_picture(path, ImageFormat.OPEN_EXR, (WIDTH, HEIGHT)) == expected


def make(path: Path, kind: ImageFormat) -> Path:
    """Write a good file of a format."""
    return exr_file(path) if kind is ImageFormat.OPEN_EXR else pillow_file(path.with_suffix(f".{kind.lower()}"), "RGB")


@pytest.mark.parametrize("kind", list(ImageFormat))
@pytest.mark.parametrize("kept", [0.999, 0.5, 0.05])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: ImageFormat, kept: float) -> None:
    path = make(tmp_path / "a", kind)
    data = path.read_bytes()
    path.write_bytes(data[: min(len(data) - 1, int(len(data) * kept))])
    with pytest.raises(BadPicture):
        read_picture(path, kind)


@pytest.mark.parametrize("kind", list(ImageFormat))
def test_an_empty_file_is_refused(tmp_path: Path, kind: ImageFormat) -> None:
    path = tmp_path / "a"
    path.touch()
    with pytest.raises(BadPicture, match="empty"):
        read_picture(path, kind)


@pytest.mark.parametrize("kind", list(ImageFormat))
@pytest.mark.parametrize("other", list(ImageFormat))
def test_another_format_is_refused(tmp_path: Path, kind: ImageFormat, other: ImageFormat) -> None:
    path = make(tmp_path / "a", other)
    if kind is other:
        assert read_picture(path, kind).width == WIDTH
    else:
        with pytest.raises(BadPicture, match="is not a"):
            read_picture(path, kind)


@pytest.mark.parametrize("kind", list(ImageFormat))
def test_another_size_is_refused(tmp_path: Path, kind: ImageFormat) -> None:
    with pytest.raises(BadPicture, match=f"{WIDTH} × {HEIGHT} pixels, but the job's frames are 640 × 360"):
        read_picture(make(tmp_path / "a", kind), kind, (640, 360))


def test_a_png_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = pillow_file(tmp_path / "a.png", "RGB")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BadPicture, match="damaged"):
        read_picture(path, ImageFormat.PNG)


def test_an_exr_of_nothing_but_nan_is_refused(tmp_path: Path) -> None:
    path = exr_file(tmp_path / "a.exr", data=np.full((HEIGHT, WIDTH, 4), np.nan, "float32"))
    with pytest.raises(BadPicture, match="NaN"):
        read_picture(path, ImageFormat.OPEN_EXR)


def test_an_exr_with_some_nan_is_a_picture(tmp_path: Path) -> None:
    data = noise(4, "float32")
    data[3, 5] = np.nan
    assert read_picture(exr_file(tmp_path / "a.exr", data=data), ImageFormat.OPEN_EXR).width == WIDTH


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2  # the IHDR's width and height; its checksum is wrong now
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(BadPicture, match="60000 × 60000"):
        read_picture(path, ImageFormat.PNG)
