"""What is remembered of files is true of the files as they are, or it is not remembered."""

import os
import shutil
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from addon import digest_cache
from addon.digest_cache import DigestCache, FileState, usual_place

LONG_AGO = 1_700_000_000_000_000_000
OLD = FileState(size=30, mtime_ns=LONG_AGO, ctime_ns=LONG_AGO, inode=2**64 - 1, device=5)
PIECES = [(10, b"a" * 32), (20, b"b" * 32)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "new" / "digests.sqlite"


def remember(place: Path, path: str = "/wood.png", state: FileState = OLD) -> None:
    cache = DigestCache(place)
    cache.put(path, state, PIECES)
    cache.close()


def recall(place: Path | None, path: str = "/wood.png", state: FileState = OLD) -> object:
    cache = DigestCache(place)
    try:
        return cache.get(path, state)
    finally:
        cache.close()


def test_it_is_there_the_next_time(place: Path) -> None:
    remember(place)
    assert recall(place) == PIECES
    assert recall(place, "/oak.png") is None


@pytest.mark.parametrize("field", ["size", "mtime_ns", "ctime_ns", "inode", "device"])
def test_a_file_that_was_written_is_not_known(place: Path, field: str) -> None:
    remember(place)
    assert recall(place, state=replace(OLD, **{field: getattr(OLD, field) - 1})) is None


def test_names_need_not_be_text(place: Path) -> None:
    name = os.fsdecode(b"/\xff\xfe.png")
    remember(place, name)
    assert recall(place, name) == PIECES


def test_a_file_written_just_now_is_not_remembered(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addon.digest_cache.time.time_ns", lambda: OLD.mtime_ns + digest_cache.TOO_YOUNG - 1)
    remember(place)
    assert recall(place) is None


@pytest.mark.parametrize("damage", [b"no database", b"", b"SQLite format 3\0 and nothing more"])
def test_a_damaged_file_is_made_anew(place: Path, damage: bytes) -> None:
    remember(place)
    place.write_bytes(damage)
    for extra in place.parent.glob("*-*"):
        extra.unlink()
    assert recall(place) is None
    remember(place)
    assert recall(place) == PIECES


def test_a_file_that_was_replaced_by_one_of_the_same_size_and_time_is_read_again(place: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "wood.png", tmp_path / "other.png"
    for path in (file, other):
        path.write_bytes(path.name[:5].encode() * 6)
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    cache = DigestCache(place)
    before = FileState.of(file.stat())
    shutil.copy2(other, file)  # in its place, with its time
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.size, before.mtime_ns)
    cache.put(str(file), replace(before, ctime_ns=LONG_AGO), PIECES)
    assert cache.get(str(file), FileState.of(file.stat())) is None
    cache.close()


@pytest.mark.parametrize("ahead", [3600, 10 * 365 * 86400])
def test_a_file_from_the_future_is_not_remembered(place: Path, ahead: int) -> None:
    # A file server's clock that goes ahead: it may be written again at the very time that it has.
    state = replace(OLD, mtime_ns=time.time_ns() + ahead * 1_000_000_000)
    remember(place, state=state)
    assert recall(place, state=state) is None


def test_a_digest_that_rotted_on_the_disk_is_not_believed(place: Path) -> None:
    remember(place)
    with sqlite3.connect(place) as database:
        database.execute("UPDATE files SET pieces = replace(pieces, X'6161', X'6163')")
    database.close()
    assert recall(place) is None


def test_a_file_whose_pages_rotted_is_given_up(place: Path) -> None:
    cache = DigestCache(place)
    for number in range(2000):
        cache.put(f"/{number}.png", OLD, PIECES)
    cache.close()
    with sqlite3.connect(place) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    with place.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (place.stat().st_size - 4096))
    cache = DigestCache(place)
    assert [cache.get(f"/{number}.png", OLD) for number in range(0, 2000, 100)] == [None] * 20
    cache.close()
    remember(place)
    assert recall(place) == PIECES


def test_other_rules_make_it_void(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(place)
    monkeypatch.setattr(digest_cache, "RULES", digest_cache.RULES + 1)
    assert recall(place) is None
    remember(place)
    assert recall(place) == PIECES


def test_without_a_place_nothing_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (None, tmp_path / "file" / "digests"):
        cache = DigestCache(place)
        cache.put("/wood.png", OLD, PIECES)
        assert cache.get("/wood.png", OLD) is None
        cache.close()


def test_two_processes_share_it(place: Path) -> None:
    first, second = DigestCache(place), DigestCache(place)
    first.put("/wood.png", OLD, PIECES)
    first.close()
    second.put("/oak.png", OLD, PIECES)
    second.close()
    assert recall(place) == recall(place, "/oak.png") == PIECES


def test_the_oldest_go_when_there_are_too_many(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_cache, "MOST_FILES", 3)
    for number in range(5):
        remember(place, f"/{number}.png")
    assert [recall(place, f"/{number}.png") is not None for number in range(5)] == [False, False, True, True, True]


def test_what_contradicts_itself_is_not_believed(place: Path) -> None:
    remember(place)
    with sqlite3.connect(place) as database:
        database.execute("UPDATE files SET pieces = substr(pieces, 1, 36)")
    database.close()
    assert recall(place) is None


def test_each_person_has_a_place() -> None:
    assert usual_place().name == "digests.sqlite"
    assert usual_place().is_absolute()
