"""What the agent takes of what a session wrote, and what it leaves."""

import os
from pathlib import Path

import pytest

from agent.scratch import Extra, NotAFileError, Scratch, clear_sessions
from coordinator.protocol import MAX_EXTRAS


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A session's folder."""
    made = Scratch.make(tmp_path / "sessions", 0, sandboxed=False)
    made.extras.mkdir()
    return made


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    """A frame's folder."""
    folder = tmp_path / "frame"
    folder.mkdir()
    return folder


def test_a_file_is_moved(scratch: Scratch, frame: Path) -> None:
    (scratch.output / "frame.png").write_bytes(b"picture")
    scratch.take("frame.png", frame)
    assert (frame / "frame.png").read_bytes() == b"picture"
    assert not (scratch.output / "frame.png").exists()


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "empty"])
def test_what_is_no_file_is_not_taken(scratch: Scratch, frame: Path, tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("token")
    path = scratch.output / "frame.png"
    match kind:
        case "link":
            path.symlink_to(secret)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "empty":
            path.touch()
    with pytest.raises(NotAFileError):
        scratch.take("frame.png", frame)
    assert list(frame.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        scratch.take("preview.jpg", frame)


def test_extras_are_taken_with_their_places_and_no_link_is_followed(
    scratch: Scratch, frame: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.png").write_text("token")
    (scratch.extras / "depth").mkdir()
    (scratch.extras / "depth/0001.exr").write_bytes(b"depth")
    (scratch.extras / "mask.png").write_bytes(b"mask")
    (scratch.extras / "folder").symlink_to(elsewhere)
    (scratch.extras / "file").symlink_to(elsewhere / "secret.png")
    (scratch.extras / "con.png").write_bytes(b"no name on every system")
    extras, warnings = scratch.take_extras(frame)
    assert extras == [Extra("depth/0001.exr", "extra-000"), Extra("mask.png", "extra-001")]
    assert [(frame / extra.name).read_bytes() for extra in extras] == [b"depth", b"mask"]
    assert len(warnings) == 1
    assert warnings[0].startswith("3 files")
    assert (elsewhere / "secret.png").exists()


def test_too_many_extras_are_left(scratch: Scratch, frame: Path) -> None:
    for number in range(MAX_EXTRAS + 2):
        (scratch.extras / f"{number:04d}.png").write_bytes(b"x")
    extras, warnings = scratch.take_extras(frame)
    assert len(extras) == MAX_EXTRAS
    assert warnings[0].startswith("2 files")


def test_no_extras(scratch: Scratch, frame: Path) -> None:
    scratch.extras.rmdir()
    assert scratch.take_extras(frame) == ([], [])


def test_folders_without_end_are_neither_looked_through_nor_left(scratch: Scratch, frame: Path) -> None:
    folder = os.open(scratch.extras, os.O_RDONLY)
    for _ in range(1500):  # deeper than Python's own functions go, and than a path may be long
        os.mkdir("deeper-than-that", dir_fd=folder)
        inner = os.open("deeper-than-that", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    assert scratch.take_extras(frame) == ([], [])
    (scratch.temporary / "locked").mkdir(mode=0o000)
    scratch.remove()
    assert not scratch.output.parent.exists()


def test_what_a_killed_agent_left_is_cleared(scratch: Scratch) -> None:
    sessions = scratch.output.parents[1]
    clear_sessions(sessions)
    assert not sessions.exists()
    clear_sessions(sessions)
