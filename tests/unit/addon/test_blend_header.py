"""What the first bytes of a file tell."""

import gzip
from pathlib import Path

import pytest

from addon.blend_header import NotABlendError, read_header


@pytest.mark.parametrize(
    ("start", "version"),
    [
        (b"BLENDER-v405REND", (4, 5)),
        (b"BLENDER_V277", (2, 77)),
        (b"BLENDER17-01v0500", (5, 0)),
        (b"BLENDER17-01v0512", (5, 12)),
        (gzip.compress(b"BLENDER-v293RENDH"), (2, 93)),
        (b"\x28\xb5\x2f\xfdcompressed", None),
    ],
    ids=["4.5", "2.77", "5.0", "5.12", "gzip", "zstandard"],
)
def test_the_version_is_read(tmp_path: Path, start: bytes, version: tuple[int, int] | None) -> None:
    blend = tmp_path / "a.blend"
    blend.write_bytes(start)
    assert read_header(blend).version == version


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a Blender file"),
        (b"shopping list", "not a Blender file"),
        (gzip.compress(b"shopping list"), "not a Blender file"),
        (gzip.compress(b"BLENDER-v293RENDH" * 9)[:12], "damaged"),
    ],
    ids=["empty", "text", "packed text", "half a packed blend"],
)
def test_what_is_no_blend_is_called_so(tmp_path: Path, content: bytes, words: str) -> None:
    blend = tmp_path / "notes.blend"
    blend.write_bytes(content)
    with pytest.raises(NotABlendError, match=words) as caught:
        read_header(blend)
    assert "notes.blend" in str(caught.value)


def test_files_that_are_not_there_and_folders(tmp_path: Path) -> None:
    with pytest.raises(NotABlendError, match="no file"):
        read_header(tmp_path / "nowhere.blend")
    with pytest.raises(NotABlendError, match="folder"):
        read_header(tmp_path)
