"""How frames are named as files."""

EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "OPEN_EXR": "exr", "OPEN_EXR_MULTILAYER": "exr"}
CONTENT_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "OPEN_EXR": "image/x-exr",
    "OPEN_EXR_MULTILAYER": "image/x-exr",
}


def frame_filename(frame: int, image_format: str) -> str:
    """Return the frame's number padded to four digits, as Blender names files: ``0001.png``, ``-0001.png``."""
    sign = "-" if frame < 0 else ""
    return f"{sign}{abs(frame):04d}.{EXTENSIONS[image_format]}"
