"""Files cut into pieces, so that a file that was changed a little is sent again only a little.

A .blend that is not compressed is cut at the borders of its own blocks: what an edit does not touch keeps its bytes,
but not its place.  Every other file, and every long block, is cut where its content says so.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BufferedIOBase

from .buffers import Buffer

#: A piece of a long run has at least so many bytes and at most so many (the coordinator takes up to 8 MiB in a batch).
#: Each becomes a file of the coordinator's, which costs it as much as some 100 KiB of bytes.
SHORTEST, LONGEST = 1024 * 1024, 2 * 1024 * 1024

#: Two bytes, no more likely than others in pictures and meshes, that end a piece: after ``SHORTEST`` bytes there are
#: 64 KiB more to them on the average, and the same bytes are found again behind whatever was put in or taken out.
_MARK = b"\x9d\xe6"

#: A block this long is a piece of its own: the points of a mesh, a packed picture.
_LONG_BLOCK = 64 * 1024

#: Before one data-block in so many, chosen by its name, a new piece begins.
_NAMES_PER_CUT = 8

#: "BLENDER-v405" up to 4.x; from 5.0 "BLENDER17-01v0500", with the header's own length.  "-": pointers of 8 bytes, "v":
#: the lowest byte comes first; files of other machines are cut as any other file.
_SMALL_HEADER, _LARGE_HEADER = re.compile(rb"BLENDER-v\d{3}"), re.compile(rb"BLENDER17-01v\d{4}")

#: Code, length, address, type, count of a block; the lengths grew in 5.0.
_SMALL_HEAD, _LARGE_HEAD = struct.Struct("<4siQii"), struct.Struct("<4siQqq")

#: Where a data-block has its name: behind its five first pointers, at most this many bytes of it.
_NAME_START, _NAME_BYTES = 40, 66


def pieces(file: BufferedIOBase, size: int, buffer: Callable[[], Buffer]) -> Iterator[memoryview | None]:
    """Yield the ``size`` bytes of a file, from its beginning, in pieces of at most ``LONGEST`` bytes.

    Each lies in what ``buffer`` returns when it is read.  When no more fits there None is yielded, and ``buffer`` is to
    return an empty one from then on, with room for ``LONGEST`` bytes.  The same bytes give the same pieces, however
    much room there is.  A file that is shorter than ``size`` gives what there is.
    """
    for start, length in _sections(file, size):
        yield from _cut(file, start, length, buffer)


def _cut(file: BufferedIOBase, start: int, length: int, buffer: Callable[[], Buffer]) -> Iterator[memoryview | None]:
    """Yield a run of bytes, cut where the content says so."""
    while length:
        room = buffer()
        # What is too little for a piece is not read, and what does not become one is read again.
        if room.free >= min(length, SHORTEST):
            wanted = min(length, room.free)
            held = room.read(file, start, wanted)
            if held < wanted:
                length = held
            while held and room.free and (end := _first_end(room, held, last=held == length)):
                yield room.take(end)
                start, length, held = start + end, length - end, held - end
        if length:
            yield None


def _first_end(room: Buffer, held: int, *, last: bool) -> int | None:
    """Return where the first piece of ``held`` bytes ends, None if that is behind them; ``last``: nothing is."""
    mark = room.find(_MARK, SHORTEST, min(held, LONGEST))
    if mark >= 0:
        return mark + len(_MARK)
    if held >= LONGEST:
        return LONGEST
    return held if last else None


def _sections(file: BufferedIOBase, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and length of the runs of bytes that are cut by themselves: of a .blend, its blocks in groups."""
    file.seek(0)
    beginning = file.read(17)
    if _LARGE_HEADER.fullmatch(beginning):
        head, place = _LARGE_HEAD, 17
    elif _SMALL_HEADER.match(beginning):
        head, place = _SMALL_HEAD, 12
    else:
        yield 0, size
        return
    start = 0
    file.seek(place)
    while place + head.size <= size:
        if file.tell() != place:
            file.seek(place)  # Who was given a section has read it.
        read = file.read(head.size)
        if len(read) < head.size:
            break  # it became shorter meanwhile; whoever counts the bytes notices
        code, *numbers = head.unpack(read)
        length = numbers[0] if head is _SMALL_HEAD else numbers[2]
        body, end = place + head.size, place + head.size + length
        if length < 0 or end > size:
            break  # damaged; who opens it will say so
        if length >= _LONG_BLOCK:
            yield start, body - start
            yield body, length
            start = end
        else:
            data = file.read(length)
            if _begins_a_piece(code, data) and place > start:
                yield start, place - start
                start = place
        place = end
    if start < size:
        yield start, size - start


def _begins_a_piece(code: bytes, data: bytes) -> bool:
    """Tell by the name of a data-block, which stays the same, whether it is to begin a new piece."""
    if code[2:] != b"\0\0":
        return False  # no data-block, but a part of the one before
    name = data[_NAME_START : _NAME_START + _NAME_BYTES].partition(b"\0")[0]
    return zlib.crc32(name) % _NAMES_PER_CUT == 0
