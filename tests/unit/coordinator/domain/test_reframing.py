"""What a changed frame range makes of chunks."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.carving import Span
from coordinator.domain.frame_range import FrameRange, parse
from coordinator.domain.model import Chunk, ChunkState
from coordinator.domain.reframing import reframe, spans

RANGES = st.sets(st.integers(-20, 40), min_size=1).map(lambda frames: parse(",".join(map(str, sorted(frames)))))


def chunk(number: int, span: Span) -> Chunk:
    """Return a chunk of these frames."""
    return Chunk(
        id=number,
        job_id=1,
        first=span.first,
        last=span.last,
        frame_count=span.count,
        state=ChunkState.PENDING,
        lease_id=None,
        hedge_lease_id=None,
        avoid_agent_id=None,
    )


def frames_of(frames: FrameRange, span: Span) -> list[int]:
    """Return the frames of a run; it counts them rightly and ends with some of them."""
    inside = list(frames.between(span.first, span.last))
    assert (inside[0], inside[-1], len(inside)) == (span.first, span.last, span.count)
    return inside


def test_runs_go_by_the_range_and_not_by_numbers() -> None:
    frames = parse("1-9:2,20-22")
    assert spans(frames, [1, 3, 9, 20, 22]) == [Span(1, 3, 2), Span(9, 20, 2), Span(22, 22, 1)]
    assert spans(frames, []) == []
    assert spans(frames, frames) == [Span(1, 22, 8)]


@given(frames=RANGES, data=st.data())
def test_runs_hold_what_was_chosen_and_are_as_long_as_can_be(frames: FrameRange, data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.sampled_from(list(frames)))))
    found = spans(frames, chosen)
    assert [frame for span in found for frame in frames_of(frames, span)] == chosen
    assert all(frames.after(left.last) != right.first for left, right in pairwise(found))


def test_new_frames_between_those_of_a_chunk_are_not_its_own() -> None:
    plan = reframe(parse("1-9:2"), parse("1-9"), [chunk(7, Span(5, 9, 3))])
    assert plan.kept == {7: [Span(5, 5, 1), Span(7, 7, 1), Span(9, 9, 1)]}
    assert plan.added == [Span(2, 2, 1), Span(4, 4, 1), Span(6, 6, 1), Span(8, 8, 1)]
    assert plan.cut == []


@given(old=RANGES, new=RANGES, data=st.data())
def test_every_frame_is_kept_added_or_cut(old: FrameRange, new: FrameRange, data: st.DataObject) -> None:
    frames = list(old)
    # Of a job's frames some have ended, and the others are in chunks that may stand side by side.
    open_frames = sorted(data.draw(st.sets(st.sampled_from(frames))))
    chunks: list[Chunk] = []
    for run in spans(old, open_frames):
        inside = frames_of(old, run)
        edge = data.draw(st.integers(1, len(inside)))
        chunks += [
            chunk(len(chunks) + index, Span(part[0], part[-1], len(part)))
            for index, part in enumerate(part for part in (inside[:edge], inside[edge:]) if part)
        ]
    plan = reframe(old, new, chunks)
    for each in chunks:
        kept = [frame for span in plan.kept[each.id] for frame in frames_of(new, span)]
        assert kept == [frame for frame in old.between(each.first, each.last) if frame in new]
    assert [frame for span in plan.added for frame in frames_of(new, span)] == sorted(set(new) - set(old))
    assert [frame for span in plan.cut for frame in frames_of(old, span)] == sorted(set(old) - set(new))
