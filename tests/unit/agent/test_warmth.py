"""When each frame of a job gets a Blender of its own."""

from collections.abc import Callable

from agent.warmth import MOST_ALONE, UNKNOWN, Warmth

LOAD = 1.0


def blenders(seconds: Callable[[int, int], float], frames: int, *, load: float = LOAD) -> list[int]:
    """Return how many frames each Blender rendered; ``seconds`` tells what the frame of a number and a place takes."""
    warmth, counts = Warmth(), [0]
    warmth.opened(1, load)
    for frame in range(frames):
        counts[-1] += 1
        if warmth.rendered(1, seconds(frame, counts[-1])) is not None:
            warmth.opened(1, load)
            counts.append(0)
    return [count for count in counts if count]


def test_frames_that_are_slow_in_a_warm_session_get_blenders_of_their_own() -> None:
    assert blenders(lambda _, place: 3.0 if place == 1 else 7.0, 20) == [3, 1, 2, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    # And again and again it is seen whether that is still so, ever more rarely.
    long = blenders(lambda _, place: 3.0 if place == 1 else 7.0, 1000)
    assert sum(count > 1 for count in long) < 1000 / MOST_ALONE + 7


def test_session_goes_on_where_opening_the_scene_takes_longer() -> None:
    assert blenders(lambda _, place: 3.0 if place == 1 else 7.0, 50, load=4.0) == [50]


def test_frames_that_grow_heavier_cost_one_try() -> None:
    assert blenders(lambda frame, _: 3.0 if frame < 5 else 30.0, 50) == [7, 43]


def test_first_frame_that_compiled_shaders_tells_nothing_of_a_new_blenders() -> None:
    warmth = Warmth()
    warmth.opened(1, LOAD, cold=True)
    told = [warmth.rendered(1, seconds) for seconds in (40.0, *[7.0] * UNKNOWN)]
    assert [said is None for said in told] == [True] * UNKNOWN + [False]
    warmth.opened(1, LOAD)
    assert warmth.rendered(1, 3.0) is not None


def test_one_slow_frame_is_no_reason() -> None:
    assert blenders(lambda frame, _: 30.0 if frame % 2 else 3.0, 50) == [50]


def test_scene_that_has_become_light_keeps_its_session() -> None:
    def seconds(frame: int, place: int) -> float:
        return 3.0 if place == 1 or frame > 30 else 7.0

    counts = blenders(seconds, 200)
    assert counts[-1] > 120


def test_jobs_are_told_apart() -> None:
    warmth = Warmth()
    for job, first in ((1, 3.0), (2, 10.0)):
        warmth.opened(job, LOAD)
        assert warmth.rendered(job, first) is None
    told = [warmth.rendered(1, 7.0), warmth.rendered(2, 9.0), warmth.rendered(1, 7.0), warmth.rendered(2, 9.0)]
    assert [said is None for said in told] == [True, True, False, True]
    assert "7.0 s after the session's first one, which took 3.0 s" in (told[2] or "")
