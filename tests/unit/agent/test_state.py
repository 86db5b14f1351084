"""What a slot does next, for the orders of events that a farm brings about."""

from collections import deque

from agent.events import (
    Delivered,
    Fetched,
    FetchFailed,
    FrameSpoilt,
    Granted,
    LeaseLost,
    NoWork,
    Progressed,
    Reported,
    Rested,
    StopRequested,
    WorkDone,
    WorkFailed,
)
from agent.faults import SHORTEST_REST
from agent.instructions import (
    CloseSession,
    Discard,
    Fetch,
    Finish,
    MixSound,
    Pause,
    Prepare,
    Render,
    Report,
    StopAsking,
    StopWork,
)
from agent.state import IDLE_ASKS, Slot
from coordinator.protocol import FrameAnswer, Stage
from tests.unit.agent.jobs import OTHER_PACK, PACK, grant, job
from tests.unit.agent.slots import BUSY, DONE, ask, rendering, report, tell


def test_lease_from_first_to_last_frame() -> None:
    slot = Slot()
    assert tell(slot, Rested()) == [ask(pack=None)]
    assert tell(slot, NoWork()) == [ask(pack=None)]
    assert tell(slot, Granted(grant("one", 1, 2))) == [Fetch("one", PACK)]
    assert slot.report("one").stage == Stage.FETCHING
    assert tell(slot, Fetched("one")) == [Prepare("one", job())]
    assert slot.report("one").stage == Stage.OPENING
    assert tell(slot, DONE) == [Render("one", job(), 1)]
    # The last frame begins: the next lease is asked for, so that the slot never runs dry.
    assert tell(slot, DONE) == [Render("one", job(), 2), ask("one", busy=BUSY)]
    assert tell(slot, Delivered("one", 1)) == []
    # It ran dry while the request waits: said anew, now without work.
    assert tell(slot, DONE) == [StopAsking(), ask("one")]
    assert slot.report("one").stage == Stage.UPLOADING
    assert tell(slot, Delivered("one", 2)) == []
    assert slot.leases == {}


def test_report_tells_where_the_frame_is() -> None:
    slot = rendering(7, 8)
    assert slot.handle(Progressed(0.5, 12.0, 1000)) == []
    said = slot.report("one")
    assert (said.stage, said.frame, said.progress, said.remaining_seconds, said.memory_bytes) == (
        Stage.RENDERING,
        7,
        0.5,
        12.0,
        1000,
    )
    tell(slot, DONE)
    assert (slot.report("one").frame, slot.report("one").progress) == (8, 0.0)


def test_session_stays_open_for_a_job_and_is_set_up_anew_for_the_next() -> None:
    slot = rendering(1)
    assert tell(slot, Granted(grant("two", 2))) == [Fetch("two", PACK)]
    tell(slot, Fetched("two"))
    assert tell(slot, DONE) == [Render("two", job(), 2)]
    tell(slot, Delivered("one", 1))
    other = job(job_id=2)
    tell(slot, Granted(grant("three", 3, of=other)), Fetched("three"))
    assert tell(slot, DONE) == [Prepare("three", other)]


def test_at_most_two_leases() -> None:
    slot = rendering(1)
    tell(slot, Granted(grant("two", 2)), Fetched("two"))
    assert tell(slot, DONE) == [Render("two", job(), 2)]  # and no Ask: "one" is not delivered
    assert tell(slot, Delivered("one", 1)) == [ask("two", busy=BUSY)]


def test_frame_that_was_taken_tells_how_far_to_go_on() -> None:
    slot = rendering(1, 2, 3, 4)
    tell(slot, DONE)
    assert tell(slot, Delivered("one", 1, FrameAnswer(last_frame=3))) == []
    assert list(slot.leases["one"].todo) == [3]
    # The tail was taken over together with the frame that is being rendered here.
    tell(slot, DONE)
    assert tell(slot, Delivered("one", 2, FrameAnswer(last_frame=2))) == [
        StopWork(),
        StopAsking(),
        ask("one", pack=None),
    ]
    tell(slot, WorkFailed("stopped", "Killed."))
    assert slot.leases == {}


