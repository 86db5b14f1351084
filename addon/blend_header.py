"""What the first bytes of a file tell: whether it is a .blend, and which Blender saved it."""

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

_GZIP, _ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

#: Up to 4.x: pointer size, byte order, three digits of version.  From 5.0: the header's own length and format come
#: first, and the version has four digits.
_HEADER = re.compile(rb"BLENDER(?:[-_][vV](\d)(\d\d)|\d\d-\d\d[vV](\d\d)(\d\d))")
_HEADER_LENGTH = 17


class NotABlendError(ValueError):
    """The file is no .blend; the text is a sentence that says so."""


@dataclass(frozen=True)
class BlendHeader:
    """What a .blend says of itself."""

    version: tuple[int, int] | None
    """The Blender that saved it; None where only unpacking it would tell."""


def read_header(path: Path) -> BlendHeader:
    """Return the header of the .blend at ``path``.

    Raises:
        NotABlendError: it is none, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER_LENGTH)
        if start.startswith(_GZIP):
            with gzip.open(path) as unpacked:
                start = unpacked.read(_HEADER_LENGTH)
    except FileNotFoundError:
        raise NotABlendError(f"There is no file {path}; check its name and folder.") from None
    except IsADirectoryError:
        raise NotABlendError(f"{path} is a folder; name the .blend file in it.") from None
    except (EOFError, zlib.error):
        raise NotABlendError(f"{path} is damaged: its end is missing; use a backup or save it again.") from None
    except OSError as error:
        raise NotABlendError(f"{path} cannot be read: {error.strerror or error}.") from None
    if start.startswith(_ZSTANDARD):
        return BlendHeader(None)
    match = _HEADER.match(start)
    if match is None:
        raise NotABlendError(f"{path} is not a Blender file; name a file that Blender saved.")
    major, minor = match[1] or match[3], match[2] or match[4]
    return BlendHeader((int(major), int(minor)))
