"""Films made by the real ffmpeg, looked at picture by picture."""

import asyncio
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coordinator.media import stitch as stitching
from coordinator.media.ffmpeg import MediaError, find_ffmpeg
from coordinator.media.film import encode_argv
from coordinator.media.stitch import stitch
from coordinator.protocol import ImageFormat

pytestmark = pytest.mark.slow

FFMPEG = find_ffmpeg(None)


def frames(folder: Path, count: int, mode: str, size: tuple[int, int], suffix: str = "png") -> list[Path]:
    """Write pictures of a grey that rises by 20 from frame to frame, half transparent where there is alpha."""
    paths = []
    for number in range(count):
        grey = 20 + 20 * number
        colour: object = {
            "L": grey,
            "LA": (grey, 128),
            "RGB": (grey, grey, grey),
            "RGBA": (grey, grey, grey, 128),
            "I;16": grey * 257,
        }[mode]
        path = folder / f"{count - number} of {mode}.{suffix}"
        Image.new(mode, size, colour).save(path)  # type: ignore[arg-type] # a colour's type depends on the mode
        paths.append(path)
    return paths


def tone(path: Path, seconds: float) -> Path:
    """Write a sound of that length."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        time = np.arange(int(seconds * 44_100)) / 44_100
        file.writeframes((np.sin(time * 880 * np.pi) * 20_000).astype("<i2").tobytes())
    return path


def decode(film: Path, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Return all pictures of a film, in RGB."""
    argv = [str(FFMPEG), "-loglevel", "error", "-i", str(film), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(argv, capture_output=True, check=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, size[1], size[0], 3)


def about(film: Path) -> str:
    """Return what ffmpeg says of a film."""
    return subprocess.run([str(FFMPEG), "-i", str(film)], capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(
    ("mode", "suffix", "share"),
    [
        ("RGB", "png", 1),
        ("RGBA", "png", 0.5),
        ("L", "png", 1),
        ("LA", "png", 0.5),
        ("I;16", "png", 1),
        ("RGB", "jpg", 1),
    ],
)
async def test_frames_come_in_their_order_and_tone(tmp_path: Path, mode: str, suffix: str, share: float) -> None:
    """An odd size: the last column and row are repeated; what is half transparent is half as bright."""
    folder = tmp_path / "work"
    folder.mkdir()
    kind = ImageFormat.JPEG if suffix == "jpg" else ImageFormat.PNG
    pictures = await asyncio.to_thread(frames, tmp_path, 9, mode, (33, 35), suffix)
    film = await stitch(FFMPEG, pictures, kind, 24.0, None, folder)
    decoded = await asyncio.to_thread(decode, film, (34, 36))
    for number, picture in enumerate(decoded):
        expected = (20 + 20 * number) * share
        assert np.abs(picture.astype(float) - expected).max() <= 3, f"frame {number}"
    assert len(decoded) == 9


@pytest.mark.parametrize("seconds", [0.2, 5.0])
async def test_sound_has_the_films_length(tmp_path: Path, seconds: float) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    pictures = await asyncio.to_thread(frames, tmp_path, 12, "RGB", (64, 36))
    sound = await asyncio.to_thread(tone, tmp_path / "tone.wav", seconds)
    film = await stitch(FFMPEG, pictures, ImageFormat.PNG, 24 / 1.001, sound, folder)
    said = await asyncio.to_thread(about, film)
    assert "Audio: aac" in said
    assert "yuv420p(tv, bt709" in said
    assert "23.98 fps" in said
    head = await asyncio.to_thread(lambda: film.read_bytes()[:4096])
    assert b"moov" in head, "the index is at the front"


async def test_one_blob_for_many_frames(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    [picture] = await asyncio.to_thread(frames, tmp_path, 1, "RGB", (16, 16))
    film = await stitch(FFMPEG, [picture] * 500, ImageFormat.PNG, 60.0, None, folder)
    assert len(await asyncio.to_thread(decode, film, (16, 16))) == 500


async def test_a_frame_that_went_bad_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    pictures = await asyncio.to_thread(frames, tmp_path, 5, "RGB", (16, 16))
    await asyncio.to_thread(pictures[3].write_bytes, b"not a picture")
    with pytest.raises(MediaError, match=r"ffmpeg failed|frames instead of 5"):
        await stitch(FFMPEG, pictures, ImageFormat.PNG, 24.0, None, folder)


async def test_a_film_that_lacks_a_frame_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    pictures = await asyncio.to_thread(frames, tmp_path, 5, "RGB", (16, 16))
    whole = encode_argv
    monkeypatch.setattr(
        stitching, "encode_argv", lambda *arguments: [*whole(*arguments)[:-1], "-frames:v", "4", whole(*arguments)[-1]]
    )
    with pytest.raises(MediaError, match="4 frames instead of 5"):
        await stitch(FFMPEG, pictures, ImageFormat.PNG, 24.0, None, folder)


async def test_cancelling_ends_ffmpeg(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    [picture] = await asyncio.to_thread(frames, tmp_path, 1, "RGB", (640, 360))
    task = asyncio.create_task(stitch(FFMPEG, [picture] * 20_000, ImageFormat.PNG, 24.0, None, folder))
    film = folder / "film.mp4"
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(film.exists):  # noqa: ASYNC110 - ffmpeg sets no event
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    def open_files() -> list[str]:
        links = Path("/proc").glob("[0-9]*/cmdline")
        return [text for link in links if str(film) in (text := _read(link))]

    assert await asyncio.to_thread(open_files) == []


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_a_preset_that_is_no_ffmpeg_is_named() -> None:
    with pytest.raises(MediaError, match="RENDERFARM_FFMPEG is '/nowhere/ffmpeg'"):
        find_ffmpeg("/nowhere/ffmpeg")
    with pytest.raises(MediaError, match="without the encoder libx264"):
        find_ffmpeg("true")