def test_frame_that_went_to_another_slot_costs_nothing_else() -> None:
    slot = rendering(1, 2)
    tell(slot, DONE)
    assert tell(slot, Delivered("one", 1)) == []
    assert slot.work == Render("one", job(), 2)


def test_sound_comes_first_and_its_failure_costs_only_the_session() -> None:
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", 1, 2, sound=True)), Fetched("one"))
    assert tell(slot, DONE) == [MixSound("one", 1, 10)]
    assert slot.report("one").stage == Stage.MIXING
    assert tell(slot, WorkFailed("no_sound", "There is none.")) == [Prepare("one", job())]
    assert slot.report("one").failures == []
    tell(slot, DONE, DONE, DONE)
    tell(slot, Delivered("one", 1), Delivered("one", 2))
    assert "one" in slot.leases  # why there is no sound is still to be delivered
    tell(slot, Delivered("one", None))
    assert slot.leases == {}


def test_failed_frame_is_reported_once_and_the_next_begins_in_a_new_session() -> None:
    slot = rendering(1, 2)
    assert tell(slot, WorkFailed("crashed", "Blender crashed.")) == [Prepare("one", job())]
    sent = slot.report("one")
    assert [(failure.frame, failure.code) for failure in sent.failures] == [(1, "crashed")]
    tell(slot, Reported("one", sent, 2))
    assert slot.report("one").failures == []
    assert tell(slot, DONE) == [Render("one", job(), 2), ask("one", busy=BUSY)]


def test_failure_noted_while_a_report_travels_is_in_the_next_one() -> None:
    slot = rendering(1, 2, 3)
    tell(slot, WorkFailed("crashed", "First."))
    travelling = slot.report("one")
    tell(slot, DONE, WorkFailed("crashed", "Second."))
    tell(slot, Reported("one", travelling, 3))
    assert [failure.frame for failure in slot.report("one").failures] == [2]


def test_lease_lives_until_its_last_failure_was_reported() -> None:
    slot = rendering(1)
    tell(slot, WorkFailed("render_failed", "No."))
    assert "one" in slot.leases
    report(slot, last_frame=None)
    assert slot.leases == {}


def test_failure_of_the_whole_job_gives_the_rest_back() -> None:
    for code, event in (
        ("cannot_open", WorkFailed("cannot_open", "No scene.")),
        ("crashed", WorkFailed("crashed", "Blender crashed while opening the file.")),
    ):
        slot = Slot()
        tell(slot, Rested(), Granted(grant("one", 1, 2)), Fetched("one"), event)
        said = slot.report("one")
        assert [(failure.frame, failure.code) for failure in said.failures] == [(None, code)]
        assert said.release
        assert report(slot, last_frame=None) == []
        assert slot.leases == {}


def test_missing_camera_is_the_whole_jobs_failure() -> None:
    slot = rendering(1, 2)
    tell(slot, WorkFailed("no_camera", "No camera."))
    assert slot.report("one").failures[0].frame is None
    assert slot.leases["one"].todo == deque()


def test_files_that_cannot_be_had() -> None:
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", 1)), FetchFailed("one", "no_inputs", "Lost."))
    assert slot.report("one").failures[0].frame is None
    assert slot.report("one").release


def test_fault_of_this_machine_is_no_failure_of_the_job() -> None:
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", 1, 2)), Fetched("one"))
    assert tell(slot, WorkFailed("not_started", "Blender does not start.")) == [
        Pause(SHORTEST_REST),
        ask("one", pack=None, resting="Blender does not start."),
    ]
    said = slot.report("one")
    assert (said.failures, said.warnings, said.release) == ([], ["Blender does not start."], True)
    assert report(slot, last_frame=None) == []
    # It only said that it is there; now it wants work again.
    assert tell(slot, Rested()) == [StopAsking(), ask(pack=None)]


def test_rendered_frames_are_delivered_before_the_rest_is_given_back() -> None:
    slot = rendering(1, 2, 3)
    tell(slot, DONE, WorkFailed("no_camera", "No camera."))
    assert not slot.report("one").release
    slot.handle(Delivered("one", 1))
    assert slot.report("one").release


