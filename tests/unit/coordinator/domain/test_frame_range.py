"""Frame ranges are read as Open Job Description reads them."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.frame_range import FrameRange, FrameRangeError, parse

# The cases up to CANONICAL and those of OVERLAPPING and INVALID are from Open Job Description's own tests
# (openjd-model-for-python, test_range_expr.py, Apache-2.0; openjd-rs, test_range_expr.rs, Apache-2.0 or MIT).
FRAMES = {
    "5": [5],
    "0": [0],
    "1-10": list(range(1, 11)),
    "1-10:2": [1, 3, 5, 7, 9],
    "1-5,10-15": [1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15],
    "10-1:-1": list(range(1, 11)),
    "10-1:-3": [1, 4, 7, 10],
    "-1--10:-1": list(range(-10, 0)),
    # Ours: x is a step, too.
    "1-10x2": [1, 3, 5, 7, 9],
    "1-10X4": [1, 5, 9],
    "-5--1": [-5, -4, -3, -2, -1],
    "-2-2": [-2, -1, 0, 1, 2],
    "3-3:7": [3],
    "1,3,5-9": [1, 3, 5, 6, 7, 8, 9],
}
CANONICAL = {
    "1-100,101-200": "1-200",
    "1,3,5-7:2": "1-7:2",
    "0-1,3-4,7-9,10": "0-1,3-4,7-10",
    "20-29,0-9,10-19": "0-29",
    "\t0 - 1 :\t1, 2 -\t100 : 1": "0-100",
    "  5 ": "5",
    "9,0,3,2,8,10,1,4,7,6,5": "0-10",
    "3-5,0-2,8-12:2": "0-5,8-12:2",
    "1-9x2": "1-9:2",
    "1-10x2": "1-9:2",
    "1-5:2,7-11:2": "1-11:2",
}
OVERLAPPING = [
    "1-10,1-10",
    "10-1:-1,10-1:-1",
    "-10--1,-10--1",
    "-1--10:-1,-1--10:-1",
    "1-10,2-9",
    "1-10,9-19",
    "9-19,1-10",
    "1-10:1,10-1:-1",
    "-1--10:-1,-10--19:-1",
    # Interleaved: no frame is twice, but the order of rendering is not what was written.
    "1-9:2,2-10:2",
]
INVALID = [
    "",
    "   ",
    "!",
    "1-a",
    "b-1",
    "--12",
    "1-",
    "1-,3-4",
    "1-10,11-",
    "--1-10",
    "1---10",
    "1--10:--5",
    "1-2,,3-4",
    "1-:2,",
    "1-2:",
    "2:",
    ":2",
    ":",
    "1-2 4-5",
    "1-24-5",
    "1-2:1 -5",
    "1-2:0",
    "1-0:1",
    "0-1:-1",
    "2-0:1",
    "0-1, 1-2:-1",
    "2-1:-1, 2-0:1",
    "1.5",
    "1-10x2x3",
    "- 5",
    "1;2",
    "٣",
    "1\n2",
]
# Where the mistake begins, counted from 0, and what the message must say.
PLACES = [
    ("1-10,b", 5, "expected a frame number here"),
    ("1-2 4-5", 4, "expected a comma or the end here"),
    ("3,10-1", 2, "10-1 runs backwards; write 1-10, or 10-1:-1 to count down"),
    ("1-5:-1", 0, "write 1-5:1"),
    ("1-5,4-9", 4, "4-9 reaches into 1-5"),
    ("4-9,1-5", 4, "1-5 reaches into 4-9"),
    ("1-2:0", 4, "a step of 0 never gets anywhere"),
    ("7:2", 1, "a step needs a range before it"),
    ("1-1048575", 2, "outside of what Blender has (-1048574 to 1048574)"),
    ("9999999999999999999999", 0, "too large"),
]


@pytest.mark.parametrize(("text", "frames"), FRAMES.items())
def test_it_names_these_frames(text: str, frames: list[int]) -> None:
    assert list(parse(text)) == frames
    assert len(parse(text)) == len(frames)


@pytest.mark.parametrize(("text", "canonical"), CANONICAL.items())
def test_equal_frames_get_one_text(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize("text", INVALID + OVERLAPPING)
def test_it_is_refused(text: str) -> None:
    with pytest.raises(FrameRangeError):
        parse(text)


@pytest.mark.parametrize(("text", "position", "problem"), PLACES)
def test_the_error_points_at_the_place(text: str, position: int, problem: str) -> None:
    with pytest.raises(FrameRangeError) as caught:
        parse(text)
    assert caught.value.position == position
    assert problem in str(caught.value)
    assert f"at character {position + 1}:" in str(caught.value)


def test_a_long_range_is_quoted_around_the_mistake() -> None:
    with pytest.raises(FrameRangeError) as caught:
        parse(",".join(str(frame) for frame in range(1, 400, 2)) + ",oops")
    assert "oops" in str(caught.value)
    assert len(str(caught.value)) < 150


def test_a_million_frames_cost_as_little_as_two() -> None:
    frames = parse("-1000000-1000000")
    assert len(frames.runs) == 1
    assert sys.getsizeof(frames) < 200
    assert len(frames) == 2_000_001
    assert frames.at(1_500_000) == 500_000
    assert frames.rank(500_000) == 1_500_000
    assert frames.count(-10, 10) == 21
    assert list(frames.between(999_999, 2_000_000)) == [999_999, 1_000_000]
    assert frames.consecutive
    assert not parse("1-1000000:2").consecutive


def runs() -> st.SearchStrategy[list[tuple[int, int, int]]]:
    """Gaps, lengths and steps of runs that follow one another."""
    return st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6), st.integers(1, 4)), min_size=1, max_size=5)


@given(start=st.integers(-30, 5), parts=runs(), frame=st.integers(-40, 160), other=st.integers(-40, 160))
def test_it_behaves_as_the_sorted_list_of_its_frames(
    start: int, parts: list[tuple[int, int, int]], frame: int, other: int
) -> None:
    pieces, place = [], start
    for gap, length, step in parts:
        first = place + gap
        place = first + length * step
        pieces.append(f"{first}-{place}:{step}")
    frames = parse(",".join(pieces))
    listed = sorted(frames)
    assert list(frames) == listed
    assert parse(str(frames)) == frames
    assert hash(parse(str(frames))) == hash(frames)
    assert (frames.first, frames.last) == (listed[0], listed[-1])
    assert (frame in frames) == (frame in listed)
    assert frames.rank(frame) == sum(known < frame for known in listed)
    assert frames.after(frame) == next((known for known in listed if known > frame), None)
    assert frames.before(frame) == next((known for known in reversed(listed) if known < frame), None)
    assert [frames.at(rank) for rank in range(len(frames))] == listed
    low, high = min(frame, other), max(frame, other)
    assert list(frames.between(low, high)) == [known for known in listed if low <= known <= high]
    assert frames.count(low, high) == sum(low <= known <= high for known in listed)
    assert frames.consecutive == (listed == list(range(listed[0], listed[-1] + 1)))


def test_a_rank_that_is_not_there_is_an_error() -> None:
    for rank in (-1, 3):
        with pytest.raises(IndexError):
            parse("1-3").at(rank)


def test_other_things_are_in_no_range() -> None:
    frames = parse("1-3")
    assert "2" not in frames
    assert frames != "1-3"
    assert repr(frames) == "FrameRange('1-3')"
    assert FrameRange(frames.runs) == frames
