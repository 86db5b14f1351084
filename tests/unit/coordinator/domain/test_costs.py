"""What frames cost, and how fast slots are."""

import json
import math
import random
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.costs import BUCKETS, FADE, FASTEST, LOADS, SLOWEST, CostProfile, learn_speed


def measured(seconds: dict[int, float], frame_count: int) -> CostProfile:
    """Return the profile after frames, by rank, took so long."""
    profile = CostProfile.empty(frame_count)
    for rank, took in seconds.items():
        profile = profile.with_frame(rank, took, 1.0)
    return profile


def shot(frame_count: int) -> list[float]:
    """Return the seconds of a shot whose frames change smoothly, sevenfold from the lightest to the heaviest."""
    return [4.0 + 3.0 * math.sin(9.0 * rank / frame_count) for rank in range(frame_count)]


def off(profile: CostProfile, costs: list[float]) -> float:
    """Return by how much the worst estimate is off, as a share of the true cost."""
    estimates = [profile.seconds(rank) or 0.0 for rank in range(len(costs))]
    return max(abs(estimate / cost - 1.0) for estimate, cost in zip(estimates, costs, strict=True))


def test_nothing_is_known_at_first() -> None:
    profile = CostProfile.empty(10)
    assert profile.seconds(9) is None
    assert profile.yardstick(0) is None
    assert profile.total(0, 10) is None
    assert profile.slowest(0, 9) is None
    assert profile.typical is None
    assert profile.load == 0.0
    assert profile.samples == 0


def test_one_frame_tells_of_all() -> None:
    profile = CostProfile.empty(100).with_frame(0, 3.0, speed=2.0)
    assert profile.seconds(99) == profile.typical == 6.0
    assert profile.total(10, 5) == pytest.approx(30.0)
    assert profile.samples == 1


def test_between_two_measured_frames_lies_a_straight_line() -> None:
    profile = measured({0: 1.0, 10: 6.0}, 20)
    assert [profile.seconds(rank) for rank in (0, 4, 10)] == pytest.approx([1.0, 3.0, 6.0])
    assert profile.slowest(0, 4) == pytest.approx(3.0)
    assert profile.slowest(0, 10) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("seconds", "comes"),
    [
        ({0: 1.0, 10: 6.0}, (6.0, 6.0 + 0.5 * FADE)),  # half a second more with each frame
        ({0: 26.0, 10: 6.0}, (2.0, 2.5)),  # 2 less with each: but not below a third
        ({8: 3.0, 10: 6.0}, (6.0, 6.0)),  # these are too near each other to tell
        ({10: 6.0}, (6.0, 6.0)),
    ],
)
def test_the_course_goes_on_ever_less_steeply(seconds: dict[int, float], comes: tuple[float, float]) -> None:
    profile = measured(seconds, 20)
    beyond = [profile.seconds(rank) or 0.0 for rank in range(10, 20)]
    steps = [after - before for before, after in pairwise(beyond)]
    assert [abs(step) for step in steps] == sorted([abs(step) for step in steps], reverse=True)
    assert comes[0] <= beyond[-1] <= comes[1]
    assert (beyond[-1] - beyond[0]) * (beyond[0] - (profile.seconds(0) or 0.0)) >= 0


def test_frames_around_a_rank_are_those_there_and_typical_ones_beyond_the_job() -> None:
    profile = measured({0: 1.0, 10: 6.0}, 20)
    assert profile.around(4) == 0.0
    assert profile.around(2, before=2, after=3) == pytest.approx(1.0 + 1.5 + 2.0 + 2.5 + 3.0)
    at_end = (profile.seconds(18) or 0.0) + (profile.seconds(19) or 0.0)
    assert profile.around(18, after=4) == pytest.approx(at_end + 2 * (profile.typical or 0.0))
    assert profile.around(1, before=2) == pytest.approx(1.0 + (profile.typical or 0.0))
    assert CostProfile.empty(20).around(4, after=2) is None


@pytest.mark.parametrize("frame_count", [24, 250, 2000])
def test_estimates_follow_a_shot(frame_count: int) -> None:
    """Every second frame is known, one in fifty of them had to wait, and the slots' speeds go from 1 to 8."""
    lot = random.Random(7)  # noqa: S311 - a fixed seed makes the same shot every time
    costs, profile = shot(frame_count), CostProfile.empty(frame_count)
    ranks = list(range(0, frame_count, 2))
    lot.shuffle(ranks)
    for number, rank in enumerate(ranks):
        speed = lot.uniform(1.0, 8.0)
        waited = 20.0 if number % 50 == 7 else 1.0
        profile = profile.with_frame(rank, costs[rank] * waited * lot.uniform(0.95, 1.05) / speed, speed)
    estimates = [profile.seconds(rank) or 0.0 for rank in range(frame_count)]
    differences = [abs(estimate / cost - 1.0) for estimate, cost in zip(estimates, costs, strict=True)]
    assert fmean(differences) < 0.1
    assert max(differences) < 1.0
    assert profile.total(0, frame_count) == pytest.approx(sum(costs), rel=0.07)


