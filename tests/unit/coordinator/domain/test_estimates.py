"""Progress, time left, names."""

import pytest

from coordinator.domain.estimates import eta_seconds, progress
from coordinator.domain.filenames import frame_filename
from coordinator.domain.versions import blender_number, blender_version


def test_frames_being_rendered_count_by_their_share() -> None:
    assert progress(frame_count=10, ended=2, shares=[0.5, 0.25]) == pytest.approx(0.275)
    assert progress(frame_count=10, ended=10, shares=[]) == 1.0
    assert progress(frame_count=2, ended=1, shares=[1.0, 1.0]) == 1.0


def test_time_left_follows_the_slots_at_work() -> None:
    assert eta_seconds(open_frames=10, open_seconds=40.0, shares=[0.5, 0.5], speed=2.0) == pytest.approx(18.0)
    # One of them is eight times as fast.
    assert eta_seconds(open_frames=10, open_seconds=40.0, shares=[0.5, 0.5], speed=9.0) == pytest.approx(4.0)
    # Eight slots cannot share one frame.
    assert eta_seconds(open_frames=1, open_seconds=4.0, shares=[0.5] + [0.0] * 7, speed=8.0) == pytest.approx(2.0)
    # Two slots render the same frame; one of them is nearly done.
    assert eta_seconds(open_frames=1, open_seconds=4.0, shares=[0.9, 0.2], speed=2.0) == pytest.approx(0.4)
    assert eta_seconds(open_frames=1, open_seconds=4.0, shares=[], speed=0.0) is None
    assert eta_seconds(open_frames=1, open_seconds=None, shares=[0.1], speed=1.0) is None
    assert eta_seconds(open_frames=0, open_seconds=0.0, shares=[0.1], speed=1.0) is None


@pytest.mark.parametrize(
    ("frame", "image_format", "name"),
    [(1, "PNG", "0001.png"), (-1, "JPEG", "-0001.jpg"), (12345, "OPEN_EXR", "12345.exr"), (0, "PNG", "0000.png")],
)
def test_frames_are_named_as_blender_names_them(frame: int, image_format: str, name: str) -> None:
    assert frame_filename(frame, image_format) == name


def test_blender_versions_sort() -> None:
    assert blender_number(4, 2) < blender_number(4, 10) < blender_number(5, 0)
    assert blender_version(blender_number(4, 10)) == (4, 10)
