"""How many frames a lease gets, and how chunks are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.carving import MAX_FRAMES, Span, carve, lease_size, take_out, typical_seconds
from coordinator.domain.frame_range import parse


@pytest.mark.parametrize(
    ("pending", "slots", "seconds", "size"),
    [
        (1000, 1, None, 2),  # nothing is known: a small one
        (1, 8, None, 1),
        (1000, 4, 1.0, 60),  # about a minute
        (1000, 4, 7.0, 8),
        (1000, 4, 300.0, 1),  # one frame at least
        (100, 4, 1.0, 13),  # half of an even share
        (3, 4, 1.0, 1),
        (1_000_000, 4, 0.001, MAX_FRAMES),
        (1_000_000, 4, 0.0, MAX_FRAMES),
        (10, 0, 1.0, 5),  # the asking slot's agent may have gone offline meanwhile
    ],
)
def test_size_of_a_lease(pending: int, slots: int, seconds: float | None, size: int) -> None:
    assert lease_size(pending=pending, slots=slots, seconds_per_frame=seconds) == size


def test_slots_finish_together() -> None:
    """Four equal slots that take leases in turn end within two frames of each other."""
    busy, pending = [0] * 4, 200
    while pending:
        slot = busy.index(min(busy))
        size = lease_size(pending=pending, slots=4, seconds_per_frame=1.0)
        busy[slot] += size
        pending -= size
    assert max(busy) - min(busy) <= 2


def test_one_slow_frame_does_not_sway_the_rest() -> None:
    assert typical_seconds([1.0, 1.2, 90.0]) == 1.2
    assert typical_seconds([]) is None


@given(size=st.integers(1, 12), frame=st.integers(0, 11), text=st.sampled_from(["1-12", "-30-3:3", "1-4,10-13,40-43"]))
def test_cutting_loses_nothing(size: int, frame: int, text: str) -> None:
    frames = parse(text)
    whole = Span(frames.first, frames.last, len(frames))
    head, rest = carve(frames, whole, size)
    parts = [head] if rest is None else [head, rest]
    assert head.count == size
    assert [it for part in parts for it in frames.between(part.first, part.last)] == list(frames)
    taken = frames.at(frame)
    left = take_out(frames, whole, taken)
    for part in (*parts, *left):
        inside = list(frames.between(part.first, part.last))
        assert (inside[0], inside[-1], len(inside)) == (part.first, part.last, part.count)
    assert sorted([taken, *(it for part in left for it in frames.between(part.first, part.last))]) == list(frames)


def test_a_frame_beside_the_chunk_cannot_be_taken_out() -> None:
    frames = parse("1-9:2")
    for strange in (2, 9):
        with pytest.raises(ValueError, match=f"frame {strange} is not in the chunk 1-5"):
            take_out(frames, Span(1, 5, 3), strange)
