"""ZIP archives that are written while they travel (PKWARE's APPNOTE 6.3): files are stored as they are.

Pictures are compressed already.  So the length of the whole archive is known before its first byte, and each file's own
head says its length and checksum, as programs that unpack a stream want it.  Archives, and files in them, of 4 GiB and
more, and of 65,535 files and more, have ZIP64's larger fields where they need them and nowhere else.  Pure.
"""

import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_LIMIT_32 = 0xFFFFFFFF
_LIMIT_16 = 0xFFFF
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_ZIP64_EXTRA = 1
#: Names are UTF-8.
_FLAGS = 1 << 11
_PLAIN, _WITH_64 = 20, 45
_UNIX = 3 << 8
_MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to be packed."""

    name: str
    """With ``/``."""
    size: int
    """Bytes."""
    at: datetime
    """When it was made."""


class ZipLayout:
    """What comes before, between and after the files, which are added in their order."""

    def __init__(self) -> None:
        """Begin an archive."""
        self._offset = 0
        self._count = 0
        # A hundred bytes for each file, whatever its size.
        self._directory = bytearray()

    def head(self, entry: Entry, crc: int) -> bytes:
        """Return what comes before the bytes of the next file."""
        name = entry.name.encode()
        large = entry.size >= _LIMIT_32
        extra = struct.pack("<2H2Q", _ZIP64_EXTRA, 16, entry.size, entry.size) if large else b""
        size = _LIMIT_32 if large else entry.size
        version = _WITH_64 if large else _PLAIN
        stamp = _dos_time(entry.at)
        head = _LOCAL.pack(b"PK\3\4", version, _FLAGS, 0, *stamp, crc, size, size, len(name), len(extra)) + name + extra
        self._note(name, entry.size, crc, stamp)
        self._offset += len(head) + entry.size
        self._count += 1
        return head

    def _note(self, name: bytes, length: int, crc: int, stamp: tuple[int, int]) -> None:
        """Write the file into the list at the archive's end."""
        fields = [length, length] if length >= _LIMIT_32 else []
        fields += [self._offset] if self._offset >= _LIMIT_32 else []
        extra = struct.pack(f"<2H{len(fields)}Q", _ZIP64_EXTRA, 8 * len(fields), *fields) if fields else b""
        size, offset = min(length, _LIMIT_32), min(self._offset, _LIMIT_32)
        version = _WITH_64 if fields else _PLAIN
        # After the lengths: no comment, on the first disk, no text, and the file's mode.
        numbers = (crc, size, size, len(name), len(extra), 0, 0, 0, _MODE, offset)
        self._directory += _CENTRAL.pack(b"PK\1\2", _UNIX | version, version, _FLAGS, 0, *stamp, *numbers)
        self._directory += name + extra

    def end(self) -> bytes:
        """Return what comes after the last file."""
        start, length, count = self._offset, len(self._directory), self._count
        end = bytes(self._directory)
        if count >= _LIMIT_16 or start >= _LIMIT_32 or length >= _LIMIT_32:
            end += _END_64.pack(b"PK\6\6", 44, _UNIX | _WITH_64, _WITH_64, 0, 0, count, count, length, start)
            end += _LOCATOR_64.pack(b"PK\6\7", 0, start + length, 1)
        count_16 = min(count, _LIMIT_16)
        return end + _END.pack(b"PK\5\6", 0, 0, count_16, count_16, min(length, _LIMIT_32), min(start, _LIMIT_32), 0)


def archive_length(entries: Iterable[Entry]) -> int:
    """Return how many bytes an archive of these files will have."""
    layout, length = ZipLayout(), 0
    for entry in entries:
        length += len(layout.head(entry, 0)) + entry.size
    return length + len(layout.end())


class FileList:
    """Files to be packed and where their bytes are, in some hundred bytes for each."""

    def __init__(self) -> None:
        """Begin empty."""
        self._names: list[str] = []
        self._digests = bytearray()
        self._sizes = array("Q")
        self._times = array("d")

    def add(self, name: str, sha256: str, size: int, at: datetime) -> None:
        """Add a file by the digest of its bytes."""
        self._names.append(name)
        self._digests += bytes.fromhex(sha256)
        self._sizes.append(size)
        self._times.append(at.timestamp())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)

    def entry(self, index: int) -> Entry:
        """Return one of them as it is packed."""
        return Entry(self._names[index], self._sizes[index], datetime.fromtimestamp(self._times[index], UTC))

    def size(self, index: int) -> int:
        """Return how many bytes one of them has."""
        return self._sizes[index]

    def sha256(self, index: int) -> str:
        """Return the digest of one of them."""
        return self._digests[32 * index : 32 * index + 32].hex()

    def archive_length(self) -> int:
        """Return how many bytes an archive of them will have."""
        return archive_length(self.entry(index) for index in range(len(self)))


def _dos_time(at: datetime) -> tuple[int, int]:
    """Return time and date as DOS had them: two seconds exact, from 1980 to 2107."""
    year = min(max(at.year, 1980), 2107)
    return at.hour << 11 | at.minute << 5 | at.second // 2, (year - 1980) << 9 | at.month << 5 | at.day