@pytest.mark.parametrize("outlier", [0, 1, 5])
def test_one_frame_that_waited_does_not_sway_the_rest(outlier: int) -> None:
    costs = [1.0 + 0.1 * (rank % 2) for rank in range(12)]
    for frame_count in (12, 400):  # each frame a bucket of its own, or all of them in one
        waited = {rank: 90.0 if rank == outlier else took for rank, took in enumerate(costs)}
        profile = measured(waited, frame_count)
        assert 1.0 <= (profile.typical or 0.0) <= 1.25
        assert (profile.seconds(frame_count - 1) or 0.0) < 1.5


def test_a_heavy_part_is_no_outlier() -> None:
    profile = measured({rank: 1.0 if rank < 160 else 12.0 for rank in range(320)}, 320)
    assert profile.seconds(100) == pytest.approx(1.0)
    assert profile.seconds(300) == pytest.approx(12.0)
    # Even where it begins in the middle of what is told apart.
    assert (measured({rank: 1.0 if rank < 15 else 12.0 for rank in range(45)}, 3200).seconds(20) or 0.0) > 8.0


def test_loading_is_kept_apart_from_frames() -> None:
    profile = measured({0: 1.0}, 10).with_load(20.0).with_load(22.0).with_load(300.0)
    assert profile.load == 22.0
    assert profile.typical == 1.0
    for _ in range(LOADS):
        profile = profile.with_load(5.0)
    assert profile.loads == (5.0,) * LOADS


def test_a_prior_is_believed_until_frames_were_measured() -> None:
    before = measured(dict(enumerate(shot(64))), 64).with_load(9.0)
    again = CostProfile.empty(64).with_prior(before, 2.0)
    assert off(again, [2.0 * cost for cost in shot(64)]) < 0.1
    assert (again.samples, again.load) == (0, 9.0)
    # The frames turn out to take five times as long: what is kept is the course of the shot.
    for rank in range(12):
        again = again.with_frame(rank, 5.0 * shot(64)[rank], 1.0)
    assert off(again, [5.0 * cost for cost in shot(64)]) < 0.2
    # Another shot has another course.
    other = CostProfile.empty(10).with_prior(before, 1.0)
    assert {other.seconds(rank) for rank in range(10)} == {before.typical}
    assert CostProfile.empty(10).with_prior(CostProfile.empty(5), 1.0) == CostProfile.empty(10)
    assert again.with_prior(measured({0: 1.0}, 1).with_load(1.0), 1.0).load == 9.0


def test_a_rank_that_is_not_there_is_an_error() -> None:
    profile = measured({0: 1.0}, 10)
    for rank in (-1, 10):
        with pytest.raises(IndexError, match=f"no frame has rank {rank} in a job of 10"):
            profile.seconds(rank)
        with pytest.raises(IndexError):
            profile.with_frame(rank, 1.0, 1.0)
    for first, count in ((-1, 2), (5, 6), (0, -1)):
        with pytest.raises(IndexError):
            profile.total(first, count)


FRAMES = st.lists(
    st.tuples(st.integers(0, 10**6), st.floats(0.0, 1e9), st.floats(SLOWEST, FASTEST)), min_size=1, max_size=60
)


@given(frame_count=st.integers(1, 500), frames=FRAMES, loads=st.lists(st.floats(0.0, 1e9), max_size=7))
def test_whatever_is_measured_estimates_add_up_and_text_keeps_them(
    frame_count: int, frames: list[tuple[int, float, float]], loads: list[float]
) -> None:
    profile = CostProfile.empty(frame_count)
    for rank, seconds, speed in frames:
        profile = profile.with_frame(rank % frame_count, seconds, speed)
    for load in loads:
        profile = profile.with_load(load)
    profile = profile.with_prior(profile, 1.5)
    estimates = [profile.seconds(rank) or 0.0 for rank in range(frame_count)]
    assert min(estimates) > 0.0
    part = frame_count // 3
    assert profile.total(part, frame_count - part) == pytest.approx(
        sum(estimates[part:]), rel=1e-6, abs=1e-9 * sum(estimates)
    )
    assert profile.samples <= len(frames)
    text = profile.encode()
    assert len(text) <= 1500
    read = CostProfile.decode(text)
    assert read.encode() == text
    assert [read.seconds(rank) for rank in range(frame_count)] == pytest.approx(estimates, rel=0.01)


