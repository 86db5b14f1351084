"""Progress, time left, names."""

import math
import random

import pytest

from coordinator.domain.costs import CostProfile
from coordinator.domain.estimates import eta_range, eta_seconds, open_seconds, progress
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


def test_work_left_is_that_of_the_parts_that_are_left() -> None:
    costs = CostProfile.empty(4).with_frame(0, 2.0, 1.0).with_frame(1, 2.0, 1.0).with_frame(3, 6.0, 1.0)
    assert open_seconds(costs, 1) == pytest.approx(4.0)
    assert open_seconds(costs.with_frame(2, 3.0, 1.0), 2) == pytest.approx(5.0)
    assert open_seconds(CostProfile.empty(4), 4) is None


def simulated_shot(chance: random.Random, frames: int) -> list[float]:
    """Return frames that wander, drift, jump at a cut and are never quite alike."""
    level, walked, jump = chance.uniform(-1, 3), 0.0, 0.0
    drift = chance.gauss(0, 0.5) / frames
    step = chance.choice([0.0, 0.02, 0.05, 0.1]) * math.sqrt(100 / frames)
    cut = chance.randrange(frames) if chance.random() < 0.3 else None
    costs = []
    for frame in range(frames):
        walked += chance.gauss(0, step) + drift
        jump = chance.gauss(0, 0.5) if frame == cut else jump
        costs.append(math.exp(level + walked + jump + chance.gauss(0, 0.08)))
    return costs


@pytest.mark.parametrize("done", [0.05, 0.25, 0.5, 0.8])
def test_most_jobs_end_within_the_range(done: float) -> None:
    chance = random.Random(5)  # noqa: S311 - simulated shots
    frames, within = 120, 0
    for _ in range(200):
        shot = simulated_shot(chance, frames)
        costs = CostProfile.empty(frames)
        measured = round(frames * done)
        for rank in range(measured):
            costs = costs.with_frame(rank, shot[rank], 1.0)
        left = frames - measured
        eta = eta_seconds(open_frames=left, open_seconds=open_seconds(costs, left), shares=[0.0], speed=1.0)
        bounds = eta_range(eta, costs, left)
        assert bounds is not None
        within += bounds[0] <= sum(shot[measured:]) <= bounds[1]
    assert 0.7 <= within / 200 <= 0.92


def test_a_range_narrows_and_needs_an_estimate() -> None:
    costs = CostProfile.empty(100)
    assert eta_range(None, costs, 100) is None
    for rank in range(2):
        costs = costs.with_frame(rank, 2.0, 1.0)
    early = eta_range(98.0, costs, 98)
    for rank in range(2, 90):
        costs = costs.with_frame(rank, 2.0, 1.0)
    late = eta_range(98.0, costs, 10)
    assert early is not None
    assert late is not None
    assert early[0] < late[0] < 98.0 < late[1] < early[1]


@pytest.mark.parametrize(
    ("frame", "image_format", "name"),
    [(1, "PNG", "0001.png"), (-1, "JPEG", "-0001.jpg"), (12345, "OPEN_EXR", "12345.exr"), (0, "PNG", "0000.png")],
)
def test_frames_are_named_as_blender_names_them(frame: int, image_format: str, name: str) -> None:
    assert frame_filename(frame, image_format) == name


def test_blender_versions_sort() -> None:
    assert blender_number(4, 2) < blender_number(4, 10) < blender_number(5, 0)
    assert blender_version(blender_number(4, 10)) == (4, 10)
