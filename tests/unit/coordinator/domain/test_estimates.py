"""Progress, time left, retries, names."""

import pytest

from coordinator.domain.estimates import eta_seconds, progress
from coordinator.domain.filenames import frame_filename
from coordinator.domain.model import blender_number, blender_version
from coordinator.domain.retry import may_retry


def test_frames_being_rendered_count_by_their_share() -> None:
    assert progress(frame_count=10, ended=2, shares=[0.5, 0.25]) == pytest.approx(0.275)
    assert progress(frame_count=10, ended=10, shares=[]) == 1.0
    assert progress(frame_count=2, ended=1, shares=[1.0, 1.0]) == 1.0


def test_time_left_follows_the_slots_at_work() -> None:
    assert eta_seconds(open_frames=10, shares=[0.5, 0.5], seconds_per_frame=4.0) == pytest.approx(18.0)
    # Eight slots cannot share one frame.
    assert eta_seconds(open_frames=1, shares=[0.5] + [0.0] * 7, seconds_per_frame=4.0) == pytest.approx(2.0)
    assert eta_seconds(open_frames=1, shares=[], seconds_per_frame=4.0) is None
    assert eta_seconds(open_frames=1, shares=[0.1], seconds_per_frame=None) is None
    assert eta_seconds(open_frames=0, shares=[0.1], seconds_per_frame=4.0) is None


def test_three_retries_are_four_attempts() -> None:
    assert [may_retry(attempts, 3) for attempts in (1, 2, 3, 4)] == [True, True, True, False]
    assert not may_retry(1, 0)


@pytest.mark.parametrize(
    ("frame", "image_format", "name"),
    [(1, "PNG", "0001.png"), (-1, "JPEG", "-0001.jpg"), (12345, "OPEN_EXR", "12345.exr"), (0, "PNG", "0000.png")],
)
def test_frames_are_named_as_blender_names_them(frame: int, image_format: str, name: str) -> None:
    assert frame_filename(frame, image_format) == name


def test_blender_versions_sort() -> None:
    assert blender_number(4, 2) < blender_number(4, 10) < blender_number(5, 0)
    assert blender_version(blender_number(4, 10)) == (4, 10)
