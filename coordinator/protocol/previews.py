"""Previews: a frame as people see it by the hundred, a JPEG of at most :data:`PREVIEW_PIXELS`.  Functions block.

They are made from pictures that hold what Blender shows (PNG, JPEG); of an OpenEXR only Blender itself can make one,
through the scene's view transform.
"""

import io

import numpy as np
from PIL import Image

#: The long side of a preview, in pixels.
PREVIEW_PIXELS = 640

PREVIEW_QUALITY = 82


def is_small(width: int, height: int) -> bool:
    """Tell whether a picture of so many pixels need not be made smaller to be its own preview."""
    return max(width, height) <= PREVIEW_PIXELS


def as_eight_bits(image: Image.Image) -> Image.Image:
    """Return a decoded picture with 8 bits for each channel."""
    if not image.mode.startswith("I"):
        return image
    # Pillow has 16 bits of grey as whole numbers, and would cut off what is above 255.
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def small_jpeg(image: Image.Image) -> bytes:
    """Return a decoded picture as a JPEG, made smaller where it is larger than a preview; no alpha is black."""
    image = as_eight_bits(image)
    if not is_small(*image.size):
        scale = PREVIEW_PIXELS / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if image.has_transparency_data:
        # Multiplied by its alpha, a colour is what it looks like before black.
        image = Image.merge("RGB", image.convert("RGBA").convert("RGBa").split()[:3])
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    target = io.BytesIO()
    image.save(target, "JPEG", quality=PREVIEW_QUALITY)
    return target.getvalue()