def test_lost_lease_is_dropped_at_once() -> None:
    slot = rendering(1, 2)
    assert tell(slot, LeaseLost("one")) == [Discard("one"), StopWork(), ask(pack=None)]
    assert tell(slot, LeaseLost("one")) == []
    tell(slot, Granted(grant("two", 5)), Fetched("two"))
    # The killed session's failure is nobody's; the next lease gets a new one.
    assert tell(slot, WorkFailed("stopped", "Killed.")) == [Prepare("two", job())]
    assert slot.report("two").failures == []


def test_lease_shrinks() -> None:
    slot = rendering(1, 2, 3, 4)
    assert report(slot, last_frame=2) == []
    assert tell(slot, DONE)[0] == Render("one", job(), 2)
    assert slot.leases["one"].todo == deque()


def test_lease_shrinks_below_the_frame_being_rendered() -> None:
    slot = rendering(1, 2, 3)
    tell(slot, DONE)
    assert report(slot, last_frame=1) == [StopWork(), ask("one", pack=None)]
    # Another answer says the same while the session is being killed.
    assert report(slot, last_frame=1) == []
    tell(slot, WorkFailed("stopped", "Killed."))
    assert slot.report("one").failures == []


def test_nothing_left_lets_the_frame_being_rendered_come_to_its_end() -> None:
    slot = rendering(1, 2)
    assert report(slot, last_frame=None) == [ask("one", busy=BUSY)]
    assert slot.work == Render("one", job(), 1)


def test_spoilt_file_fails_its_frame() -> None:
    slot = rendering(1, 2)
    tell(slot, DONE, FrameSpoilt("one", 1, "Cut short."))
    assert [(failure.frame, failure.code) for failure in slot.report("one").failures] == [(1, "bad_frame")]


def test_warnings_are_reported_before_a_frame_could_end_the_lease() -> None:
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", 1)), Fetched("one"))
    assert slot.handle(WorkDone(("wood.png is missing",))) == [Report()]
    assert slot.report("one").warnings == ["wood.png is missing"]
    assert report(slot) == [Render("one", job(), 1), ask("one", busy=BUSY)]
    assert slot.report("one").warnings == []


def test_stop_finishes_the_frame_and_hands_the_rest_back() -> None:
    slot = rendering(1, 2, 3)
    tell(slot, Granted(grant("two", 4)))
    assert tell(slot, StopRequested()) == []
    assert not slot.report("one").release
    tell(slot, DONE)
    assert not slot.report("one").release  # first its frame is delivered
    assert slot.report("two").release
    report(slot, "two", None)
    tell(slot, Delivered("one", 1))
    assert slot.report("one").release
    assert report(slot, last_frame=None) == [Finish()]


def test_stop_while_idle_or_opening() -> None:
    slot = Slot()
    tell(slot, Rested())
    assert tell(slot, StopRequested()) == [StopAsking(), Finish()]
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", 1)), Fetched("one"))
    assert tell(slot, StopRequested()) == [StopWork()]
    tell(slot, WorkFailed("stopped", "Killed."))
    said = slot.report("one")
    assert (said.failures, said.release) == ([], True)


def test_grant_that_arrives_after_stop_is_given_back() -> None:
    slot = rendering(1)
    tell(slot, StopRequested(), Granted(grant("two", 2)))
    assert slot.report("two").release


def test_same_lease_granted_again_changes_nothing() -> None:
    slot = rendering(1, 2)
    assert tell(slot, Granted(grant("one", 1, 2))) == []
    assert list(slot.leases["one"].todo) == [2]


def test_idle_session_is_closed() -> None:
    slot = rendering(1)
    tell(slot, DONE, Delivered("one", 1))
    assert slot.packs() == {PACK}
    for _ in range(IDLE_ASKS - 1):
        assert tell(slot, NoWork()) == [ask()]
    assert tell(slot, NoWork()) == [CloseSession(), ask(pack=None)]
    assert slot.packs() == set()


def test_packs_in_use() -> None:
    slot = rendering(1)
    tell(slot, Granted(grant("two", 1, of=job(OTHER_PACK))))
    assert slot.packs() == {PACK, OTHER_PACK}
