"""A frame counts only when it decodes to its last pixel."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from coordinator.protocol import ColorMode, ImageFormat
from coordinator.protocol.pictures import BadPicture, Blankness, Picture, Wanted, read_picture

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
    ("mode", "color_mode", "depth", "alpha"),
    [
        ("L", ColorMode.BW, 8, False),
        ("LA", None, 8, True),
        ("RGB", ColorMode.RGB, 8, False),
        ("RGBA", ColorMode.RGBA, 8, True),
        ("I;16", ColorMode.BW, 16, False),
    ],
)
def test_png(tmp_path: Path, mode: str, color_mode: ColorMode | None, depth: int, alpha: bool) -> None:
    path = pillow_file(tmp_path / "a.png", mode)
    expected = Picture(width=WIDTH, height=HEIGHT, color_mode=color_mode, color_depth=depth, alpha=alpha)
    assert read_picture(path, Wanted(ImageFormat.PNG, (WIDTH, HEIGHT), color_mode, depth)) == expected


@pytest.mark.parametrize(("mode", "color_mode"), [("L", ColorMode.BW), ("RGB", ColorMode.RGB)])
def test_jpeg(tmp_path: Path, mode: str, color_mode: ColorMode) -> None:
    path = pillow_file(tmp_path / "a.jpg", mode)
    expected = Picture(width=WIDTH, height=HEIGHT, color_mode=color_mode, color_depth=8, alpha=False)
    assert read_picture(path, Wanted(ImageFormat.JPEG, color_mode=color_mode, color_depth=8)) == expected


@pytest.mark.parametrize("codec", EXR_CODECS)
def test_exr_with_every_codec_of_blender(tmp_path: Path, codec: str) -> None:
    path = exr_file(tmp_path / "a.exr", codec)
    expected = Picture(width=WIDTH, height=HEIGHT, color_mode=ColorMode.RGBA, color_depth=16, alpha=True)
    assert read_picture(path, Wanted(ImageFormat.OPEN_EXR, (WIDTH, HEIGHT), ColorMode.RGBA, 16)) == expected


#: Formats whose channels are known.
_PLAIN = [kind for kind in ImageFormat if kind is not ImageFormat.OPEN_EXR_MULTILAYER]


def make(path: Path, kind: ImageFormat) -> Path:
    """Write a good file of a format."""
    return exr_file(path) if kind.is_exr else pillow_file(path.with_suffix(f".{kind.lower()}"), "RGB")


@pytest.mark.parametrize("kind", list(ImageFormat))
@pytest.mark.parametrize("kept", [0.999, 0.5, 0.05])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: ImageFormat, kept: float) -> None:
    path = make(tmp_path / "a", kind)
    data = path.read_bytes()
    path.write_bytes(data[: min(len(data) - 1, int(len(data) * kept))])
    with pytest.raises(BadPicture):
        read_picture(path, Wanted(kind))


@pytest.mark.parametrize("kind", list(ImageFormat))
def test_an_empty_file_is_refused(tmp_path: Path, kind: ImageFormat) -> None:
    path = tmp_path / "a"
    path.touch()
    with pytest.raises(BadPicture, match="empty"):
        read_picture(path, Wanted(kind))


@pytest.mark.parametrize("kind", list(ImageFormat))
@pytest.mark.parametrize("other", list(ImageFormat))
def test_another_format_is_refused(tmp_path: Path, kind: ImageFormat, other: ImageFormat) -> None:
    path = make(tmp_path / "a", other)
    if kind is other or (kind.is_exr and other.is_exr):
        assert read_picture(path, Wanted(kind)).width == WIDTH
    else:
        with pytest.raises(BadPicture, match="is not a"):
            read_picture(path, Wanted(kind))


@pytest.mark.parametrize("kind", list(ImageFormat))
def test_another_size_is_refused(tmp_path: Path, kind: ImageFormat) -> None:
    with pytest.raises(BadPicture, match=f"{WIDTH} × {HEIGHT} pixels, but the job's frames are 640 × 360"):
        read_picture(make(tmp_path / "a", kind), Wanted(kind, (640, 360)))


def test_a_png_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = pillow_file(tmp_path / "a.png", "RGB")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BadPicture, match="damaged"):
        read_picture(path, Wanted(ImageFormat.PNG))


def test_each_pass_of_a_multilayer_file_has_channels_and_a_depth_of_its_own(tmp_path: Path) -> None:
    path = exr_file(tmp_path / "a.exr")
    wanted = Wanted(ImageFormat.OPEN_EXR_MULTILAYER, (WIDTH, HEIGHT), ColorMode.RGB, 32)
    assert read_picture(path, wanted).color_depth == 16


@pytest.mark.parametrize("kind", _PLAIN)
def test_other_channels_are_refused(tmp_path: Path, kind: ImageFormat) -> None:
    path = make(tmp_path / "a", kind)
    asked = ColorMode.RGB if kind is ImageFormat.OPEN_EXR else ColorMode.RGBA
    with pytest.raises(BadPicture, match=f"channels, but the job's frames are {asked}"):
        read_picture(path, Wanted(kind, color_mode=asked))


@pytest.mark.parametrize("kind", _PLAIN)
def test_another_depth_is_refused(tmp_path: Path, kind: ImageFormat) -> None:
    path = make(tmp_path / "a", kind)
    with pytest.raises(BadPicture, match="bits per channel, but the job's frames have 32"):
        read_picture(path, Wanted(kind, color_depth=32))


def plain(mode: str, *values: int) -> Image.Image:
    """Return a picture of one colour."""
    return Image.new(mode, (WIDTH, HEIGHT), values if len(values) > 1 else values[0])


def with_spot(image: Image.Image, *values: int) -> Image.Image:
    """Return a picture with one odd pixel, where no sample is taken."""
    image.putpixel((60, 36), values if len(values) > 1 else values[0])
    return image


@pytest.mark.parametrize(
    ("image", "blank"),
    [
        (plain("L", 0), "black"),
        (plain("L", 1), "black"),
        (plain("L", 2), None),
        (plain("I;16", 257), "black"),
        (plain("I;16", 600), None),
        (plain("RGB", 0, 1, 0), "black"),
        (plain("RGB", 0, 0, 9), None),
        (with_spot(plain("RGB", 0, 0, 0), 0, 0, 9), None),
        (plain("RGBA", 0, 0, 0, 255), "black"),
        (plain("RGBA", 0, 0, 0, 120), "black"),
        (plain("RGBA", 0, 0, 0, 0), "transparent"),
        (plain("RGBA", 90, 90, 90, 0), "transparent"),
        (with_spot(plain("RGBA", 0, 0, 0, 0), 0, 0, 0, 200), None),
        (with_spot(plain("RGBA", 0, 0, 0, 0), 90, 0, 0, 200), None),
    ],
)
def test_blank_png(tmp_path: Path, image: Image.Image, blank: Blankness | None) -> None:
    image.save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", Wanted(ImageFormat.PNG)).blank == blank


def test_blank_jpeg(tmp_path: Path) -> None:
    for number, blank in ((0, "black"), (90, None)):
        plain("RGB", number, number, number).save(tmp_path / "a.jpg")
        assert read_picture(tmp_path / "a.jpg", Wanted(ImageFormat.JPEG)).blank == blank


SPOT = (20, 30)


def light(kind: str, value: float, alpha: float = 1.0, *, spot: tuple[float, float] | None = None) -> Any:
    """Return pixels of one value, perhaps with one odd pixel of another value and alpha."""
    pixels = np.full((HEIGHT, WIDTH, 4), value, kind)
    pixels[:, :, 3] = alpha
    if spot is not None:
        pixels[SPOT] = (spot[0], spot[0], spot[0], spot[1])
    return pixels


@pytest.mark.parametrize("kind", ["float16", "float32"])
@pytest.mark.parametrize(
    ("value", "alpha", "spot", "blank", "nan_pixels"),
    [
        (0.0, 1.0, None, "black", 0),
        (-0.0, 1.0, None, "black", 0),
        (0.0002, 1.0, None, "black", 0),  # what the denoiser leaves
        (0.0004, 1.0, None, None, 0),
        (-0.5, 1.0, None, None, 0),
        (0.0, 0.5, None, "black", 0),
        (0.0, 0.0, None, "transparent", 0),
        (2.0, 0.0, None, None, 0),  # a flame
        (0.0, 0.0, (0.0, 0.5), None, 0),  # a shadow
        (0.0, 1.0, (0.7, 1.0), None, 0),
        (np.nan, 1.0, None, "nan", WIDTH * HEIGHT),
        (np.inf, 1.0, None, "nan", 0),
        (np.nan, 1.0, (0.5, 1.0), None, WIDTH * HEIGHT - 1),
        (0.5, 1.0, (np.nan, 1.0), None, 1),
        (0.5, 1.0, (np.inf, 1.0), None, 0),
    ],
)
def test_blank_exr(
    tmp_path: Path,
    kind: str,
    value: float,
    alpha: float,
    spot: tuple[float, float] | None,
    blank: Blankness | None,
    nan_pixels: int,
) -> None:
    path = exr_file(tmp_path / "a.exr", data=light(kind, value, alpha, spot=spot))
    picture = read_picture(path, Wanted(ImageFormat.OPEN_EXR))
    assert (picture.blank, picture.nan_pixels) == (blank, nan_pixels)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2  # the IHDR's width and height; its checksum is wrong now
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(BadPicture, match="60000 × 60000"):
        read_picture(path, Wanted(ImageFormat.PNG))


@pytest.mark.parametrize(("light", "blank"), [(0.5, None), (0.0, "black")])
def test_of_several_passes_the_combined_one_tells(tmp_path: Path, light: float, blank: str | None) -> None:
    combined = np.full((HEIGHT, WIDTH, 4), light, np.float16)
    combined[..., 3] = 1.0
    channels = {
        "ViewLayer.Combined.RGBA": combined,
        "ViewLayer.Depth.Z": np.full((HEIGHT, WIDTH), 1e10, np.float32),
        "ViewLayer.Noisy.RGB": np.full((HEIGHT, WIDTH, 3), np.nan, np.float16),
    }
    path = tmp_path / "layers.exr"
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, channels).write(str(path))
    picture = read_picture(path, Wanted(ImageFormat.OPEN_EXR_MULTILAYER, (WIDTH, HEIGHT)))
    assert (picture.blank, picture.nan_pixels, picture.deep) == (blank, 0, True)
