"""What a slot does about a session that went wrong, or may have: orders of events as in test_state."""

import msgspec

from agent.events import (
    Checked,
    Delivered,
    Fetched,
    Granted,
    LeaseLost,
    Reported,
    Rested,
    WorkDone,
    WorkFailed,
)
from agent.faults import LONGEST_REST, SHORTEST_REST
from agent.instructions import (
    Check,
    CloseSession,
    Discard,
    Pause,
    Prepare,
    Render,
    StopWork,
)
from agent.state import Slot
from agent.upkeep import Upkeep
from tests.unit.agent.jobs import OTHER_PACK, grant, job
from tests.unit.agent.slots import DONE, rendering, report, tell


def test_fault_that_lasts_has_the_slot_rest_longer_each_time() -> None:
    slot = Slot()
    rests: list[float] = []
    for name in ("one", "two", "three", "four", "five", "six", "seven"):
        tell(slot, Rested(), Granted(grant(name, 1)), Fetched(name))
        rests += [it.seconds for it in tell(slot, WorkFailed("no_device", "No card.")) if isinstance(it, Pause)]
        report(slot, name, last_frame=None)
    assert rests == [30, 60, 120, 240, 480, 600, 600]
    assert (rests[0], rests[-1]) == (SHORTEST_REST, LONGEST_REST)


def test_card_that_is_lost_rests_the_slot_and_fails_no_frame() -> None:
    slot = rendering(1, 2)
    tell(slot, Granted(grant("two", 3)), Fetched("two"))
    done = tell(slot, WorkFailed("gpu_lost", "The card is gone."))
    assert Pause(SHORTEST_REST) in done
    for name in ("one", "two"):
        assert slot.report(name).release
        assert slot.report(name).failures == []
    # What was granted meanwhile is not begun.
    tell(slot, Reported("one", slot.report("one"), None), Reported("two", slot.report("two"), None))
    tell(slot, Granted(grant("three", 4)))
    assert slot.report("three").release


def test_card_that_breaks_off_twice_on_end_is_taken_for_broken() -> None:
    slot = rendering(1, 2, 3)
    assert tell(slot, WorkFailed("gpu_error", "Illegal address")) == [Prepare("one", job())]
    assert [failure.code for failure in slot.report("one").failures] == ["gpu_error"]
    assert tell(slot, DONE) == [Render("one", job(), 2)]
    assert Pause(SHORTEST_REST) in tell(slot, WorkFailed("gpu_error", "Illegal address"))
    slot = rendering(1, 2, 3, 4)
    tell(slot, WorkFailed("gpu_error", "Illegal address"), DONE, DONE)
    assert tell(slot, WorkFailed("gpu_error", "Illegal address")) == [Prepare("one", job())]


def test_session_that_outgrows_its_memory_is_started_anew_between_frames() -> None:
    slot = Slot(Upkeep(memory_bytes=100))
    tell(slot, Rested(), Granted(grant("one", *range(1, 9))), Fetched("one"), DONE)
    for _ in range(3):
        assert isinstance(tell(slot, WorkDone(seconds=60, memory_bytes=50))[0], Render)
    closing, preparing = tell(slot, WorkDone(seconds=60, memory_bytes=90))
    assert isinstance(closing, CloseSession)
    assert "memory grew" in closing.reason
    assert preparing == Prepare("one", job())
    assert slot.leases["one"].undelivered == {1, 2, 3, 4}
    assert tell(slot, DONE) == [Render("one", job(), 5)]


def test_session_whose_frames_take_longer_than_a_new_blenders_is_started_anew() -> None:
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", *range(1, 9))), Fetched("one"), WorkDone(seconds=1.0, fading=True))
    first, slow = WorkDone(seconds=4.0, render_seconds=3.0), WorkDone(seconds=8.0, render_seconds=7.0)
    assert tell(slot, first, slow) == [Render("one", job(), 3)]
    closing, preparing = tell(slot, slow)
    assert isinstance(closing, CloseSession)
    assert "a new Blender may be quicker" in closing.reason
    assert preparing == Prepare("one", job())
    # Of other scenes the times say nothing.
    tell(slot, WorkDone(seconds=1.0), first, slow, slow)
    assert isinstance(tell(slot, slow)[0], Render)


