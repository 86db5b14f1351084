"""What is remembered of files is true of the files as they are, or it is not remembered."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from addon import digest_cache
from addon.digest_cache import DigestCache, FileState, usual_place

OLD = FileState(size=30, mtime_ns=1_700_000_000_000_000_000, inode=2**64 - 1, device=5)
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


@pytest.mark.parametrize("field", ["size", "mtime_ns", "inode", "device"])
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
