"""A slot to try events on."""

from agent.events import Event, Fetched, Granted, Reported, Rested, WorkDone
from agent.instructions import Ask, Instruction, Render, Report
from agent.state import Slot
from tests.unit.agent.jobs import PACK, grant, job

#: A frame takes a minute: far more than the next lease is asked for ahead.
DONE = WorkDone(seconds=60.0)

#: What a slot says while one such frame is left to do; or while it knows nothing yet.
BUSY = 60.0


def ask(*holds: str, pack: str | None = PACK, busy: float = 0.0, resting: str | None = None) -> Ask:
    """Return a request for work."""
    return Ask(holds, pack, busy, resting)


def tell(slot: Slot, *events: Event) -> list[Instruction]:
    """Return what the last of these events leads to, without the reports that any of them may ask for."""
    instructions: list[Instruction] = []
    for event in events:
        instructions = slot.handle(event)
    return [instruction for instruction in instructions if not isinstance(instruction, Report)]


def rendering(*frames: int) -> Slot:
    """Return a slot that renders the first of these frames of lease "one"."""
    slot = Slot()
    tell(slot, Rested(), Granted(grant("one", *frames)), Fetched("one"), DONE)
    assert slot.work == Render("one", job(), frames[0])
    return slot


def report(slot: Slot, lease_id: str = "one", last_frame: int | None = 100) -> list[Instruction]:
    """Have a report answered."""
    return tell(slot, Reported(lease_id, slot.report(lease_id), last_frame))
