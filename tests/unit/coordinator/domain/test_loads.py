"""How cards did is remembered for half an hour, and no longer."""

import pytest

from coordinator.domain import loads
from coordinator.domain.loads import KEPT, KEPT_SECONDS, SAMPLE_SECONDS, CardLoad, Loads
from tests.unit.coordinator.domain.records import START, at

WARM = CardLoad(61.25, 0.5, None)


def test_half_an_hour_is_kept_of_each_agent() -> None:
    known = Loads()
    for number in range(KEPT + 10):
        known.sample(at(number * SAMPLE_SECONDS), [(1, [CardLoad(float(number), None, 0.5)])])
    history = known.since(0)[1]
    assert len(history.at) == KEPT
    assert history.at[-1] - history.at[0] == KEPT_SECONDS - SAMPLE_SECONDS
    assert history.cards[0][0] == CardLoad(10.0, None, 0.5)
    assert known.since(history.at[-2])[1].at == history.at[-1:]
    assert known.since(history.at[-1]) == {}


def test_who_is_gone_is_forgotten() -> None:
    known = Loads()
    known.sample(START, [(1, [WARM]), (2, [])])
    known.sample(at(KEPT_SECONDS - 1), [])
    assert known.since(0)[1].cards == [[WARM]]
    known.sample(at(KEPT_SECONDS), [])
    assert known.since(0) == {}


def test_other_cards_begin_anew() -> None:
    known = Loads()
    known.sample(START, [(1, [WARM, WARM])])
    known.sample(at(20), [(1, [WARM])])
    assert known.since(0)[1].cards == [[WARM]]


def test_no_more_agents_are_remembered_than_memory_is_meant_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "MAX_AGENTS", 2)
    known = Loads()
    known.sample(START, [(number, [WARM]) for number in range(3)])
    assert list(known.since(0)) == [0, 1]
