"""A look at a frame's files before they are handed in: do they decode, are they what the job asked for."""

from pathlib import Path

from PIL import Image

from coordinator.protocol.pictures import BadPicture, Picture, Wanted, read_picture
from coordinator.protocol.previews import PREVIEW_PIXELS, is_small, small_jpeg

#: The name of a frame's preview in its folder.
PREVIEW = "preview.jpg"


class SpoiltFrameError(Exception):
    """The file is no good; the text says why."""


def check_frame(path: Path, wanted: Wanted, preview: Path | None = None) -> Picture:
    """Decode a frame's file whole and return what it is; write its ``preview`` if it is larger than one.

    Raises:
        SpoiltFrameError: it does not decode, or is not what it must be.
    """
    try:
        return read_picture(path, wanted, preview)
    except BadPicture as error:
        raise SpoiltFrameError(str(error)) from error


def shrink_preview(path: Path) -> None:
    """Make a JPEG small enough to be shown by the hundred, in place; a smaller one stays as it is.

    Raises:
        SpoiltFrameError: it does not decode.
    """
    try:
        with Image.open(path, formats=["JPEG"]) as picture:
            if is_small(*picture.size):
                picture.load()
                return
            # The decoder halves on the fly, down to the next larger size.
            picture.draft(None, (PREVIEW_PIXELS, PREVIEW_PIXELS))
            picture.load()
            small = path.with_suffix(".small")
            small.write_bytes(small_jpeg(picture))
        small.replace(path)
    except Exception as error:
        raise SpoiltFrameError(f"The frame's preview is damaged ({str(error) or type(error).__name__}).") from error
