"""When a slot asks for its next lease, and what it says of itself then."""

from agent.events import Delivered, Fetched, Granted, NoWork, Progressed, Rested, WorkDone
from agent.instructions import Fetch, Render, StopAsking
from agent.state import ASK_AHEAD, UNKNOWN_BUSY, Slot
from tests.unit.agent.jobs import PACK, grant, job
from tests.unit.agent.slots import DONE, ask, rendering, tell


def test_next_lease_is_asked_for_when_little_is_left() -> None:
    slot = rendering(*range(1, 12))
    # With two frames and a half left nothing is asked, with less it is.
    assert tell(slot, WorkDone(seconds=ASK_AHEAD * 0.4)) == [Render("one", job(), 2)]
    tell(slot, *[WorkDone(seconds=ASK_AHEAD * 0.4)] * 6)
    assert slot.work == Render("one", job(), 8)
    assert tell(slot, WorkDone(seconds=ASK_AHEAD * 0.4)) == [Render("one", job(), 9)]
    assert tell(slot, Progressed(0.5, None, None)) == []
    assert tell(slot, Progressed(0.75, None, None)) == [ask("one", busy=ASK_AHEAD * 0.9)]
    # Once is enough, and two leases are.
    assert tell(slot, Progressed(0.875, None, None)) == []
    assert tell(slot, Granted(grant("two", 20, 21))) == [Fetch("two", PACK)]
    assert tell(slot, WorkDone(seconds=ASK_AHEAD * 0.4)) == [Render("one", job(), 10)]


def test_what_is_held_counts_as_a_whole() -> None:
    slot = rendering(1, 2, 3)
    tell(slot, WorkDone(seconds=1.0), Granted(grant("two", 4)), Fetched("two"))
    tell(slot, WorkDone(seconds=3.0), WorkDone(seconds=2.0))
    assert slot.work == Render("two", job(), 4)
    assert tell(slot, Delivered("one", 1), Delivered("one", 2), Delivered("one", 3)) == [ask("two", busy=2.0)]
    # A job that nothing is known of may take any time.
    tell(slot, Granted(grant("three", 7, 8, of=job(job_id=2))), Fetched("three"))
    assert tell(slot, WorkDone(seconds=2.0), Delivered("two", 4)) == []
    tell(slot, DONE)
    assert tell(slot, WorkDone(seconds=1.0)) == [
        Render("three", job(job_id=2), 8),
        ask("three", busy=1.0),
    ]


def test_slot_that_cannot_tell_how_long_it_takes_says_that_it_is_busy() -> None:
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", 1)), Fetched("one"))
    assert tell(slot, DONE) == [Render("one", job(), 1), ask("one", busy=UNKNOWN_BUSY)]


def test_dry_slot_asks_anew_only_if_it_said_that_it_was_busy() -> None:
    slot = rendering(1)
    assert tell(slot, DONE) == [StopAsking(), ask("one")]
    assert tell(slot, Delivered("one", 1)) == []
    assert tell(slot, NoWork()) == [ask()]
