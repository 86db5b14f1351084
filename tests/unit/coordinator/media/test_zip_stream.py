"""ZIP archives, byte for byte, without sockets."""

import io
import shutil
import subprocess
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

import pytest

from coordinator.media.zip_stream import Entry, FileList, ZipLayout, archive_length

AT = datetime(2026, 5, 17, 13, 30, 42, tzinfo=UTC)


class Sparse(io.RawIOBase):
    """An archive whose files are gigabytes of zeros that take no memory: only what lies between them is kept."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, bytes]] = []
        self.length = 0
        self.place = 0

    def add(self, data: bytes) -> None:
        self.parts.append((self.length, data))
        self.length += len(data)

    def skip(self, length: int) -> None:
        self.length += length

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + (0, self.place, self.length)[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def read(self, size: int = -1) -> bytes:
        end = self.length if size < 0 else min(self.length, self.place + size)
        found = bytearray(end - self.place)
        for start, data in self.parts:
            for index in range(max(start, self.place), min(start + len(data), end)):
                found[index - self.place] = data[index - start]
        self.place = end
        return bytes(found)


def archive(files: dict[str, bytes]) -> bytes:
    """Return an archive of these files."""
    layout, content = ZipLayout(), b""
    for name, data in files.items():
        content += layout.head(Entry(name, len(data), AT), zlib.crc32(data)) + data
    return content + layout.end()


def test_an_archive_is_read_by_others(tmp_path: Path) -> None:
    files = {"0001.png": b"one", "0002/größe.exr": bytes(range(256)) * 20, "-0001.png": b""}
    content = archive(files)
    assert len(content) == archive_length(Entry(name, len(data), AT) for name, data in files.items())
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == files
        first = opened.infolist()[0]
        assert (first.date_time, first.compress_type) == ((2026, 5, 17, 13, 30, 42), zipfile.ZIP_STORED)
        assert first.external_attr >> 16 == 0o100644
        assert first.extract_version == 20, "nothing that an old program would stumble over"
    path = tmp_path / "all.zip"
    path.write_bytes(content)
    unpack = shutil.which("bsdtar") or shutil.which("unzip")
    if unpack is not None:
        subprocess.run([unpack, *(["-tf"] if unpack.endswith("bsdtar") else ["-tq"]), path], check=True)


@pytest.mark.parametrize("count", [65_534, 65_535, 65_536])
def test_more_files_than_the_old_format_counts(count: int) -> None:
    layout = ZipLayout()
    content = bytearray()
    for number in range(count):
        content += layout.head(Entry(f"{number:05d}", 0, AT), 0)
    content += layout.end()
    assert len(content) == archive_length(Entry(f"{number:05d}", 0, AT) for number in range(count))
    assert (b"PK\6\6" in content[-200:]) == (count >= 65_535)
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as opened:
        assert len(opened.namelist()) == count


@pytest.mark.parametrize("size", [2**32 - 2, 2**32 - 1, 2**32 + 5])
def test_files_and_archives_of_four_gigabytes_and_more(size: int) -> None:
    layout, content = ZipLayout(), Sparse()
    entries = [Entry("large.exr", size, AT), Entry("after.png", 3, AT)]
    content.add(layout.head(entries[0], 7))
    content.skip(size)
    content.add(layout.head(entries[1], zlib.crc32(b"end")) + b"end")
    content.add(layout.end())
    assert content.length == archive_length(entries)
    with zipfile.ZipFile(cast("IO[bytes]", content)) as opened:
        assert [it.file_size for it in opened.infolist()] == [size, 3]
        assert opened.read("after.png") == b"end"


def test_a_list_of_files_gives_back_what_was_added() -> None:
    files = FileList()
    files.add("0001.png", "ab" * 32, 2**33, AT)
    files.add("0002.png", "cd" * 32, 5, AT)
    assert len(files) == 2
    assert (files.entry(0), files.sha256(1)) == (Entry("0001.png", 2**33, AT), "cd" * 32)
    assert files.archive_length() == archive_length([files.entry(0), files.entry(1)])
