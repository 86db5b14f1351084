from datetime import timedelta
from functools import partial

import pytest

from benchmarks.virtual_time import Agenda


def test_everything_happens_at_its_time_and_in_the_order_it_was_asked_for() -> None:
    agenda, happened = Agenda(), list[tuple[str, float]]()
    began = agenda.clock()

    def note(name: str) -> None:
        happened.append((name, agenda.now))

    def note_twice() -> None:
        note("third")
        agenda.after(0.5, partial(note, "last"))

    agenda.after(2.0, note_twice)
    agenda.after(1.0, partial(note, "first"))
    agenda.after(1.0, partial(note, "second"))
    agenda.run(until=lambda: len(happened) == 4, limit=10.0)
    assert happened == [("first", 1.0), ("second", 1.0), ("third", 2.0), ("last", 2.5)]
    assert agenda.clock() - began == timedelta(seconds=2.5)


@pytest.mark.parametrize("seconds", [[], [11.0]], ids=["nothing is to come", "it comes too late"])
def test_a_standstill_is_an_error(seconds: list[float]) -> None:
    agenda = Agenda()
    for second in seconds:
        agenda.after(second, lambda: None)
    with pytest.raises(TimeoutError):
        agenda.run(until=lambda: False, limit=10.0)
