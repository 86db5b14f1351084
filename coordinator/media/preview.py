"""Make the preview of a frame that came without one, when somebody looks at it."""

from pathlib import Path

from PIL import Image

from coordinator.protocol.previews import small_jpeg


def small_jpeg_of(path: Path) -> bytes:
    """Return a preview of the picture in ``path``, a PNG or JPEG that was verified.  Blocks for some milliseconds."""
    with Image.open(path, formats=["PNG", "JPEG"]) as image:
        return small_jpeg(image)
