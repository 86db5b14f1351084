"""Names of frames' files, as Blender itself gives them (pure).

Blender's rules: the last run of ``#`` in the file's name is where the frame's number goes, padded to its length;
without one, four digits go to the end (``BLI_path_frame``).  Then the format's ending is put in the place of any other
picture's, or added (``BKE_image_path_ext_ensure``).
"""

import os
import re
from collections.abc import Mapping

#: Endings that Blender takes for a picture's.
_PICTURES = re.compile(
    r"\.(png|tga|bmp|jpg|jpeg|sgi|rgb|rgba|tif|tiff|tx|jp2|j2c|hdr|dds|dpx|cin|exr|psd|pdd|psb|webp)$", re.IGNORECASE
)
_NUMBER = re.compile(r"#+(?=[^#]*$)")
_DIGITS = 4
_TEMPLATE = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}:]*)\}|[{}]")

_SAME = ({".jpg", ".jpeg"}, {".tif", ".tiff"})


def frame_path(pattern: str, frame: int, ending: str, *, use_ending: bool = True) -> str:
    """Return where Blender would write a frame.

    Args:
        pattern: the scene's output path, made absolute.
        frame: its number.
        ending: of its format, with the point: ``.png``.
        use_ending: the scene has Blender add it (``use_file_extension``).
    """
    folder, name = os.path.split(pattern)
    name = name if "#" in name else name + "#" * _DIGITS
    name = _NUMBER.sub(lambda run: _number(frame, len(run[0])), name)
    if use_ending:
        has = _PICTURES.search(name)
        if has is None:
            name += ending
        elif not any({has[0].lower(), ending} <= same for same in _SAME):
            name = name[: has.start()] + ending
    return os.path.join(folder, name)  # noqa: PTH118 - likewise


def fill_templates(pattern: str, values: Mapping[str, str]) -> str | None:
    """Return an output path with what stands in braces filled in (Blender 4.5); None: that is not known here."""
    unknown = False

    def fill(found: re.Match[str]) -> str:
        nonlocal unknown
        if found[0] in ("{{", "}}"):
            return found[0][0]
        value = values.get(found["name"] or "")
        unknown |= value is None
        return value or ""

    filled = _TEMPLATE.sub(fill, pattern)
    return None if unknown else filled


def _number(frame: int, digits: int) -> str:
    return f"{'-' if frame < 0 else ''}{abs(frame):0{digits}d}"
