"""Check a frame's files before the frame is recorded, without holding up the event loop."""

import asyncio
from pathlib import Path

from coordinator.protocol import ImageFormat
from coordinator.protocol.decoding import decoding_threads
from coordinator.protocol.pictures import BadPicture, Picture, Wanted, read_picture
from coordinator.protocol.previews import is_small

#: A preview with more pixels is refused: previews are shown by the hundred in a browser.
MAX_PREVIEW_PIXELS = 4096 * 4096


class FrameVerifier:
    """Decodes frames in a few threads of its own, so that large pictures are bounded in number and memory."""

    def __init__(self, threads: int = 2) -> None:
        """Decode at most ``threads`` frames at a time."""
        self._pool = decoding_threads(threads, "verify")

    async def check(
        self,
        output: Path,
        preview: Path | None,
        display: Path | None,
        wanted: Wanted,
    ) -> Picture:
        """Decode all files of a frame and return what its output is.

        Args:
            output: the file Blender wrote.
            preview: the small JPEG; None for a frame that is no larger than one.
            display: the full-size PNG, where the job asks for one.
            wanted: what the output must be.

        Raises:
            BadPicture: naming the file (output, preview, display) and what is wrong with it, or without which a frame
                of its size does not come.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, _check, output, preview, display, wanted)

    async def close(self) -> None:
        """Wait for running checks and free the threads."""
        await asyncio.to_thread(self._pool.shutdown, wait=True)


def _check(output: Path, preview: Path | None, display: Path | None, wanted: Wanted) -> Picture:
    picture = read_picture(output, wanted)
    if preview is not None:
        small = _named("preview", preview, Wanted(ImageFormat.JPEG))
        if small.width * small.height > MAX_PREVIEW_PIXELS:
            raise BadPicture(f"The preview is {small.width} × {small.height} pixels, which is too large for a preview.")
    elif not is_small(picture.width, picture.height):
        raise BadPicture(f"The frame has {picture.width} × {picture.height} pixels, and came without a preview.")
    if display is not None:
        _named("display picture", display, Wanted(ImageFormat.PNG, (picture.width, picture.height)))
    return picture


def _named(name: str, path: Path, wanted: Wanted) -> Picture:
    try:
        return read_picture(path, wanted)
    except BadPicture as error:
        raise BadPicture(f"The frame's {name} is no good: {error}") from error
