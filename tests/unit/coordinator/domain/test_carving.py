"""How many frames a lease gets, and how chunks are cut."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.carving import (
    CAUTION,
    MAX_FRAMES,
    MAX_LOOKS,
    MIN_LOOK_GAP,
    Span,
    carve,
    carve_look,
    lease_size,
    others_end,
    split_tail,
    take_out,
)
from coordinator.domain.frame_range import FrameRange, parse


def size(**given: Any) -> int:
    """Return the size of a lease of a job of 1,000 frames of a second each, for one of four equal slots."""
    usual: dict[str, Any] = {
        "pending_frames": 1000,
        "frame_seconds": 1.0,
        "leased_seconds": 0.0,
        "own_speed": 1.0,
        "fleet_speed": 4.0,
        "others": 3,
        "others_speed": 3.0,
        "start_seconds": 0.0,
        "target_seconds": 60.0,
        "fixed": None,
    }
    usual |= given
    usual.setdefault("pending_seconds", usual["pending_frames"] * (usual["frame_seconds"] or 1.0))
    return lease_size(**usual)


SIZES: list[tuple[dict[str, Any], int]] = [
    ({}, 60),  # the target
    ({"target_seconds": 10.0}, 10),
    ({"own_speed": 8.0, "fleet_speed": 11.0}, 254),  # on its way to eight times as many
    ({"frame_seconds": 7.0}, 8),
    ({"frame_seconds": 300.0}, 1),  # one frame at least
    ({"pending_frames": 100}, 8),  # a third of an even share
    ({"pending_frames": 3}, 1),
    ({"pending_frames": 40, "own_speed": 4.0, "fleet_speed": 7.0}, 8),  # in proportion to the speed
    ({"pending_frames": 100, "pending_seconds": 900.0}, 60),  # these are lighter than the rest
    ({"pending_frames": 10**6, "frame_seconds": 0.001}, MAX_FRAMES),
    ({"pending_frames": 10**6, "frame_seconds": 0.0}, MAX_FRAMES),
    ({"start_seconds": 20.0}, 60),  # opening the scene comes on top
    ({"pending_frames": 10, "fleet_speed": 0.0, "others": 0, "others_speed": 0.0}, 3),  # it went offline meanwhile
    # Nothing is known.
    ({"pending_seconds": None}, 1),
    ({"frame_seconds": None, "pending_seconds": 100.0}, 1),
    # A fixed size.
    ({"fixed": 5}, 5),
    ({"fixed": 5, "pending_frames": 3}, 3),
    ({"fixed": 5, "pending_frames": 1, "start_seconds": 1e6}, 1),
]


def test_when_the_others_end() -> None:
    assert others_end(work=300.0, frame_seconds=10.0, others=3, speed=4.0) == pytest.approx(75.0 / CAUTION)
    # With little left, each still renders a frame.
    assert others_end(work=5.0, frame_seconds=10.0, others=3, speed=4.0) == pytest.approx(7.5)


@pytest.mark.parametrize(("given", "frames"), SIZES)
def test_size_of_a_lease(given: dict[str, Any], frames: int) -> None:
    assert size(**given) == frames


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        # One frame is left.  A slot an eighth as fast as the others would hold it for long after they are done.
        ({"pending_frames": 1, "own_speed": 0.125}, False),
        ({"pending_frames": 1, "own_speed": 1.0}, True),
        # One that must open the scene first is late as well, unless the others have enough to do meanwhile.
        ({"pending_frames": 4, "start_seconds": 20.0}, False),
        ({"pending_frames": 4, "start_seconds": 20.0, "leased_seconds": 90.0}, True),
        # A slow slot is better than none.
        ({"pending_frames": 1, "own_speed": 0.125, "start_seconds": 500.0, "others": 0, "others_speed": 0.0}, True),
        # While it is busy the others begin all that is left: whoever is free first shall have it.
        ({"pending_frames": 4, "frame_seconds": 10.0, "own_speed": 8.0, "start_seconds": 15.0}, False),
        ({"pending_frames": 9, "frame_seconds": 10.0, "own_speed": 8.0, "start_seconds": 15.0}, True),
        ({"pending_frames": 1, "frame_seconds": 3.0, "own_speed": 8.0, "start_seconds": 2.0}, True),
        # An equal one is never sent away, however heavy the frame is beside those that the others render.
        ({"pending_frames": 1, "frame_seconds": 100.0, "leased_seconds": 3.0}, True),
        # Far from the end it is welcome.
        ({"own_speed": 0.125, "start_seconds": 20.0}, True),
    ],
)
def test_a_slot_that_would_only_hold_the_job_up_gets_nothing(given: dict[str, Any], wanted: bool) -> None:
    assert bool(size(**given)) is wanted


@given(
    pending=st.integers(1, 10**6),
    frame_seconds=st.floats(0.001, 1e5),
    own_speed=st.floats(1 / 64, 64.0),
    others=st.integers(0, 1000),
    leased=st.floats(0.0, 1e6),
    start=st.floats(0.0, 1e4),
    target=st.floats(1.0, 3600.0),
)
def test_size_is_bounded(
    pending: int, frame_seconds: float, own_speed: float, others: int, leased: float, start: float, target: float
) -> None:
    frames = size(
        pending_frames=pending,
        frame_seconds=frame_seconds,
        own_speed=own_speed,
        fleet_speed=own_speed + others,
        others=others,
        others_speed=float(others),
        leased_seconds=leased,
        start_seconds=start,
        target_seconds=target,
    )
    assert 0 <= frames <= min(pending, MAX_FRAMES)
    if frames > 1:
        took = frames * frame_seconds / own_speed
        assert took <= target * 1.001
        # The others are left what is due to them.
        assert frames <= pending * own_speed / (own_speed + others)
    if frames == 0:
        assert others > 0
        # The others would have finished it by then, or begun.
        assert start + frame_seconds / own_speed > (pending * frame_seconds + leased) / others - frame_seconds


def test_slots_of_different_speed_finish_together() -> None:
    """Slots that take leases in turn end within a frame of the ideal, whatever their speeds."""
    speeds = [1.0, 2.0, 4.0, 8.0]
    busy, pending, calls = [0.0] * 4, 1500, 0
    while pending:
        slot = busy.index(min(busy))
        now = busy[slot]
        at_work = [other for other in range(4) if busy[other] > now]
        frames = size(
            pending_frames=pending,
            own_speed=speeds[slot],
            fleet_speed=sum(speeds),
            others=len(at_work),
            others_speed=sum(speeds[other] for other in at_work),
            leased_seconds=sum((busy[other] - now) * speeds[other] for other in at_work),
        )
        # One that is sent away asks again when the next one does.
        busy[slot] = now + frames / speeds[slot] if frames else min(busy[other] for other in at_work)
        pending -= frames
        calls += 1
    assert max(busy) <= 1500 / sum(speeds) + 1.0 / speeds[0]
    assert calls < 120


RANGES = st.sampled_from(["1-12", "-30-3:3", "1-4,10-13,40-43"])


def frames_of(frames: FrameRange, spans: list[Span]) -> list[int]:
    """Return the frames of spans, after a look at their counts."""
    for span in spans:
        inside = list(frames.between(span.first, span.last))
        assert (inside[0], inside[-1], len(inside)) == (span.first, span.last, span.count)
    return [frame for span in spans for frame in frames.between(span.first, span.last)]


@given(size=st.integers(1, 12), frame=st.integers(0, 11), text=RANGES)
def test_cutting_loses_nothing(size: int, frame: int, text: str) -> None:
    frames = parse(text)
    whole = Span(frames.first, frames.last, len(frames))
    head, rest = carve(frames, whole, size)
    assert head.count == size
    assert frames_of(frames, [head] if rest is None else [head, rest]) == list(frames)
    taken = frames.at(frame)
    assert sorted([taken, *frames_of(frames, take_out(frames, whole, taken))]) == list(frames)


def test_a_frame_beside_the_chunk_cannot_be_taken_out() -> None:
    frames = parse("1-9:2")
    for strange in (2, 9):
        with pytest.raises(ValueError, match=f"frame {strange} is not in the chunk 1-5"):
            take_out(frames, Span(1, 5, 3), strange)


@given(text=RANGES, gone=st.sets(st.integers(0, 11), max_size=5), share=st.floats(0.0, 1.0))
def test_a_tail_and_the_rest_are_the_lease(text: str, gone: set[int], share: float) -> None:
    frames = parse(text)
    spans = [Span(frames.first, frames.last, len(frames))]
    for rank in sorted(gone):
        spans = [*spans[:-1], *take_out(frames, spans[-1], frames.at(rank))]
    held = frames_of(frames, spans)
    count = round(share * len(held))
    kept, taken = split_tail(frames, spans, count)
    assert frames_of(frames, kept) == held[: len(held) - count]
    assert frames_of(frames, taken) == held[len(held) - count :]
    assert len(kept) + len(taken) <= len(spans) + 1


@pytest.mark.parametrize("count", [-1, 4])
def test_a_lease_has_no_longer_tail_than_itself(count: int) -> None:
    with pytest.raises(ValueError, match=f"a lease of 3 frames has no last {count}"):
        split_tail(parse("1-9"), [Span(1, 1, 1), Span(5, 6, 2)], count)


def looks(text: str) -> list[int]:
    """Return the frames looked at, in their order, when each is rendered at once."""
    frames = parse(text)
    chunks, seen = [Span(frames.first, frames.last, len(frames))], list[int]()
    while (found := carve_look(frames, chunks, len(seen))) is not None:
        index, frame = found
        chunks[index : index + 1] = take_out(frames, chunks[index], frame)
        seen.append(frame)
    assert len(set(seen)) == len(seen)
    return seen


def test_the_whole_shot_is_seen_early() -> None:
    assert looks("1-101")[:7] == [1, 51, 101, 26, 76, 14, 39]
    assert len(looks("1-1000000")) == MAX_LOOKS
    seen = sorted(looks("1-1000"))
    assert max(after - before for before, after in pairwise(seen)) <= 1000 / 16 + 2


@pytest.mark.parametrize(
    ("text", "frames"), [("7", [7]), ("1-2", [1, 2]), ("1-3", [1, 2, 3]), ("1-40:10", [1, 21, 31]), ("1-9", [1, 5, 9])]
)
def test_short_shots_are_looked_at_as_far_as_there_is_something_to_see(text: str, frames: list[int]) -> None:
    assert looks(text) == frames


def test_what_is_not_pending_is_not_looked_at() -> None:
    frames = parse("1-100")
    # The first frame is being rendered: the middle of the longest pending chunk is worth more than nothing.
    assert carve_look(frames, [Span(2, 9, 8), Span(40, 100, 61)], 0) == (1, 70)
    assert carve_look(frames, [Span(2, 9, 8), Span(40, 100, 61)], 1) == (1, 51)
    assert carve_look(frames, [Span(2, MIN_LOOK_GAP, MIN_LOOK_GAP - 1)], 5) is None
    assert carve_look(frames, [], 0) is None
