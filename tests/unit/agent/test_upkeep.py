"""When a session is started anew, checked, and its job rendered without kept data."""

import pytest

from agent.upkeep import CHECK_AFTER, GIBIBYTE, Upkeep
from tests.unit.agent.jobs import job

SLOT = 16 * GIBIBYTE


def warm(upkeep: Upkeep, *gibibytes: float, job_id: int = 1) -> list[str | None]:
    """Set a job up and render frames from 1 on, after which Blender holds so much; return what is said of each."""
    upkeep.set_up(upkeep.plan(job(job_id=job_id)))
    return [upkeep.rendered(frame, int(held * GIBIBYTE)) for frame, held in enumerate(gibibytes, 1)]


@pytest.mark.parametrize(
    "held",
    [
        (2, 2, 2, 2.9, 2.9),  # grown, but by less than half
        (2, 3, 4, 9, 9.5),  # more than double, but far from what the slot may use
        (12, 12, 12, 13, 13.5),  # large from the beginning
        (1, 14, 14, 14, 14),  # the scene takes as much as that
    ],
)
def test_a_session_goes_on_while_its_memory_is_as_it_began(held: tuple[float, ...]) -> None:
    assert warm(Upkeep(SLOT), *held) == [None] * 5


def test_one_that_has_grown_is_started_anew() -> None:
    upkeep = Upkeep(SLOT)
    *before, why = warm(upkeep, 6, 6, 6, 8, 10)
    assert before == [None] * 4
    assert why == "Blender's memory grew from 6.0 to 10.0 GiB over 5 frames."
    # The new one is measured by itself.
    assert warm(upkeep, 10, 10, 10, 10) == [None] * 4


def test_nothing_is_kept_for_a_job_that_outgrew_its_memory_twice() -> None:
    unkept: set[int] = set()
    upkeep = Upkeep(SLOT, unkept)
    warm(upkeep, 6, 6, 6, 10)
    warm(upkeep, 6, 6, 6, 10, job_id=2)
    assert upkeep.plan(job()) == job()
    assert "nothing is kept" in (warm(upkeep, 6, 6, 6, 10)[-1] or "")
    assert upkeep.plan(job()) == job(persistent_data=False)
    assert upkeep.plan(job(job_id=2)) == job(job_id=2)
    # All slots of the agent know.
    assert Upkeep(SLOT, unkept).plan(job()) == job(persistent_data=False)


def test_a_check_costs_one_frame_in_a_hundred_at_most() -> None:
    upkeep = Upkeep()
    upkeep.set_up(job())
    checks = 0
    for frame in range(1, 2001):
        upkeep.rendered(frame, 0)
        if upkeep.check() is not None:
            assert upkeep.check() == 1
            assert upkeep.checked(same=True) is None
            checks += 1
        assert checks <= frame / CHECK_AFTER
    assert checks == 4  # after 100, 300, 700 and 1500 warm frames


def test_a_difference_names_the_frames_since_the_last_check() -> None:
    upkeep = Upkeep(check_after=3)
    upkeep.set_up(job())
    assert upkeep.check() is None
    for frame in (5, 6, 7, 9):
        upkeep.rendered(frame, 0)
    assert upkeep.check() == 5
    warning = upkeep.checked(same=False)
    assert warning is not None
    assert "Frame 5 " in warning
    assert "with frames 6-7, 9 in between" in warning
    assert upkeep.plan(job()) == job(persistent_data=False)


def test_nothing_is_checked_where_nothing_is_kept() -> None:
    upkeep = Upkeep(check_after=1)
    upkeep.set_up(job(persistent_data=False))
    for frame in range(5):
        upkeep.rendered(frame, 0)
        assert upkeep.check() is None


def test_frames_in_very_many_pieces_are_not_all_named() -> None:
    upkeep = Upkeep(check_after=1)
    upkeep.set_up(job())
    for frame in range(0, 100, 2):
        upkeep.rendered(frame, 0)
    warning = upkeep.checked(same=False) or ""
    assert "40 and 29 more runs in between" in warning
    assert len(warning) < 1000
