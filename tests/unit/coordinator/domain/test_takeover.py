"""What an idle slot takes over, and which late frame it renders once more."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.takeover import (
    ERROR,
    GAIN,
    GAIN_SECONDS,
    TRAVEL_SECONDS,
    Running,
    TakeOver,
    choose_hedge,
    choose_tail,
    frames_in_time,
)

REPORT = 5.0
#: Slot 0 of agent 1 has just begun a frame of ten seconds and has ten more to do.
BUSY = Running(
    lease_id="busy",
    agent_id=1,
    slot=0,
    frames_left=11,
    untouched=10,
    rendering=True,
    seconds_per_frame=10.0,
    own_seconds_per_frame=10.0,
)
#: The next lease of the same slot.
NEXT = replace(BUSY, lease_id="next", frames_left=6, untouched=6, rendering=False)
#: Another slot's last frame, that should be done.
LATE = Running(
    lease_id="late",
    agent_id=2,
    slot=0,
    frames_left=1,
    untouched=0,
    rendering=True,
    seconds_per_frame=10.0,
    own_seconds_per_frame=10.0,
    elapsed=60.0,
)


def tail(*running: Running, agent_id: int = 9, slot: int = 0, start: float = 0.0) -> TakeOver | None:
    """Return what slot 0 of agent 9 takes over, which is idle and warm."""
    return choose_tail(running, agent_id=agent_id, slot=slot, start_seconds=start, report_seconds=REPORT)


def hedge(*running: Running, agent_id: int = 9, slot: int = 0, start: float = 0.0) -> str | None:
    """Return the lease whose frame it renders once more."""
    return choose_hedge(running, agent_id=agent_id, slot=slot, start_seconds=start)


TAILS: list[tuple[str, Running, float, int]] = [
    # what it shows, the lease, how long the idle slot needs before it can begin, the frames it takes
    ("both end together", BUSY, 0.0, 5),
    ("opening the scene counts", BUSY, 40.0, 3),
    ("and may not be worth it", BUSY, 105.0, 0),
    ("a faster slot takes more", replace(BUSY, own_seconds_per_frame=2.5), 0.0, 9),
    ("but never the frame that comes next", replace(BUSY, own_seconds_per_frame=0.01), 0.0, 9),
    ("unless that is far away", replace(BUSY, own_seconds_per_frame=0.01, elapsed=0.0, load_left=20.0), 0.0, 10),
    ("a slower slot takes less", replace(BUSY, own_seconds_per_frame=40.0), 0.0, 2),
    ("a much slower one nothing", replace(BUSY, own_seconds_per_frame=500.0), 0.0, 0),
    ("one frame is worth it", replace(BUSY, untouched=2, frames_left=3), 0.0, 1),
    ("the only one comes next", replace(BUSY, untouched=1, frames_left=2, elapsed=9.0), 0.0, 0),
    ("nothing is untouched", replace(BUSY, untouched=0, frames_left=1), 0.0, 0),
    # These are begun by the dozen before the owner hears of it.
    (
        "short frames",
        replace(BUSY, seconds_per_frame=0.1, own_seconds_per_frame=0.1, untouched=100, frames_left=101),
        0.0,
        50,
    ),
    (
        "shortest frames",
        replace(BUSY, seconds_per_frame=0.02, own_seconds_per_frame=0.02, untouched=100, frames_left=101),
        0.0,
        0,
    ),
    ("frames of no time", replace(BUSY, seconds_per_frame=0.0, own_seconds_per_frame=0.0), 0.0, 0),
    ("Blender knows better", replace(BUSY, progress=0.5, remaining_seconds=100.0), 0.0, 10),
    ("not at once", replace(BUSY, progress=0.05, remaining_seconds=100.0), 0.0, 5),
    ("a frame that is stuck", replace(BUSY, elapsed=400.0), 0.0, 10),
]


@pytest.mark.parametrize(("lease", "start", "frames"), [case[1:] for case in TAILS], ids=[case[0] for case in TAILS])
def test_how_much_is_taken_over(lease: Running, start: float, frames: int) -> None:
    assert tail(lease, start=start) == (TakeOver("busy", frames) if frames else None)


def test_it_is_taken_from_who_would_end_last() -> None:
    other = replace(BUSY, lease_id="other", agent_id=2, untouched=14, frames_left=15)
    assert tail(BUSY, other) == tail(other, BUSY) == TakeOver("other", 7)
    # There is nothing to gain from the last one, as from a slot's only frame; so the one before it is relieved.
    assert tail(BUSY, replace(other, untouched=0, frames_left=1, seconds_per_frame=1000.0)) == TakeOver("busy", 5)
    assert tail() is None


def test_a_slot_takes_nothing_over_from_itself() -> None:
    assert tail(BUSY, agent_id=1) is None
    assert tail(BUSY, agent_id=1, slot=1) == TakeOver("busy", 5)


def test_the_lease_that_a_slot_renders_next_begins_when_it_has_done_the_first() -> None:
    # The first takes 110 s, so that these six would be done after 170 s: all are done sooner by another slot.
    assert tail(BUSY, NEXT) == tail(NEXT, BUSY) == TakeOver("next", 6)
    # Were it the only one, half would be left with its owner, who would begin at once.
    assert tail(NEXT) == TakeOver("next", 3)
    opening = replace(BUSY, rendering=False, frames_left=2, untouched=2, load_left=30.0)
    assert tail(opening, NEXT) == TakeOver("next", 5)


UNKNOWN = replace(BUSY, seconds_per_frame=None, own_seconds_per_frame=None, elapsed=REPORT + TRAVEL_SECONDS + 1.0)


def test_without_estimates_half_is_taken_from_who_hears_of_it_in_time() -> None:
    assert tail(UNKNOWN) == TakeOver("busy", 5)
    assert tail(UNKNOWN, replace(UNKNOWN, lease_id="more", untouched=40)) == TakeOver("more", 20)
    assert tail(replace(UNKNOWN, untouched=1)) is None
    assert tail(replace(UNKNOWN, rendering=False)) is None
    assert tail(UNKNOWN, agent_id=1) is None
    # It may be through with ten frames before it hears of it.
    assert tail(replace(UNKNOWN, elapsed=1.0)) is None


@given(
    untouched=st.integers(0, 500),
    pace=st.floats(0.01, 1000.0),
    own_pace=st.floats(0.01, 1000.0),
    share=st.floats(0.0, 1.5),
    start=st.floats(0.0, 200.0),
    load=st.one_of(st.just(0.0), st.floats(0.0, 100.0)),
)
def test_both_end_together_and_sooner_than_one(
    untouched: int, pace: float, own_pace: float, share: float, start: float, load: float
) -> None:
    lease = replace(
        BUSY,
        untouched=untouched,
        frames_left=untouched + 1,
        seconds_per_frame=pace,
        own_seconds_per_frame=own_pace,
        elapsed=share * pace,
        load_left=load,
    )
    begins = load + max(pace * (1.0 - share), 0.25 * share * pace)
    alone = begins + untouched * pace

    def end(frames: int) -> float:
        return max(alone - frames * pace, start + frames * own_pace if frames else 0.0)

    taken = tail(lease, start=start)
    if taken is None:
        # With the frames that it may take it would gain too little.
        reach = 1 + math.ceil((REPORT + TRAVEL_SECONDS) * ERROR / pace)
        best = min(end(frames) for frames in range(max(0, untouched - reach) + 1))
        assert alone - best <= max(GAIN * alone, GAIN_SECONDS)
        return
    assert 1 <= taken.frames <= untouched
    assert alone - end(taken.frames) >= max(GAIN * alone, GAIN_SECONDS)
    # One frame more or less would be no better; it may take no more where the owner would not hear of it in time.
    assert end(taken.frames) <= end(taken.frames - 1) + 1e-9
    # The owner, though twice as fast as expected, has not begun what was taken when it hears of it: as it begins its
    # next frame, or at its next report.
    next_frame = begins / ERROR
    told = min(REPORT, next_frame) + TRAVEL_SECONDS
    assert next_frame + (untouched - taken.frames) * pace / ERROR >= told - 1e-9 or next_frame > told


@given(
    frames=st.integers(20, 300),
    speeds=st.tuples(st.floats(1.0, 8.0), st.floats(1.0, 8.0)),
    start=st.floats(0.0, 30.0),
)
def test_two_slots_finish_their_job_together(frames: int, speeds: tuple[float, float], start: float) -> None:
    """Two slots that take over from each other until nothing is gained end close to the ideal."""
    # A frame takes 10 s at speed 1.
    paces = [10.0 / speed for speed in speeds]
    ends = [frames * paces[0], start]
    left = [frames, 0]
    now = 0.0
    while True:
        idle = ends.index(min(ends))
        busy = 1 - idle
        now = max(now, ends[idle])
        untouched = math.floor((ends[busy] - now) / paces[busy] + 1e-9)
        lease = replace(
            BUSY,
            untouched=untouched,
            seconds_per_frame=paces[busy],
            own_seconds_per_frame=paces[idle],
            elapsed=paces[busy] - (ends[busy] - now - untouched * paces[busy]),
        )
        taken = tail(lease)
        if taken is None:
            break
        ends[busy] -= taken.frames * paces[busy]
        ends[idle] = now + taken.frames * paces[idle]
        left[busy] -= taken.frames
        left[idle] += taken.frames
    assert sum(left) == frames
    ideal = (frames * 10.0 + start * speeds[1]) / sum(speeds)
    slowest = max(paces)
    assert max(ends) <= max(ideal, start) + 2 * slowest + GAIN * ideal


HEDGES: list[tuple[str, Running, float, bool]] = [
    ("a frame far beyond its time", LATE, 0.0, True),
    ("opening the scene is worth it", LATE, 30.0, True),
    ("not if that takes as long as is to be feared", LATE, 50.0, False),
    ("not yet late", replace(LATE, elapsed=24.0), 0.0, False),
    ("a short frame may take some seconds more", replace(LATE, seconds_per_frame=1.0, elapsed=6.5), 0.0, False),
    ("another is being rendered after it", replace(LATE, frames_left=2, untouched=1), 0.0, False),
    ("one is still on its way", replace(LATE, frames_left=2), 0.0, False),
    ("it has not begun", replace(LATE, rendering=False, untouched=1), 0.0, False),
    ("there is a second slot already", replace(LATE, hedgeable=False), 0.0, False),
    ("nothing is known", replace(LATE, seconds_per_frame=None, own_seconds_per_frame=None), 0.0, False),
    # What Blender says counts.
    ("it is nearly done", replace(LATE, progress=0.9, remaining_seconds=6.0), 0.0, False),
    ("it is far from done", replace(LATE, progress=0.3, remaining_seconds=140.0), 0.0, True),
    (
        "it says only how far it is",
        replace(LATE, seconds_per_frame=100.0, own_seconds_per_frame=30.0, elapsed=20.0, progress=0.2),
        0.0,
        True,
    ),
    ("a heavy frame is so for everyone", replace(LATE, elapsed=20.0, progress=0.2), 0.0, False),
    ("and that it is nearly done", replace(LATE, elapsed=20.0, progress=0.8, own_seconds_per_frame=3.0), 0.0, False),
    ("it hangs", replace(LATE, elapsed=900.0, progress=0.9, remaining_seconds=1.0), 0.0, True),
    # It is in time, but a fast slot would be done in less than half of what it still needs.
    (
        "a slow owner",
        replace(LATE, seconds_per_frame=200.0, own_seconds_per_frame=20.0, progress=0.3, remaining_seconds=45.0),
        0.0,
        True,
    ),
    (
        "a slow owner past the half",
        replace(LATE, seconds_per_frame=200.0, own_seconds_per_frame=20.0, progress=0.7, remaining_seconds=35.0),
        0.0,
        False,
    ),
    ("only the estimate is known", replace(LATE, seconds_per_frame=200.0, own_seconds_per_frame=60.0), 0.0, True),
    ("it has just begun", replace(LATE, elapsed=0.0), 0.0, False),
]


@pytest.mark.parametrize(("lease", "start", "wanted"), [case[1:] for case in HEDGES], ids=[case[0] for case in HEDGES])
def test_which_frame_is_rendered_once_more(lease: Running, start: float, wanted: bool) -> None:
    assert hedge(lease, start=start) == ("late" if wanted else None)
    assert hedge(lease, start=start, agent_id=2) is None


def test_the_frame_that_gains_most_is_rendered_once_more() -> None:
    later = replace(LATE, lease_id="later", agent_id=3, elapsed=90.0)
    assert hedge(LATE, later, replace(LATE, lease_id="third", agent_id=4)) == "later"
    assert hedge(BUSY) is None


@pytest.mark.parametrize(
    ("lease_id", "end", "frames"),
    [
        ("busy", 9.0, 0),  # the frame that was just begun takes ten seconds
        ("busy", 30.0, 2),
        ("busy", 1e6, 10),
        ("busy", math.inf, 10),  # there are no other slots
        ("free", 30.0, 10),  # its frames take no time at all
        ("next", 119.0, 0),  # it begins after those
        ("next", 141.0, 3),
        ("unknown", 0.0, 4),
        ("another", 1e6, 0),
    ],
)
def test_the_frames_that_a_slot_is_done_with_in_time(lease_id: str, end: float, frames: int) -> None:
    unknown = replace(NEXT, lease_id="unknown", untouched=4, seconds_per_frame=None)
    free = replace(BUSY, lease_id="free", agent_id=7, seconds_per_frame=0.0)
    assert frames_in_time([BUSY, NEXT, unknown, free], lease_id, end) == frames
