"""Files are cut so that a small change leaves most pieces as they were."""

import io
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon import cutting
from addon.buffers import Buffer
from addon.cutting import pieces

SMALL = b"BLENDER-v405", struct.Struct("<4siQii")
LARGE = b"BLENDER17-01v0500", struct.Struct("<4siQqq")


def cut(data: bytes, size: int | None = None, *, room: int = 4 * cutting.LONGEST, most: int = 1000) -> list[bytes]:
    """Return the pieces of a file with these bytes, read into buffers of some size for some pieces."""
    buffers = [Buffer(room, most)]
    found = []
    for piece in pieces(io.BytesIO(data), len(data) if size is None else size, lambda: buffers[-1]):
        if piece is None:
            buffers.append(Buffer(room, most))
        else:
            found.append(piece)
    # No piece was written over by another one.
    return [bytes(piece) for piece in found]


def noise(size: int, seed: int) -> bytes:
    """Return bytes without any order."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - no secret


def block(layout: tuple[bytes, struct.Struct], code: bytes, address: int, body: bytes) -> bytes:
    """Return a block of a .blend."""
    head = layout[1]
    if head.size == 24:
        return head.pack(code, len(body), address, 0, 1) + body
    return head.pack(code, 0, address, len(body), 1) + body


def data_block(layout: tuple[bytes, struct.Struct], name: str, address: int) -> bytes:
    """Return a data-block, whose first bytes are addresses that are others in each session."""
    return block(layout, b"OB\0\0", address, struct.pack("<5Q", *[address + 8] * 5) + name.encode().ljust(1000, b"\0"))


def blend(layout: tuple[bytes, struct.Struct], names: list[str], mesh: bytes) -> bytes:
    """Return a .blend with these objects and a mesh."""
    objects = [data_block(layout, name, 0x7F0000000000 + index) for index, name in enumerate(names)]
    return b"".join([layout[0], *objects, block(layout, b"DATA", 0x7FFF, mesh), block(layout, b"ENDB", 0, b"")])


@given(st.binary(max_size=3000))
def test_nothing_is_lost(data: bytes) -> None:
    assert b"".join(cut(data)) == data


@given(st.binary(max_size=300), st.sampled_from([SMALL, LARGE]))
def test_nothing_is_lost_of_a_blend_that_is_damaged(damage: bytes, layout: tuple[bytes, struct.Struct]) -> None:
    whole = blend(layout, ["OBa", "OBb"], b"mesh")
    at = len(damage) * 7 % len(whole)
    data = whole[:at] + damage + whole[at + len(damage) :]
    assert b"".join(cut(data)) == data
    assert b"".join(cut(layout[0] + damage)) == layout[0] + damage


def test_pieces_are_neither_long_nor_short() -> None:
    sizes = [len(piece) for piece in cut(noise(20_000_000, 1))]
    assert max(sizes) <= cutting.LONGEST
    assert min(sizes[:-1]) > cutting.SHORTEST
    assert sum(sizes) / len(sizes) < 1_250_000
    assert [len(piece) for piece in cut(bytes(2 * cutting.LONGEST + 1))] == [cutting.LONGEST, cutting.LONGEST, 1]


def test_what_stands_behind_a_change_is_found_again() -> None:
    before = noise(20_000_000, 2)
    after = before[:9_000_000] + b"something new" + before[9_000_010:]
    known = set(cut(before))
    new = [piece for piece in cut(after) if piece not in known]
    assert sum(map(len, new)) < 2 * cutting.LONGEST
    assert b"".join(cut(after)) == after


@pytest.mark.parametrize("layout", [SMALL, LARGE], ids=["4.x", "5.x"])
def test_a_blend_is_cut_at_its_blocks(layout: tuple[bytes, struct.Struct]) -> None:
    names = [f"OBobject {number}" for number in range(400)]
    mesh = noise(2_000_000, 3)
    before = cut(blend(layout, names, mesh))
    assert any(mesh.startswith(piece) for piece in before)
    assert len(before) > 30
    # Another session: an object more, so that all others, their addresses and the mesh are elsewhere in the file.
    after = cut(blend(layout, ["OBnew", *names], mesh))
    assert set(after) - set(before)
    assert not any(piece in mesh for piece in set(after) - set(before) if len(piece) > 2000)


def test_an_object_that_is_edited_changes_its_own_piece_only() -> None:
    names = [f"OBobject {number}" for number in range(400)]
    before = blend(SMALL, names, b"")
    at = before.index(b"OBobject 200") + 500
    after = before[:at] + b"moved" + before[at + 5 :]
    assert len(set(cut(after)) - set(cut(before))) == 1
    assert sum(map(len, set(cut(after)) - set(cut(before)))) < 0.1 * len(after)


def test_a_file_that_became_shorter_gives_what_there_is() -> None:
    assert cut(b"short", 100) == [b"short"]
    whole = blend(SMALL, ["OBa"], b"mesh")
    assert b"".join(cut(whole[:-30], len(whole))) == whole[:-30]


@pytest.mark.parametrize(("room", "most"), [(cutting.LONGEST, 1000), (3 * cutting.LONGEST + 17, 1000), (2**24, 2)])
def test_the_room_for_pieces_makes_no_other_pieces(room: int, most: int) -> None:
    names = [f"OBobject {number}" for number in range(100)]
    for data in (noise(9_000_000, 4), bytes(2 * cutting.LONGEST + 1), blend(SMALL, names, noise(5_000_000, 5))):
        assert cut(data, room=room, most=most) == cut(data)
        assert b"".join(cut(data, room=room, most=most)) == data


@pytest.mark.parametrize("size", [1, cutting.SHORTEST, cutting.SHORTEST + 1, cutting.LONGEST])
def test_a_file_as_long_as_a_piece_is_one(size: int) -> None:
    assert cut(bytes(size)) == [bytes(size)]
    assert [len(piece) for piece in cut(bytes(size), room=cutting.LONGEST, most=1)] == [size]
