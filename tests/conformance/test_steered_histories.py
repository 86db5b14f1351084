"""Random histories in which people drain, stop, bar and remove agents too, at any moment."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import note, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from coordinator.db.engine import open_database
from coordinator.protocol import Stage
from coordinator.services import agent_control
from tests.conformance.farm import SetClock
from tests.conformance.history import prepared
from tests.conformance.invariants import Row
from tests.conformance.test_histories import Histories, seeds

#: How many, by Hypothesis's profile and by database, as in test_histories.py.
HISTORIES = {
    ("fast", "sqlite"): 6,
    ("fast", "postgresql"): 3,
    ("thorough", "sqlite"): 150,
    ("thorough", "postgresql"): 30,
}
#: What a person does, and how often.
STEPS = [*["drain", "resume"] * 3, *["stop"] * 2, "bar", "remove"]


class SteeredHistories(Histories):
    """Every fourth step is a person's, about an agent."""

    @rule(seed=seeds)
    def happens(self, seed: int) -> None:
        chance = random.Random(f"steered {self.dice} {self.seed} {self.steps} {seed}")  # noqa: S311 - no secret
        if self.content.agents and chance.random() < 0.25:
            self.steps += 1
            self.steer(chance.choice(STEPS), chance.choice(list(self.content.agents)))
        else:
            super().happens(seed)

    def steer(self, what: str, agent: int) -> None:
        """A person does something about an agent; no attempt at a frame is counted for it."""
        note(f"{what} {agent}")
        attempts = self.content.attempts
        self.tried(self.database.write(getattr(agent_control, what), agent, "ana"))
        self.settle(by_person=True)
        assert self.content.attempts == attempts, "someone was blamed for what a person did"

    def report(self, lease: Row, frame: int | None, stage: Stage = Stage.RENDERING, **fields: Any) -> None:
        if self.content.agents[lease["agent_id"]]["drained"]:
            # What it has not begun is taken from it, and perhaps the lease ends with that.
            self.tried(self.farm.report(lease["agent_id"], self.granted(lease), stage=stage, frame=frame, **fields))
        else:
            super().report(lease, frame, stage, **fields)

    def settle(self, *, by_person: bool = False) -> None:
        before = self.content
        super().settle(by_person=by_person)
        for key, lease in self.content.leases.items():
            drained = lease["agent_id"] in before.agents and before.agents[lease["agent_id"]]["drained"]
            assert key in before.leases or not drained, f"lease {key} was granted to an agent that is drained"

    def finish_everything(self) -> None:
        for agent in self.content.agents:
            self.tried(self.database.write(agent_control.resume, agent, "ana"))
        super().finish_everything()


@pytest.mark.timeout(900)
def test_steered_histories(database_url: str) -> None:
    clock = SetClock()
    with asyncio.Runner() as runner:
        database = open_database(database_url, clock)
        try:
            fixed = runner.run(prepared(database, clock)) | {"dice": 3, "runner": runner}
            examples = HISTORIES[settings.get_current_profile_name(), database.kind]
            run_state_machine_as_test(
                type("SteeredHistories", (SteeredHistories,), fixed),
                settings=settings(max_examples=examples, stateful_step_count=25),
            )
        finally:
            runner.run(database.close())
