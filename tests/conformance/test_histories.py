"""Random histories: whatever agents and people do in whatever order, what is always true stays true."""

import asyncio
import random
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from coordinator.db.engine import open_database
from coordinator.domain.frame_range import parse
from coordinator.protocol import ErrorCode, LeaseGrant, Stage
from coordinator.services import frames, stitching, submit
from coordinator.services.leases import LEASES_PER_SLOT
from tests.conformance.dice import (
    CHANGES,
    CODES,
    JOBS,
    MESSAGES,
    MOST_JOBS,
    MOST_ROUNDS,
    NEED_GRANTS,
    NEED_LEASES,
    RANGES,
    SECONDS,
    STEPS,
)
from tests.conformance.farm import HEIGHT, WIDTH, SetClock, digest, in_store
from tests.conformance.history import MACHINES, PICTURES, USERS, History, a_result, first_of, prepared
from tests.conformance.invariants import Row
from tests.conformance.steps import held_frames

#: How many histories of each of the two tests, by Hypothesis's profile and by database: a step is some round trips.
HISTORIES = {
    ("fast", "sqlite"): 8,
    ("fast", "postgresql"): 4,
    ("thorough", "sqlite"): 1000,
    ("thorough", "postgresql"): 160,
}
seeds = st.integers(min_value=0, max_value=2**16 - 1)