def test_warm_session_is_checked_and_nothing_is_kept_once_it_differed() -> None:
    slot = Slot(Upkeep(check_after=2))
    tell(slot, Rested(), Granted(grant("one", *range(1, 20))), Fetched("one"), DONE)
    tell(slot, DONE, DONE)
    assert tell(slot, DONE) == [Check("one", job(), 1)]
    assert slot.report("one").frame is None
    assert tell(slot, Checked(same=True)) == [Render("one", job(), 4)]
    tell(slot, DONE, DONE, DONE)
    assert tell(slot, DONE) == [Check("one", job(), 1)]
    (closing,) = tell(slot, Checked(same=False))  # and its owner is told first
    assert isinstance(closing, CloseSession)
    (warning,) = slot.report("one").warnings
    assert "with frames 4-7 in between" in warning
    unkept = job(persistent_data=False)
    assert report(slot) == [Prepare("one", unkept)]
    tell(slot, DONE)
    for frame in (9, 10, 11, 12, 13):
        assert tell(slot, DONE) == [Render("one", unkept, frame)]


def test_check_that_fails_costs_no_frame_and_one_that_nobody_needs_is_stopped() -> None:
    slot = Slot(Upkeep(check_after=1))
    tell(slot, Rested(), Granted(grant("one", 1, 2, 3)), Fetched("one"), DONE, DONE)
    assert tell(slot, DONE) == [Check("one", job(), 1)]
    assert tell(slot, WorkFailed("crashed", "Blender crashed.")) == [Prepare("one", job())]
    assert slot.report("one").failures == []
    slot = Slot(Upkeep(check_after=1))
    tell(slot, Rested(), Granted(grant("one", 1, 2, 3)), Fetched("one"), DONE, DONE, DONE)
    assert tell(slot, LeaseLost("one"))[:2] == [Discard("one"), StopWork()]


def test_job_whose_settings_changed_is_set_up_anew() -> None:
    slot = rendering(1)
    tell(slot, Granted(grant("two", 2, of=job(processor=True))), Fetched("two"))
    assert tell(slot, DONE) == [Prepare("two", job(processor=True))]


def test_frame_carries_what_it_is_expected_to_take() -> None:
    slot = Slot()
    expected = msgspec.structs.replace(grant("one", 1, 2), expected_seconds=12.0)
    tell(slot, Rested(), Granted(expected), Fetched("one"))
    assert tell(slot, DONE) == [Render("one", job(), 1, 12.0)]


def test_lease_whose_frame_does_not_fit_on_the_card_is_given_back() -> None:
    slot = rendering(1, 2, 3)
    tell(slot, DONE, WorkFailed("out_of_gpu_memory", "System is out of GPU memory"))
    said = slot.report("one")
    assert ([failure.frame for failure in said.failures], said.release) == ([2], False)
    tell(slot, Delivered("one", 1))
    assert slot.report("one").release


def test_next_lease_of_a_job_that_does_not_fit_on_the_card_is_given_back_unbegun() -> None:
    slot = rendering(1)
    other = job(OTHER_PACK, 2)
    tell(slot, Granted(grant("two", 2)), Fetched("two"))
    tell(slot, WorkFailed("out_of_gpu_memory", "System is out of GPU memory"))
    assert slot.work is None
    assert slot.report("two").release
    report(slot, "one", last_frame=None)
    report(slot, "two", last_frame=None)
    tell(slot, Granted(grant("three", 3, of=other)), Fetched("three"))
    assert slot.work == Prepare("three", other)


def test_lease_of_a_job_that_was_turned_to_processors_leaves_the_card() -> None:
    slot = rendering(1, 2)
    tell(slot, Granted(msgspec.structs.replace(grant("two", 3), expected_seconds=2.0)), Fetched("two"))
    for name in ("one", "two"):
        assert tell(slot, Reported(name, slot.report(name), 3, processor=True)) == []
    # The frame that renders may fit; what comes after it does not try.
    assert tell(slot, DONE) == [Prepare("one", job(processor=True))]
    assert tell(slot, DONE) == [Render("one", job(processor=True), 2)]
    assert tell(slot, Delivered("one", 1), Delivered("one", 2), DONE)[0] == Render("two", job(processor=True), 3)


def test_scene_being_set_up_for_the_card_is_set_up_for_the_processor_instead() -> None:
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", 1)), Fetched("one"))
    assert slot.work == Prepare("one", job())
    assert tell(slot, Reported("one", slot.report("one"), 1, processor=True)) == [StopWork()]
    assert tell(slot, Reported("one", slot.report("one"), 1, processor=True)) == []
    again = tell(slot, WorkFailed("stopped", "Rendering was stopped."))
    assert again[0] == Prepare("one", job(processor=True))
    assert slot.report("one").failures == []
