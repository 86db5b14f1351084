"""The table of state changes, and the page that shows it."""

import re
from pathlib import Path

import pytest

from coordinator.domain.inspections import InspectionState
from coordinator.domain.model import AgentState, ChunkState, FrameState, JobState, LeaseState, SoundState
from coordinator.domain.transitions import GONE, NEW, OPEN, TRANSITIONS, IllegalTransition, check

PAGE = Path(__file__).parents[4] / "docs" / "STATES.md"


def test_what_is_not_in_the_table_raises_with_the_history() -> None:
    check("job", 7, JobState.QUEUED, JobState.RUNNING, lambda: pytest.fail("history is asked in vain"))
    with pytest.raises(IllegalTransition) as caught:
        check("job", 7, JobState.COMPLETED, JobState.RUNNING, lambda: ["it was submitted", "it ended"])
    assert str(caught.value) == ("job 7 cannot go from completed to running; its history: it was submitted; it ended")
    assert caught.value.history == ("it was submitted", "it ended")


def test_ends_are_final_but_for_what_a_person_opens_again() -> None:
    left = {(subject, old) for subject, old, _ in TRANSITIONS}
    ended = [state for state in JobState if state.ended]
    after_the_end = {new for subject, old, new in TRANSITIONS if subject == "job" and old in ended}
    assert after_the_end == {JobState.QUEUED, JobState.BLOCKED}
    assert ("lease", LeaseState.ENDED) not in left
    assert {new for subject, old, new in TRANSITIONS if subject == "frame" and old != OPEN} == {OPEN, GONE}
    assert ("sound", SoundState.NONE) not in left
    assert ("chunk", GONE) not in left


def test_every_state_can_be_reached() -> None:
    reached = {(subject, new) for subject, _, new in TRANSITIONS}
    for subject, states in (
        ("job", JobState),
        ("chunk", ChunkState),
        ("lease", LeaseState),
        ("frame", FrameState),
        ("agent", AgentState),
        ("inspection", InspectionState),
    ):
        assert {(subject, state) for state in states} <= reached
    assert {old for _, old, _ in TRANSITIONS} >= {NEW, OPEN}


def test_the_page_shows_the_table() -> None:
    """docs/STATES.md has a row for every change, and no other."""
    section, shown = "", set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").lower()
        elif found := re.fullmatch(r"\| `?([^|`]+)`? \| `?([^|`]+)`? \| ([^|]+) \|", line):
            shown.add((section, found[1], found[2], found[3]))
    shown = {row for row in shown if row[1] not in ("from", "---")}
    assert shown == {(subject, str(old), str(new), why) for (subject, old, new), why in TRANSITIONS.items()}