def test_the_longest_text_is_short() -> None:
    profile = CostProfile(
        1_000_000, (123_456_789.0,) * BUCKETS, (100_000,) * BUCKETS, (0.0012345,) * LOADS, (12_345.6,) * BUCKETS, -1.0
    )
    assert len(profile.encode()) <= 1200
    assert CostProfile.decode(profile.encode()).samples == profile.samples


SOUND = json.loads(measured({0: 1.0, 2: 3.0}, 3).with_load(4.0).encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "[]",
        "[" * 1400,
        " " * 2000,
        "{}",
        json.dumps(SOUND | {"more": 1}),
        json.dumps({key: value for key, value in SOUND.items() if key != "loads"}),
        *(
            json.dumps(SOUND | change)
            for change in (
                {"frame_count": 0},
                {"frame_count": 4},
                {"frame_count": True},
                {"means": [1.0, 0]},
                {"means": [1.0, 0.0, "3"]},
                {"means": [1.0, 2.0, 3.0]},  # a mean of no frames
                {"means": [0.0, 0.0, 3.0]},
                {"means": [-1.0, 0.0, 3.0]},
                {"means": [math.nan, 0.0, 3.0]},
                {"means": [math.inf, 0.0, 3.0]},
                {"means": "123"},
                {"counts": [1, 0, -1]},
                {"counts": [1, 0, 1.0]},
                {"counts": [1, 0, True]},
                {"loads": [1.0] * (LOADS + 1)},
                {"loads": [0.0]},
                {"loads": None},
                {"prior": [1.0]},
                {"prior": [1.0, math.nan, 1.0]},
                {"deviation": math.nan},
                {"deviation": 100.0},
                {"deviation": "0"},
            )
        ),
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="this is no cost profile"):
        CostProfile.decode(text)


def test_text_that_is_sound_is_read() -> None:
    """The texts above are refused for what was changed in them."""
    assert CostProfile.decode(json.dumps(SOUND)).typical == 2.0


@given(
    speed=st.floats(SLOWEST, FASTEST),
    count=st.integers(0, 10**9),
    expected=st.floats(0.0, 1e9),
    took=st.floats(0.0, 1e9),
)
def test_a_speed_stays_within_bounds(speed: float, count: int, expected: float, took: float) -> None:
    learnt, known = learn_speed(speed, count, expected, took)
    assert SLOWEST <= learnt <= FASTEST
    assert known == count + 1


def test_a_speed_is_learnt_at_once_and_then_kept() -> None:
    speed, count = 1.0, 0
    for _ in range(4):
        speed, count = learn_speed(speed, count, 8.0, 1.0)
    assert speed == pytest.approx(8.0, rel=0.15)
    for _ in range(40):
        speed, count = learn_speed(speed, count, 8.0, 1.0)
    assert speed == pytest.approx(8.0, rel=0.03)
    # A frame that waited sways it little, and not for long.
    swayed, count = learn_speed(speed, count, 8.0, 100.0)
    assert swayed > 0.9 * speed


def test_slots_learn_their_speeds_from_one_another_and_keep_their_mean() -> None:
    """Twelve slots of speeds 1 to 8 render twenty jobs of uneven frames; nobody tells them anything else."""
    lot = random.Random(3)  # noqa: S311 - a fixed seed makes the same frames every time
    true = [1.0 + 7.0 * slot / 11 for slot in range(12)]
    known = [(1.0, 0)] * len(true)
    scales = []
    for _ in range(20):
        profile, free = CostProfile.empty(200), [0.0] * len(true)
        for rank, cost in enumerate(shot(200)):
            slot = free.index(min(free))
            took = cost * lot.lognormvariate(0.0, 0.4) / true[slot]
            free[slot] += took
            speed, count = known[slot]
            expected = profile.yardstick(rank)
            if expected is not None:
                known[slot] = learn_speed(speed, count, expected, took)
            profile = profile.with_frame(rank, took, speed)
        scales.append(math.exp(sum(math.log(speed / real) for (speed, _), real in zip(known, true, strict=True)) / 12))
    for (speed, _), real in zip(known, true, strict=True):
        assert speed / scales[-1] == pytest.approx(real, rel=0.25)
    # Skewed durations do not carry all speeds away together.
    assert max(scales[1:]) < 1.25 * min(scales[1:])
