"""Where frames go: where the scene said when it was submitted."""

from pathlib import Path

import pytest

from addon.destinations import MOST, Destination, recall, remember


@pytest.mark.parametrize(
    ("destination", "frame", "video"),
    [
        (Destination("/o/beauty_###"), "/o/beauty_007.png", "/o/Shot.mp4"),
        (Destination("/o/"), "/o/0007.png", "/o/Shot.mp4"),
        (Destination("/o/f_", use_ending=False), "/o/f_0007", "/o/Shot.mp4"),
        (Destination("/o/f_", subfolder="Cam/A"), "/o/Cam_A/f_0007.png", "/o/Cam_A/Shot.mp4"),
        (Destination("/o/", subfolder="Top"), "/o/Top/0007.png", "/o/Top/Shot.mp4"),
    ],
)
def test_files_are_placed_as_blender_would(destination: Destination, frame: str, video: str) -> None:
    placement = destination.placement("Shot")
    assert placement.frame(7, "0007.png") == Path(frame)
    assert placement.video == Path(video)


def test_a_destination_is_remembered_for_its_job_and_farm(tmp_path: Path) -> None:
    path = tmp_path / "new" / "destinations.json"
    remember("http://a", 1, Destination("/o/a_", subfolder="Top"), path)
    remember("http://b", 1, Destination("/o/b_"), path)
    assert recall("http://a", 1, path) == Destination("/o/a_", subfolder="Top")
    assert recall("http://b", 1, path) == Destination("/o/b_")
    assert recall("http://a", 2, path) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"http://a 1": {"pattern": "/o/"}}', '{"http://a 1": 5}'])
def test_a_damaged_file_is_forgotten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "destinations.json"
    path.write_text(text)
    assert recall("http://a", 1, path) is None
    remember("http://a", 1, Destination("/o/a_"), path)
    assert recall("http://a", 1, path) == Destination("/o/a_")


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "destinations.json"
    path.write_text("{" + ",".join(f'"http://a {number}": {{}}' for number in range(MOST)) + "}")
    remember("http://a", MOST, Destination("/o/"), path)
    text = path.read_text()
    assert '"http://a 0"' not in text
    assert '"http://a 1"' in text
