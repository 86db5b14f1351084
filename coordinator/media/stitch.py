"""Make a job's film and check it picture by picture."""

import asyncio
import errno
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from coordinator.media.ffmpeg import MediaError, NoRoom, run_ffmpeg
from coordinator.media.film import Film, decode_argv, encode_argv, exact_rate
from coordinator.protocol import ImageFormat
from coordinator.protocol.pictures import BadPicture, Wanted, read_picture

_SUFFIX = {ImageFormat.PNG: "png", ImageFormat.JPEG: "jpg"}

#: Encoded sound comes in pieces of this many samples; its length is exact to one of them.
_AAC_SAMPLES = 1024
_AAC_RATE = 48_000


async def stitch(
    ffmpeg: Path, pictures: Sequence[Path], kind: ImageFormat, fps: float, sound: Path | None, folder: Path
) -> Path:
    """Make an MP4 of ``pictures``, in their order, and return its path inside of ``folder``.

    Args:
        ffmpeg: the program.
        pictures: one file per frame, all of one size; what their names are does not matter.
        kind: their format, PNG or JPEG.
        fps: pictures a second.
        sound: a sound file, which is cut or padded with silence to the film's length.
        folder: an empty folder for the film and what is needed to make it.

    Raises:
        MediaError: ffmpeg failed, or the film has not exactly these frames and this length.
        NoRoom: the disk is full.
    """
    try:
        film = await asyncio.to_thread(_prepare, pictures, kind, fps, sound, folder)
    except OSError as error:
        problem = NoRoom if error.errno in (errno.ENOSPC, errno.EDQUOT) else MediaError
        raise problem(f"The frames cannot be numbered in {folder}: {error.strerror}.") from error
    target = folder / "film.mp4"
    await run_ffmpeg(encode_argv(ffmpeg, film, target), lambda _line: None)
    await _check(ffmpeg, film, target)
    return target


def _prepare(pictures: Sequence[Path], kind: ImageFormat, fps: float, sound: Path | None, folder: Path) -> Film:
    """Number the pictures without gaps, as ffmpeg wants them."""
    if not pictures:
        raise MediaError("There is no frame to make a video of.")
    suffix = _SUFFIX[kind]
    try:
        first = read_picture(pictures[0], Wanted(kind))
    except BadPicture as error:
        raise MediaError(f"The first frame cannot be read: {error}") from error
    numbered = folder / "frames"
    numbered.mkdir()
    for number, picture in enumerate(pictures):
        # Links by name: file systems allow a file some ten thousand hard links, and a still animation is one blob.
        (numbered / f"{number:06d}.{suffix}").symlink_to(picture.resolve())
    return Film(
        pattern=numbered / f"%06d.{suffix}",
        frame_count=len(pictures),
        rate=exact_rate(fps),
        width=first.width,
        height=first.height,
        alpha=first.alpha,
        deep=first.deep,
        sound=sound,
    )


class _Stream:
    """What framecrc lines say of one stream."""

    def __init__(self) -> None:
        self.base = Fraction(1)
        self.count = 0
        self.start: int | None = None
        self.end = 0

    def add(self, time: int, duration: int) -> None:
        self.count += 1
        self.start = time if self.start is None else min(self.start, time)
        self.end = max(self.end, time + duration)

    @property
    def seconds(self) -> Fraction:
        return (self.end - (self.start or 0)) * self.base


async def _check(ffmpeg: Path, film: Film, target: Path) -> None:
    """Decode the film and compare what comes out with what went in."""
    streams: dict[str, _Stream] = {}

    def on_line(line: str) -> None:
        if line.startswith("#tb "):
            number, _, base = line.removeprefix("#tb ").partition(":")
            streams[number] = stream = _Stream()
            stream.base = Fraction(base.strip())
        elif not line.startswith("#"):
            number, _, time, duration, *_ = (field.strip() for field in line.split(","))
            streams[number].add(int(time), int(duration))

    await run_ffmpeg(decode_argv(ffmpeg, target), on_line)
    video = streams.get("0")
    if video is None or video.count != film.frame_count:
        raise MediaError(
            f"The video has {video.count if video else 0} frames instead of {film.frame_count}; it was not kept."
        )
    if abs(video.seconds - film.seconds) > 1 / (2 * film.rate):
        raise MediaError(
            f"The video lasts {float(video.seconds):.3f} s instead of {float(film.seconds):.3f} s; it was not kept."
        )
    if film.sound is not None:
        sound = streams.get("1")
        length = float(sound.seconds) if sound else 0.0
        if not math.isclose(length, float(film.seconds), abs_tol=_AAC_SAMPLES / _AAC_RATE + 0.001):
            raise MediaError(
                f"The video's sound lasts {length:.3f} s instead of {float(film.seconds):.3f} s; it was not kept."
            )
