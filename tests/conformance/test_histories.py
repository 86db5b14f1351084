"""Random histories: whatever agents and people do in whatever order, what is always true stays true."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from coordinator.db import schema
from coordinator.db.engine import Database, Transaction, open_database
from coordinator.protocol import LeaseGrant, Stage
from coordinator.services import stitching
from coordinator.services.errors import Refused
from tests.conformance.farm import Farm, SetClock, digest
from tests.conformance.invariants import check_invariants

T = TypeVar("T")
AGENTS = ["ant", "bee"]
RANGES = ["1", "1-3", "1-12", "2-20:3", "-3-3,7,9-11"]
ACTIONS = ["deliver", "deliver", "deliver", "fail", "fail whole", "release", "sound", "no sound"]
picks = st.integers(min_value=0, max_value=1000)


class Histories(RuleBasedStateMachine):
    """Histories over one database, which each of them begins by emptying."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    clock: ClassVar[SetClock]

    def __init__(self) -> None:
        super().__init__()
        self.farm = Farm(self.database, self.clock)
        self.run(self.database.write(_empty))
        self.agents: dict[str, int] = {}
        self.grants: list[tuple[int, LeaseGrant]] = []
        self.jobs: list[int] = []
        # The picture that was accepted first, for every finished frame.
        self.accepted: dict[tuple[int, int], str] = {}
        for name in AGENTS:
            self.join(name)

    def run(self, call: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await call

        return self.runner.run(awaited())

    def tried(self, call: Awaitable[T]) -> T | None:
        """Run what may be refused."""
        with contextlib.suppress(Refused):
            return self.run(call)
        return None

    def a_grant(self, pick: int) -> tuple[int, LeaseGrant]:
        """Any lease that was ever granted: late reports of lost ones must do no harm."""
        # The latest more often than the oldest.
        return self.grants[-1 - pick % min(len(self.grants), 1 + pick % 7)]

    @rule(name=st.sampled_from(AGENTS))
    def join(self, name: str) -> None:
        if (registered := self.tried(self.farm.register(name, slots=2))) is not None:
            self.agents[name] = registered.agent_id

    @initialize(
        frames=st.sampled_from(RANGES),
        retries=st.integers(min_value=0, max_value=1),
        video=st.booleans(),
        sound=st.booleans(),
    )
    def begin(self, frames: str, retries: int, video: bool, sound: bool) -> None:
        self.submit(frames, 50, retries, video, sound)

    # Few jobs and few of them cancelled: most of a history is work on them.
    @precondition(lambda self: len(self.jobs) < 3)
    @rule(
        frames=st.sampled_from(RANGES),
        priority=st.sampled_from([10, 50]),
        retries=st.integers(min_value=0, max_value=1),
        video=st.booleans(),
        sound=st.booleans(),
    )
    def submit(self, frames: str, priority: int, retries: int, video: bool, sound: bool) -> None:
        job = self.run(self.farm.submit(frames, priority=priority, max_retries=retries, video=video, sound=sound))
        self.jobs.append(job.id)

    @rule(
        name=st.sampled_from(AGENTS),
        slot=st.integers(min_value=0, max_value=1),
        knows=st.booleans(),
        stage=st.sampled_from(Stage),
        actions=st.lists(st.sampled_from(ACTIONS), max_size=6),
    )
    def work(self, name: str, slot: int, knows: bool, stage: Stage, actions: list[str]) -> None:
        """Ask for work and do something with it, well or badly, before the slot is cut off."""
        agent = self.agents[name]
        holds = [grant.lease_id for owner, grant in self.grants if owner == agent] if knows else []
        grant = self.tried(self.farm.lease(agent, slot, holds))
        if grant is None:
            return
        self.grants.append((agent, grant))
        self.tried(self.farm.report(agent, grant, stage=stage, frame=grant.frames[0]))
        for number, action in enumerate(actions):
            frame = grant.frames[number % len(grant.frames)]
            match action:
                case "deliver":
                    self.deliver(0, number % len(grant.frames), False)
                case "fail":
                    self.tried(self.farm.fail(agent, grant, frame))
                case "fail whole":
                    self.tried(self.farm.fail(agent, grant, None))
                case "release":
                    self.tried(self.farm.report(agent, grant, stage=stage, release=True))
                case "sound":
                    self.tried(self.farm.deliver_sound(agent, grant))
                case "no sound":
                    self.tried(self.farm.deliver_sound(agent, grant, "song.wav is missing"))

    @precondition(lambda self: self.grants)
    @rule(pick=picks, late=st.integers(min_value=0, max_value=3), again=st.booleans())
    def deliver(self, pick: int, late: int, again: bool) -> None:
        agent, grant = self.a_grant(pick)
        frame = grant.frames[min(late, len(grant.frames) - 1)]
        key = (grant.job.job_id, frame)
        picture = f"by {grant.lease_id}"
        outcome = self.tried(self.farm.deliver(agent, grant, frame, picture=picture))
        if outcome is not None and outcome.status == "recorded":
            assert key not in self.accepted
            self.accepted[key] = digest(f"{picture} {frame}")
        if again and outcome is not None:
            repeated = self.tried(self.farm.deliver(agent, grant, frame, picture=picture))
            assert repeated is not None
            assert repeated.status == "repeated"

    @precondition(lambda self: self.grants)
    @rule(pick=picks)
    def deliver_the_rest(self, pick: int) -> None:
        for late in range(len(self.a_grant(pick)[1].frames)):
            self.deliver(pick, late, False)

    @precondition(lambda self: self.grants)
    @rule(pick=picks, stage=st.sampled_from(Stage), release=st.booleans())
    def report(self, pick: int, stage: Stage, release: bool) -> None:
        agent, grant = self.a_grant(pick)
        self.tried(self.farm.report(agent, grant, stage=stage, frame=grant.frames[0], release=release))

    @precondition(lambda self: self.grants)
    @rule(pick=picks, late=st.integers(min_value=-1, max_value=3))
    def fail(self, pick: int, late: int) -> None:
        agent, grant = self.a_grant(pick)
        frame = None if late < 0 else grant.frames[min(late, len(grant.frames) - 1)]
        self.tried(self.farm.fail(agent, grant, frame))

    @precondition(lambda self: self.grants)
    @rule(pick=picks)
    def deliver_a_frame_of_the_wrong_size(self, pick: int) -> None:
        agent, grant = self.a_grant(pick)
        self.tried(self.farm.deliver(agent, grant, grant.frames[0], size=(1, 1), picture=grant.lease_id))

    @precondition(lambda self: self.grants)
    @rule(pick=picks, failure=st.sampled_from([None, "song.wav is missing"]))
    def deliver_sound(self, pick: int, failure: str | None) -> None:
        agent, grant = self.a_grant(pick)
        self.tried(self.farm.deliver_sound(agent, grant, failure))

    @rule(seconds=st.sampled_from([10, 31, 61]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.run(self.farm.reap())

    @rule(name=st.sampled_from(AGENTS))
    def leave(self, name: str) -> None:
        self.run(self.farm.leave(self.agents[name]))

    @precondition(lambda self: self.jobs)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if pick % 8 == 0:
            self.tried(self.farm.cancel(self.jobs[pick // 8 % len(self.jobs)]))

    @rule(good=st.sampled_from([True, True, False, None]))
    def stitch(self, good: bool | None) -> None:
        task = self.run(self.database.write(stitching.claim, self.farm.timing))
        if task is None or good is None:
            return  # nothing to do, or the stitcher goes down
        if good:
            self.run(self.database.write(stitching.finish, task, digest("film"), 9))
        else:
            self.run(self.database.write(stitching.fail, task, "ffmpeg is not installed"))

    @invariant()
    def what_is_always_true(self) -> None:
        self.run(self.database.read(lambda tx: check_invariants(tx.conn)))
        self.run(self.database.read(self.first_results_stay))

    def first_results_stay(self, tx: Transaction) -> None:
        rows = tx.conn.execute(schema.frames.select().where(schema.frames.c.state == "finished"))
        assert {(row.job_id, row.frame): row.output_sha256 for row in rows} == self.accepted

    def teardown(self) -> None:
        """However it went, honest agents bring every job to its end."""
        self.run(self.finish_everything())
        self.what_is_always_true()

    async def finish_everything(self) -> None:
        self.clock.advance(1000)
        await self.farm.reap()
        ant = (await self.farm.register("ant")).agent_id
        while (grant := await self.farm.lease(ant)) is not None:
            if grant.mix_sound:
                await self.farm.deliver_sound(ant, grant)
            for frame in grant.frames:
                await self.farm.deliver(ant, grant, frame)
                self.accepted[grant.job.job_id, frame] = digest(f"picture {frame}")
        while (task := await self.database.write(stitching.claim, self.farm.timing)) is not None:
            await self.database.write(stitching.finish, task, digest("film"), 9)
        for job in self.jobs:
            assert (await self.farm.job(job)).state.ended


def _empty(tx: Transaction) -> None:
    for table in reversed(schema.metadata.sorted_tables):
        tx.conn.execute(delete(table))


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute on two idle cores
def test_random_histories(database_url: str) -> None:
    clock = SetClock()
    with asyncio.Runner() as runner:
        database = open_database(database_url, clock)
        try:
            over_this = type("Histories", (Histories,), {"runner": runner, "database": database, "clock": clock})
            # Every step is several round trips to the server.
            examples = settings().max_examples // (3 if database.kind == "postgresql" else 1)
            run_state_machine_as_test(over_this, settings=settings(max_examples=examples, stateful_step_count=20))
        finally:
            runner.run(database.close())
