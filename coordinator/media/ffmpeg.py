"""Find ffmpeg, run it, and turn what it says into a sentence."""

import asyncio
import contextlib
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg

_ENCODER = "libx264"
_TAIL_LINES = 4
_PROBE_SECONDS = 60


class MediaError(Exception):
    """A film could not be made or is not what it should be; the text is a sentence for people."""


class NoRoom(MediaError):
    """The disk is full; the same film may be made later."""


def find_ffmpeg(preset: str | None) -> Path:
    """Return an ffmpeg that can encode H.264: ``preset`` if given, else the system's, else imageio-ffmpeg's.  Blocks.

    Raises:
        MediaError: there is none; the text says what to do.
    """
    if preset is not None:
        found = shutil.which(Path(preset).expanduser())
        if found is None:
            raise MediaError(f"RENDERFARM_FFMPEG is {preset!r}, which is no program that can be run.")
        if not _encodes(Path(found)):
            raise MediaError(f"RENDERFARM_FFMPEG is {preset!r}, an ffmpeg without the encoder {_ENCODER}.")
        return Path(found)
    for candidate in _candidates():
        if _encodes(candidate):
            return candidate
    raise MediaError(f"No ffmpeg with {_ENCODER} was found; install ffmpeg or set RENDERFARM_FFMPEG to one.")


def _candidates() -> Iterator[Path]:
    system = shutil.which("ffmpeg")
    if system is not None:
        yield Path(system)
    with contextlib.suppress(RuntimeError):  # the package carries none for this platform
        yield Path(imageio_ffmpeg.get_ffmpeg_exe())


def _encodes(ffmpeg: Path) -> bool:
    try:
        answer = subprocess.run(
            [ffmpeg, "-hide_banner", "-encoders"], capture_output=True, timeout=_PROBE_SECONDS, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return _ENCODER in answer.stdout


async def run_ffmpeg(argv: list[str], on_line: Callable[[str], None]) -> None:
    """Run ffmpeg to its end and give every line of its standard output to ``on_line``.

    Cancelling kills it.

    Raises:
        MediaError: it did not start or did not succeed; with the last lines it said.
        NoRoom: because the disk is full.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise MediaError(f"ffmpeg ({argv[0]}) cannot be started: {error.strerror}.") from error
    assert process.stdout is not None  # noqa: S101 - both are pipes, which the type does not say
    assert process.stderr is not None  # noqa: S101 - as above
    said: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        # Both pipes are read together: a full one would stop ffmpeg.
        await asyncio.gather(_read_lines(process.stdout, on_line), _read_lines(process.stderr, said.append))
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        reason = " / ".join(said) or "it gave no reason"
        # ffmpeg knows no other language, and tells a full disk in no other way.
        kind = NoRoom if "No space left on device" in reason else MediaError
        raise kind(f"ffmpeg failed (exit code {code}): {reason}")


async def _read_lines(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
    async for line in stream:
        text = line.decode(errors="replace").strip()
        if text:
            on_line(text)
