"""How an agent is, in a word and a sentence."""

from typing import Any

import pytest

from coordinator.domain.model import AgentState
from coordinator.domain.presence import Presence, explain, presence_of
from tests.unit.coordinator.domain.records import START, an_agent

ASIDE: dict[str, Any] = {"set_aside": "It failed.", "set_aside_at": START}


@pytest.mark.parametrize(
    ("fields", "busy", "expected"),
    [
        ({}, False, Presence.IDLE),
        ({}, True, Presence.WORKING),
        ({"drained": True}, True, Presence.DRAINING),
        ({"drained": True, "resting": "It is day."}, False, Presence.DRAINED),
        ({"resting": "It is day."}, False, Presence.RESTING),
        ({"drained": True, **ASIDE}, False, Presence.SET_ASIDE),
        ({"state": AgentState.OFFLINE, **ASIDE}, True, Presence.OFFLINE),
        ({"state": AgentState.LEFT, "drained": True}, False, Presence.LEFT),
    ],
)
def test_the_first_that_is_true(fields: dict[str, Any], busy: bool, expected: Presence) -> None:
    agent = an_agent(**fields)
    presence = presence_of(agent, busy=busy)
    assert presence == expected
    assert explain(agent, presence).endswith(".")


def test_the_agents_own_words_come_first() -> None:
    assert explain(an_agent(**ASIDE), Presence.SET_ASIDE) == "It failed."
    assert explain(an_agent(resting="It is day."), Presence.RESTING) == "It is day."
    assert all(explain(an_agent(), presence) for presence in Presence)
