"""Bringing a job's files back: whole, once, and only into the folder."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, cast

import pytest

from addon.client import FarmClient, FarmError
from addon.results import Download, Placement, fetch_job, safe_name


class FaultyFarm:
    """Stands in for the network: has three frames and a video, and fails as a test wants."""

    def __init__(self) -> None:
        self.outputs = {1: b"one", 2: b"two", 3: b"three"}
        self.fetched: list[str] = []
        self.extras: dict[str, bytes] = {}
        """Of frame 2."""
        self.filename = "{:04d}.png"
        self.before_frame: Callable[[int], None] = lambda _frame: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def job(self, job_id: int) -> dict[str, Any]:
        return {"id": job_id, "name": "Shot: 010/a", "finished": 3, "video_ready": True}

    def frames(self, _job_id: int) -> Iterator[dict[str, Any]]:
        for frame, data in self.outputs.items():
            digest = hashlib.sha256(data).hexdigest()
            filename, extras = self.filename.format(frame), len(self.extras) if frame == 2 else 0
            yield {"frame": frame, "state": "finished", "filename": filename, "sha256": digest, "extras": extras}
        yield {"frame": 4, "state": "failed", "filename": None, "sha256": None}

    def download_output(self, _job_id: int, frame: int, target: Path, *, sha256: str) -> None:
        self.before_frame(frame)
        assert hashlib.sha256(self.outputs[frame]).hexdigest() == sha256
        target.write_bytes(self.outputs[frame])
        self.fetched.append(target.name)

    def frame_files(self, _job_id: int, frame: int) -> list[dict[str, Any]]:
        assert frame == 2
        return [{"path": path, "sha256": hashlib.sha256(data).hexdigest()} for path, data in self.extras.items()]

    def download_frame_file(self, _job_id: int, frame: int, path: str, target: Path, *, sha256: str) -> None:
        assert (frame, hashlib.sha256(self.extras[path]).hexdigest()) == (2, sha256)
        target.write_bytes(self.extras[path])
        self.fetched.append(path)

    def download_video(self, _job_id: int, target: Path, progress: Callable[[int, int], None]) -> None:
        progress(1, 2)
        target.write_bytes(b"mp4")
        self.fetched.append(target.name)


@pytest.fixture
def farm() -> FaultyFarm:
    return FaultyFarm()


def as_client(farm: FaultyFarm) -> FarmClient:
    return cast("FarmClient", farm)


def test_finished_frames_and_the_video_arrive(farm: FaultyFarm, tmp_path: Path) -> None:
    told: list[float] = []
    count = fetch_job(as_client(farm), 1, tmp_path / "new", lambda _text, fraction: told.append(fraction))
    assert count == 4
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "0001.png",
        "0002.png",
        "0003.png",
        "Shot_ 010_a.mp4",
    ]
    assert told == sorted(told)
    assert told[0] == 0


def test_what_a_scene_wrote_itself_comes_along_in_a_folder_of_its_frame(farm: FaultyFarm, tmp_path: Path) -> None:
    farm.extras = {"mask.png": b"mask", "passes/depth.exr": b"depth"}
    for _ in range(2):
        fetch_job(as_client(farm), 1, tmp_path)
    assert (tmp_path / "0002/mask.png").read_bytes() == b"mask"
    assert (tmp_path / "0002/passes/depth.exr").read_bytes() == b"depth"
    assert farm.fetched.count("passes/depth.exr") == 1


@pytest.mark.parametrize("path", ["../up.png", "/etc/x.png", "a\\b.png", "a//b.png", "C:x.png"])
def test_a_path_that_leads_out_of_the_folder_is_refused(farm: FaultyFarm, tmp_path: Path, path: str) -> None:
    farm.extras = {path: b"x"}
    with pytest.raises(FarmError, match="leads elsewhere"):
        fetch_job(as_client(farm), 1, tmp_path / "in")
    assert path not in farm.fetched


def test_what_is_there_whole_is_not_fetched_again(farm: FaultyFarm, tmp_path: Path) -> None:
    (tmp_path / "0001.png").write_bytes(b"one")
    (tmp_path / "0002.png").write_bytes(b"tw")
    fetch_job(as_client(farm), 1, tmp_path)
    assert farm.fetched == ["0002.png", "0003.png", "Shot_ 010_a.mp4"]
    assert (tmp_path / "0002.png").read_bytes() == b"two"


@pytest.mark.parametrize("name", ["../{:04d}.png", "/etc/{:04d}.png", "{:04d}.png/x", "{:04d}.sh", "C:{:04d}.png", ""])
def test_a_name_that_is_no_frames_is_refused(farm: FaultyFarm, tmp_path: Path, name: str) -> None:
    farm.filename = name
    with pytest.raises(FarmError, match="which is no frame"):
        fetch_job(as_client(farm), 1, tmp_path)
    assert not farm.fetched


def test_a_folder_that_cannot_be_made_is_named(farm: FaultyFarm, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FarmError, match="cannot be made"):
        fetch_job(as_client(farm), 1, tmp_path / "file" / "folder")


def test_a_download_in_the_background_says_where_the_files_are(farm: FaultyFarm, tmp_path: Path) -> None:
    download = Download(as_client(farm), 1, Placement.in_folder(tmp_path, "shot"))
    download.start()
    assert download.wait(10)
    assert download.error is None
    assert download.progress().message == f"4 files in {tmp_path}"


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (FarmError("disk", "The disk is full."), "The disk is full."),
        (KeyError("frame"), "Please report this as a bug."),
    ],
)
def test_a_failing_download_says_why(farm: FaultyFarm, tmp_path: Path, failure: Exception, sentence: str) -> None:
    def fail(_frame: int) -> None:
        raise failure

    farm.before_frame = fail
    download = Download(as_client(farm), 1, Placement.in_folder(tmp_path, "shot"))
    download.start()
    assert download.wait(10)
    assert str(download.error) == download.progress().message
    assert sentence in download.progress().message


def test_a_cancelled_download_keeps_what_has_arrived(farm: FaultyFarm, tmp_path: Path) -> None:
    at_second, go_on = threading.Event(), threading.Event()

    def pause(frame: int) -> None:
        if frame == 2:
            at_second.set()
            assert go_on.wait(10)

    farm.before_frame = pause
    download = Download(as_client(farm), 1, Placement.in_folder(tmp_path, "shot"))
    download.start()
    assert at_second.wait(10)
    download.cancel()
    go_on.set()
    assert download.wait(10)
    assert download.error is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001.png", "0002.png"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [("Shot 010", "Shot 010"), ("a/b\\c:d", "a_b_c_d"), ("..", "job"), ("  ", "job"), ("x" * 300, "x" * 100)],
)
def test_a_jobs_name_becomes_a_files(name: str, safe: str) -> None:
    assert safe_name(name) == safe
