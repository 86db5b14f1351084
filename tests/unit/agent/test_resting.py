"""A slot that others need the machine of: it ends its frame, gives the rest back, and says why it takes no work."""

from agent.events import (
    Delivered,
    Fetched,
    Granted,
    NoWork,
    Progressed,
    Rested,
    SentToRest,
    StopRequested,
    Woken,
    WorkDone,
    WorkFailed,
)
from agent.instructions import Ask, CloseSession, Finish, Prepare, Render, Report, StopAsking, StopWork
from agent.state import Slot
from tests.unit.agent.jobs import PACK, grant, job
from tests.unit.agent.slots import DONE, ask, rendering, report, tell

REST = SentToRest("Someone is using this machine.")
RESTING = Ask((), None, 0.0, REST.reason)


def test_frame_is_finished_the_rest_given_back_and_the_session_closed() -> None:
    slot = rendering(1, 2, 3)
    assert tell(slot, REST) == []
    assert not slot.report("one").release
    assert tell(slot, DONE) == [CloseSession(), Ask(("one",), None, 0.0, REST.reason)]
    assert not slot.report("one").release
    tell(slot, Delivered("one", 1))
    assert slot.report("one").release
    assert report(slot) == []
    assert slot.leases == {}
    assert slot.packs() == set()


def test_slot_that_rests_goes_on_saying_so_until_it_is_woken() -> None:
    slot = Slot()
    assert tell(slot, Rested(), REST) == [StopAsking(), RESTING]
    assert tell(slot, NoWork()) == [RESTING]
    assert tell(slot, REST) == []
    assert tell(slot, SentToRest("Outside its hours.")) == [StopAsking(), Ask((), None, 0.0, "Outside its hours.")]
    assert tell(slot, Woken()) == [StopAsking(), ask(pack=None)]


def test_frame_is_dropped_at_once_where_the_settings_say_so() -> None:
    slot = rendering(1, 2)
    assert tell(slot, SentToRest(REST.reason, at_once=True)) == [StopWork()]
    assert tell(slot, WorkFailed("stopped", "Killed.")) == [Ask(("one",), None, 0.0, REST.reason)]
    given_back = slot.report("one")
    assert given_back.release
    assert given_back.failures == []


def test_scene_being_opened_is_not_waited_for() -> None:
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", 1)))
    assert tell(slot, Fetched("one")) == [Prepare("one", job())]
    assert tell(slot, REST) == [StopWork()]
    assert tell(slot, WorkFailed("stopped", "Killed."))[-1] == Ask(("one",), None, 0.0, REST.reason)
    assert slot.report("one").release


def test_lease_that_was_granted_meanwhile_is_given_back() -> None:
    slot = Slot()
    tell(slot, Rested(), REST)
    assert Report() in slot.handle(Granted(grant("one", 1)))
    assert slot.report("one").release
    assert tell(slot, Fetched("one")) == []


def test_woken_slot_goes_on_with_new_work_while_its_frame_ends() -> None:
    slot = rendering(1, 2)
    tell(slot, REST)
    assert tell(slot, Woken()) == [ask("one", busy=60.0)]
    tell(slot, Granted(grant("two", 2)), Fetched("two"))
    assert tell(slot, DONE) == [Render("two", job(), 2)]
    tell(slot, Progressed(0.5, None, None))
    assert slot.packs() == {PACK}


def test_slot_that_rests_can_be_stopped() -> None:
    slot = Slot()
    tell(slot, Rested(), REST)
    assert tell(slot, StopRequested()) == [StopAsking(), Finish()]
    slot = rendering(1)
    tell(slot, REST, StopRequested(), WorkDone(seconds=1.0), Delivered("one", 1))
    assert report(slot) == [Finish()]
