"""Frame ranges as people write them."""

import pytest

from addon.frame_range import FrameRangeError, format_frames, parse_frames


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("7", [7]),
        ("1-4", [1, 2, 3, 4]),
        (" 1 , 3, 5 - 7 ", [1, 3, 5, 6, 7]),
        ("-3--1", [-3, -2, -1]),
        ("-1-1", [-1, 0, 1]),
        ("1-10x4", [1, 5, 9]),
        ("1-10:4", [1, 5, 9]),
        ("10-1:-4", [2, 6, 10]),
        ("20-22,1-2", [1, 2, 20, 21, 22]),
    ],
)
def test_frames_come_out_in_ascending_order(text: str, frames: list[int]) -> None:
    parsed = parse_frames(text)
    assert list(parsed) == frames
    assert len(parsed) == len(frames)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("1-", "“1-”"),
        ("1,,3", "at character 3: a frame is missing"),
        ("1-5,ten", "at character 5: “ten”"),
        ("10-1", "write 1-10, or 10-1:-1"),
        ("1-10:-2", "write 1-10:2"),
        ("1-5:0", "step of 0"),
        ("1-5,3-8", "overlap at frame 3"),
        ("1-9:2,2-8:2", "overlap at frame 2"),
        ("2000000", "does not exist"),
    ],
)
def test_a_slip_is_named_with_its_place_and_its_cure(text: str, words: str) -> None:
    with pytest.raises(FrameRangeError) as caught:
        parse_frames(text)
    assert words in str(caught.value)


def test_ranges_without_a_gap_are_consecutive() -> None:
    assert parse_frames("1-3,4-6").consecutive
    assert not parse_frames("1-3,5-6").consecutive
    assert not parse_frames("1-9:2").consecutive


def test_a_scenes_own_range_reads_back() -> None:
    assert format_frames(5, 5, 1) == "5"
    assert format_frames(1, 9, 1) == "1-9"
    assert list(parse_frames(format_frames(-4, 4, 4))) == [-4, 0, 4]