class Histories(History, RuleBasedStateMachine):
    """Histories over one database, which each of them begins by emptying."""

    dice: ClassVar[int]

    @initialize(seed=seeds)
    def begin(self, seed: int) -> None:
        self.seed = seed
        for number in range(1 + seed % 3):
            self.join(list(MACHINES)[number])
        self.submit(seed, seed // 7, 1)

    # One rule for all, and its own dice: of many rules Hypothesis leaves some out, and of numbers it prefers the small.
    @rule(seed=seeds)
    def happens(self, seed: int) -> None:
        """Have something happen, to whom or what the three numbers choose."""
        self.steps += 1
        chance = random.Random(f"{self.dice} {self.seed} {self.steps} {seed}")  # noqa: S311 - no secret
        what = chance.choice(STEPS)
        if all(job["ended_at"] for job in self.content.jobs.values()):
            what = chance.choice(["submit", "requeue"])
        one, two, three = (chance.randrange(1000) for _ in range(3))
        note(f"{what} {one} {two} {three}")
        if what in NEED_LEASES and not self.live:
            what = "ask"
        if what in NEED_GRANTS and not self.grants:
            what = "ask"
        getattr(self, what)(one, two, three)

    # What agents do

    def come(self, one: int, _two: int, _three: int) -> None:
        """An agent joins the farm, perhaps not for the first time."""
        self.join(list(MACHINES)[one % len(MACHINES)])

    def leave(self, one: int, _two: int, _three: int) -> None:
        self.tried(self.farm.leave(self.an_agent(one)))
        self.settle()

    def ask(self, one: int, two: int, three: int, *, knows: bool = True) -> None:
        """A slot asks for work and begins with it."""
        agent, slot = self.a_slot(one)
        if self.content.agents[agent]["state"] == "left":
            self.join(self.content.agents[agent]["name"])
        warm = list(self.pack_ids.values())[two % 2] if two % 3 else None
        held = self.held_by(agent, slot)
        fields = {"open_pack": warm, "busy_seconds": 20.0 if held and two % 2 else 0.0}
        grant = self.asked(agent, slot, held if knows else [], **fields)
        self.settle()
        if grant is None:
            return
        lease = self.content.leases[grant.lease_id]
        assert grant.frames == held_frames(self.content, lease), "a lease is not what its slot was told"
        fixed = self.content.jobs[lease["job_id"]]["chunk_frames"]
        assert fixed is None or len(grant.frames) <= fixed
        if three % 3 and not held:
            self.report(lease, grant.frames[0])
            if grant.mix_sound and three % 3 == 1:
                self.run(self.farm.deliver_sound(agent, grant))
            self.settle()

    def forget(self, one: int, two: int, three: int) -> None:
        """A slot asks for work that has lost sight of its leases."""
        self.ask(one, two, three, knows=False)

    def render(self, one: int, two: int, three: int) -> None:
        """The first frames of a live lease are finished."""
        lease = self.a_live_lease(one)
        for frame in held_frames(self.content, lease)[: 1 + two % 4]:
            self.hand_in(lease["agent_id"], lease["id"], frame, picture=PICTURES[0], seconds=SECONDS[three % 4])
            self.settle()

    def render_out_of_order(self, one: int, two: int, three: int) -> None:
        """Some frame of a live lease is handed in, twice."""
        lease = self.a_live_lease(one)
        held = held_frames(self.content, lease)
        for _ in range(2 if held else 0):
            picture = PICTURES[three % len(PICTURES)]
            self.hand_in(lease["agent_id"], lease["id"], held[two % len(held)], picture=picture)
            self.settle()

    def render_slowly(self, one: int, two: int, three: int) -> None:
        """Every slot renders on and on, and one that is idle asks for work."""
        rendering = {lease["id"]: first_of(held_frames(self.content, lease), lease["frame"]) for lease in self.live}
        for lease in self.live:
            self.report(lease, rendering[lease["id"]])
        seconds = (0.5, 6.0, 12.0, 28.0)[two % 4]
        self.clock.advance(seconds)
        fields: dict[str, Any] = {"progress": 0.5, "remaining_seconds": seconds} if three % 3 == 0 else {}
        for lease in self.live:
            self.report(lease, rendering[lease["id"]], **fields)
        self.settle()
        self.ask(one, two, three)

    def ask_together(self, one: int, two: int, three: int) -> None:
        """All slots ask for work and report at the same moment, some of them twice or wrongly."""
        asking = [(agent, slot, self.held_by(agent, slot) if (slot + two) % 3 else []) for agent, slot in self.slots]
        asking += [asking[one % len(asking)], (asking[0][0], 99, []), (99_999, 0, [])]
        calls: list[Any] = [self.farm.lease(agent, slot, held) for agent, slot, held in asking]
        reports = [self.farm.report(it["agent_id"], self.granted(it), stage=Stage.FETCHING) for it in self.live]
        place = three % len(asking)
        results = self.together([*calls[:place], *reports, *calls[place:]])
        del results[place : place + len(reports)]
        for (agent, _, _), grant in zip(asking, results, strict=True):
            if isinstance(grant, LeaseGrant):
                self.grants.append((agent, grant))
            else:
                assert grant in (None, ErrorCode.AGENT_GONE, ErrorCode.INVALID)
        self.settle()
        assert all(len(self.held_by(*slot)) <= LEASES_PER_SLOT for slot in self.slots)

    def render_together(self, one: int, two: int, three: int) -> None:
        """Of each lease one or two frames come in at the same moment, and one lease is given back, or twice."""
        calls: list[Any] = []
        handed_in = []
        for lease in self.live:
            for frame in held_frames(self.content, lease)[: 1 + two % 2]:
                agent = lease["agent_id"] if (frame + one) % 7 else 99_999
                result = a_result(PICTURES[three % 2], SECONDS[three % 4])
                handed_in.append((lease["job_id"], frame, len(calls)))
                rest = (result, WIDTH, HEIGHT, self.farm.timing)
                calls.append(self.database.write(frames.record_frame, agent, lease["id"], frame, *rest))
        back = self.a_live_lease(one)
        calls += [self.farm.report(back["agent_id"], self.granted(back), release=True) for _ in range(1 + three % 2)]
        results = self.together(calls)
        for job, frame, number in handed_in:
            if isinstance(results[number], ErrorCode):
                assert results[number] in (ErrorCode.LEASE_LOST, ErrorCode.FRAME_LOST)
            elif results[number].status == "recorded":
                assert (job, frame) not in self.accepted
                self.accepted[job, frame] = digest(PICTURES[three % 2])
        self.settle()

    def finish_leases(self, one: int, _two: int, three: int) -> None:
        """Every slot but one delivers all it has, and all slots ask for more."""
        for lease in [lease for number, lease in enumerate(self.live) if number != one % 4]:
            self.finish(lease, PICTURES[1], SECONDS[three % 4])
        for number in range(len(self.slots)):
            self.ask(4 * number, 0, three)

    def straggle(self, one: int, two: int, three: int) -> None:
        """One slot renders on and on; others, and some that join, render all there is, and then have nothing to do."""
        if two % 4 == 3:
            self.work_alone()
        if not self.live:
            return
        most = max(self.live, key=lambda lease: len(held_frames(self.content, lease)))
        last = (most if one % 4 else self.a_live_lease(one))["id"]
        frame = first_of(held_frames(self.content, self.content.leases[last]), self.content.leases[last]["frame"])
        self.report(self.content.leases[last], frame)
        if two % 2:
            for name in MACHINES:
                self.join(name)
        for _ in range(MOST_ROUNDS):
            for lease in [lease for lease in self.live if lease["id"] != last]:
                self.finish(lease, PICTURES[2], 2.0)
            known = len(self.grants)
            for agent, slot in self.slots:
                self.asked(agent, slot, self.held_by(agent, slot))
            self.settle()
            if len(self.grants) == known:
                break
        self.clock.advance((6.0, 12.0, 28.0)[two % 3])
        if self.content.leases[last]["state"] == "live":
            self.report(self.content.leases[last], frame)
            self.settle()
        for number in range(len(self.slots)):
            self.ask(4 * number, 0, three)

    def work_alone(self) -> None:
        """All agents leave but one, which learns how long frames take, and so is given many of them."""
        alone, *others = self.content.agents
        for agent in others:
            self.tried(self.farm.leave(agent))
        self.settle()
        for _ in range(2):
            for lease in self.live:
                self.finish(lease, PICTURES[3], 2.0)
            self.asked(alone, 0, self.held_by(alone, 0))
            self.settle()

    def render_late(self, one: int, two: int, three: int) -> None:
        """A frame comes in of any lease there ever was, or by an agent whose lease it is not."""
        agent, grant = self.grants[one % len(self.grants)]
        agent = agent if two % 4 else self.an_agent(two)
        picture = PICTURES[three % len(PICTURES)]
        self.hand_in(agent, grant.lease_id, grant.frames[two % len(grant.frames)], picture=picture)
        self.settle()

    def render_at_wrong_size(self, one: int, _two: int, _three: int) -> None:
        lease = self.a_live_lease(one)
        held = held_frames(self.content, lease)
        if held:
            wrong = (lease["agent_id"], lease["id"], held[0], a_result(PICTURES[0], 1.0), 1, 1)
            outcome = self.tried(self.database.write(frames.record_frame, *wrong, self.farm.timing))
            assert not isinstance(outcome, ErrorCode)
            assert outcome.status == "bad" or self.content.jobs[lease["job_id"]]["width"] is None
            self.settle()

    def fail(self, one: int, two: int, three: int) -> None:
        """A frame of a live lease cannot be rendered."""
        lease = self.a_live_lease(one)
        held = held_frames(self.content, lease)
        self.failed(lease, held[two % 2 % len(held)] if held else None, three)

    def fail_all(self, one: int, _two: int, three: int) -> None:
        """None of the frames of a live lease can be rendered."""
        lease = self.a_live_lease(one)
        for frame in held_frames(self.content, lease):
            if self.content.leases[lease["id"]]["state"] == "live":
                self.failed(lease, frame, three)

    def fail_job(self, one: int, _two: int, three: int) -> None:
        """The job of a live lease cannot be rendered at all."""
        self.failed(self.a_live_lease(one), None, three)

    def failed(self, lease: Row, frame: int | None, three: int) -> None:
        message, code = MESSAGES[three % len(MESSAGES)], CODES[three // 3 % len(CODES)]
        answer = self.tried(self.farm.fail(lease["agent_id"], self.granted(lease), frame, message, code))
        assert not isinstance(answer, ErrorCode)
        self.settle()

    def report_oddly(self, one: int, two: int, three: int) -> None:
        """A slot says that it is anywhere, or hands its frames back."""
        stage = list(Stage)[two % len(Stage)]
        self.report(self.a_live_lease(one), two % 9 or None, stage, release=three % 3 == 0)
        self.settle()

    def report_late(self, one: int, two: int, three: int) -> None:
        """A slot reports on any lease that it ever had."""
        agent, grant = self.grants[one % len(self.grants)]
        live = self.content.leases[grant.lease_id]["state"] == "live"
        call = self.farm.fail(agent, grant, two % 9) if three % 2 else self.farm.report(agent, grant, frame=two % 9)
        assert isinstance(self.tried(call), ErrorCode) != live
        self.settle()

    def mix_sound(self, one: int, two: int, _three: int) -> None:
        mixing = [lease for lease in self.live if self.content.jobs[lease["job_id"]]["sound_lease_id"] == lease["id"]]
        if mixing:
            lease = mixing[one % len(mixing)]
            failure = "song.wav is missing" if two % 3 == 0 else None
            self.run(self.farm.deliver_sound(lease["agent_id"], self.granted(lease), failure))
            self.settle()

    # What time and the coordinator do

    def time_passes(self, one: int, _two: int, _three: int) -> None:
        self.clock.advance((10, 31, 61, 700)[one % 4])
        self.run(self.farm.reap())
        self.settle()

    def stitch(self, one: int, _two: int, _three: int) -> None:
        task = self.run(self.database.write(stitching.claim, self.farm.timing))
        if task is None or one % 4 == 0:
            return  # nothing to do, or the stitcher goes down
        if one % 4 == 1:
            self.run(self.database.write(stitching.fail, task, "ffmpeg is not installed"))
        else:
            self.run(self.database.write(stitching.finish, task, digest("film"), 9, in_store))
        self.settle()

    # What people do

    def submit(self, one: int, two: int, three: int) -> None:
        known = list(self.content.jobs)
        if sum(job["ended_at"] is None for job in self.content.jobs.values()) >= MOST_JOBS:
            return
        job = JOBS[(31 * one + two) % len(JOBS)]
        after = known[-1:] if three % 4 == 0 else []
        fields = {**job, "pack": list(self.pack_ids.values())[one % 2], "after": after}
        request = msgspec.structs.replace(self.request, **fields)
        assert not isinstance(self.tried(self.database.write(submit.submit, request, USERS[two % 2])), ErrorCode)
        self.settle(by_person=True)

    def rerender(self, one: int, two: int, _three: int) -> None:
        if sum(job["ended_at"] is None for job in self.content.jobs.values()) < MOST_JOBS:
            self.tried(self.farm.rerender(self.a_job(one)["id"], frames=RANGES[two % len(RANGES)]))
            self.settle(by_person=True)

    def pause(self, one: int, _two: int, _three: int) -> None:
        self.tried(self.farm.pause(self.a_job(one)["id"]))
        self.settle(by_person=True)

    def resume(self, one: int, _two: int, _three: int) -> None:
        paused = [number for number, job in self.content.jobs.items() if job["state"] == "paused"]
        self.tried(self.farm.resume(paused[one % len(paused)] if paused else self.a_job(one)["id"]))
        self.settle(by_person=True)

    def cancel(self, one: int, _two: int, _three: int) -> None:
        self.tried(self.farm.cancel(self.a_job(one)["id"]))
        self.settle(by_person=True)

    def requeue(self, one: int, two: int, three: int) -> None:
        """Frames, or all that failed, shall be rendered again."""
        failed = [job for job in self.content.jobs.values() if job["failed"]]
        job = failed[one % len(failed)] if failed and two % 4 else self.a_job(one)
        own = list(parse(job["frames"]))
        chosen = own[two % len(own) :][: three % 4]
        outcome = self.tried(self.farm.requeue(job["id"], ",".join(map(str, chosen)) if chosen else None))
        if not isinstance(outcome, ErrorCode):
            for frame in chosen:
                self.accepted.pop((job["id"], frame), None)
        self.settle(by_person=True)

    def reframe(self, one: int, two: int, _three: int) -> None:
        """A job's range is extended or cut."""
        job = self.a_job(one)
        frames_ = RANGES[two % len(RANGES)]
        if not isinstance(self.tried(self.farm.adjust(job["id"], frames=frames_)), ErrorCode):
            for frame in set(parse(job["frames"])) - set(parse(frames_)):
                self.accepted.pop((job["id"], frame), None)
        self.settle(by_person=True)

    def adjust(self, one: int, two: int, _three: int) -> None:
        change = CHANGES[two % len(CHANGES)]
        assert not isinstance(self.tried(self.farm.adjust(self.a_job(one)["id"], **change)), ErrorCode)
        self.settle(by_person=True)

    def limit(self, one: int, two: int, _three: int) -> None:
        names = sorted(self.content.users)
        self.run(self.farm.limit(names[one % len(names)], (1, 2, None)[two % 3]))
        self.settle(by_person=True)

    def reinstate(self, one: int, _two: int, _three: int) -> None:
        self.run(self.farm.reinstate(self.an_agent(one)))
        self.settle(by_person=True)

    def teardown(self) -> None:
        """However it went, honest agents bring every job to its end that no person has stopped."""
        if self.wrong:
            return
        self.finish_everything()
        content = self.look()
        self.check_results(content)
        for job in content.jobs.values():
            after = [content.jobs[row["after_id"]]["state"] for row in content.after[job["id"]]]
            stopped = job["state"] == "paused" or (job["state"] == "blocked" and set(after) != {"completed"})
            assert stopped or job["ended_at"] is not None, f"job {job['id']} stays {job['state']} for ever"


@pytest.mark.parametrize("dice", [1, 2])  # for two cores
@pytest.mark.timeout(900)  # four minutes on two idle cores
def test_random_histories(database_url: str, dice: int) -> None:
    clock = SetClock()
    with asyncio.Runner() as runner:
        database = open_database(database_url, clock)
        try:
            fixed = runner.run(prepared(database, clock)) | {"dice": dice, "runner": runner}
            over_this = type("Histories", (Histories,), fixed)
            examples = HISTORIES[settings.get_current_profile_name(), database.kind]
            run_state_machine_as_test(over_this, settings=settings(max_examples=examples, stateful_step_count=25))
        finally:
            runner.run(database.close())
