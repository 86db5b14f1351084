"""Random histories: whatever agents and people do in whatever order, what is always true stays true."""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar, TypeVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from coordinator.db.engine import Database, open_database
from coordinator.domain.frame_range import parse
from coordinator.domain.model import TokenKind
from coordinator.protocol import Device, ErrorCode, FrameResult, Hardware, LeaseGrant, Stage
from coordinator.services import agents, frames, stitching, submit
from coordinator.services.accounts import Principal
from coordinator.services.errors import Refused
from coordinator.services.schemas import JobRequest, NeedsRequest
from tests.conformance.farm import GIB, HEIGHT, WIDTH, Farm, SetClock, digest, machine, stored
from tests.conformance.histories import check_farm, check_step, empty_farm, held_frames
from tests.conformance.invariants import Content, Row

T = TypeVar("T")

MACHINES: dict[str, dict[str, Any]] = {
    "ant": {"slots": 2},
    "bee": {"device": Device.OPTIX, "vram_bytes": 8 * GIB, "tags": ["fast", "quiet"], "pools": ["night"]},
    "cat": {"slots": 2, "tags": ["fast"], "pools": ["night"]},
}
#: Whatever a job needs, one of these has it.
HONEST: dict[str, dict[str, Any]] = {
    name: {
        "device": device,
        "hardware": Hardware(hostname=name, os="Linux", cpu="any", cpu_count=2, memory_bytes=2**50),
        "vram_bytes": 2**50,
        "tags": ["fast", "quiet"],
        "pools": ["night"],
    }
    for name, device in (("dog", Device.CPU), ("elk", Device.OPTIX))
}
USERS = ["ana", "ben"]
#: How many histories, by Hypothesis's profile and by database: every step is several round trips to a server.
HISTORIES = {
    ("fast", "sqlite"): 25,
    ("fast", "postgresql"): 10,
    ("thorough", "sqlite"): 1500,
    ("thorough", "postgresql"): 200,
}
PACKS = ["scene", "other"]
PICTURES = [f"picture {number}" for number in range(8)]
RANGES = ["1", "1-2", "1-3", "1-8", "2-20:3", "-3-3,7,9-11"]
NEEDS = [NeedsRequest()] * 6 + [
    NeedsRequest(tags=["fast"]),
    NeedsRequest(pool="night"),
    NeedsRequest(device="GPU", vram_bytes=4 * GIB),
    NeedsRequest(device="CPU"),
]
CODES = ["render_failed"] * 4 + ["crashed", "out_of_memory", "no_room", "timeout"]
MESSAGES = ["it broke", "it broke at 0x7f", "no memory"]
SECONDS = [0.0, 2.0, 2.0, 40.0]

_JOINS = Principal(kind=TokenKind.JOIN, name="join", token_id=1, agent_id=None)

picks = st.integers(min_value=0, max_value=1000)
coins = st.booleans()
JOBS = st.fixed_dictionaries(
    {
        "frames": st.sampled_from(RANGES),
        "pack": st.sampled_from(PACKS),
        "priority": st.sampled_from([50, 50, 80]),
        "needs": st.sampled_from(NEEDS),
        "max_retries": st.integers(min_value=0, max_value=2),
        "max_slots": st.sampled_from([None, None, 1, 2]),
        "chunk_frames": st.sampled_from([None, None, None, 2]),
        "target_seconds": st.sampled_from([1.0, 60.0]),
        "stop_after": st.sampled_from([0, 3, 2]),
        "first_look": st.sampled_from([False, False, True]),
        "video": coins,
        "sound": coins,
    }
)


class Histories(RuleBasedStateMachine):
    """Histories over one database, which each of them begins by emptying."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    clock: ClassVar[SetClock]
    request: ClassVar[JobRequest]
    pack_ids: ClassVar[dict[str, str]]

    def __init__(self) -> None:
        super().__init__()
        # Set while something is found to be wrong: what follows tells nothing then.
        self.wrong = False
        self.farm = Farm(self.database, self.clock)
        self.run(self.database.write(empty_farm))
        # Every lease that was ever granted: its agent, its slot, and what was said.
        self.grants: list[tuple[int, int, LeaseGrant]] = []
        # The picture that was accepted first, for every finished frame.
        self.accepted: dict[tuple[int, int], str] = {}
        self.content = self.look()
        for name in MACHINES:
            self.join(name)

    # What a step is made of

    def run(self, call: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await call

        return self.runner.get_loop().run_until_complete(awaited())

    def tried(self, call: Awaitable[T]) -> T | ErrorCode:
        """Run what may be refused, and return the refusal's code if it was."""
        # No two things happen at the same time: what was granted before something else is known by its time.
        self.clock.advance(0.001)
        try:
            return self.run(call)
        except Refused as refused:
            return refused.code

    def look(self) -> Content:
        """Check what is always true, and return what is in the database."""
        self.wrong = True
        content = self.run(self.database.read(check_farm))
        self.wrong = False
        return content

    def settle(self, *, by_person: bool = False) -> None:
        """End a step: what is always true is true, and nothing changed that must not."""
        content = self.look()
        self.wrong = True
        check_step(self.content, content, by_person=by_person)
        self.check_results(content)
        self.content = content
        self.wrong = False

    def check_results(self, content: Content) -> None:
        """The first result of a frame stays, and there is no other."""
        finished = {
            (job, frame["frame"]): frame["output_sha256"]
            for job, rows in content.frames.items()
            for frame in rows
            if frame["state"] == "finished"
        }
        assert finished == self.accepted, "a result was changed, lost or not told of"

    def agent(self, name: str) -> int:
        return next(number for number, agent in self.content.agents.items() if agent["name"] == name)

    def a_job(self, pick: int) -> Row:
        return list(self.content.jobs.values())[pick % len(self.content.jobs)]

    @property
    def live(self) -> list[Row]:
        """The live leases."""
        return [lease for lease in self.content.leases.values() if lease["state"] == "live"]

    def a_live_lease(self, pick: int) -> Row:
        return self.live[pick % len(self.live)]

    def held_by(self, agent: int, slot: int) -> list[str]:
        """Return the live leases of a slot."""
        return [lease["id"] for lease in self.live if (lease["agent_id"], lease["slot"]) == (agent, slot)]

    def ask(self, agent: int, slot: int, *, knows: bool, **fields: Any) -> LeaseGrant | None:
        """Have a slot ask for work."""
        holds = self.held_by(agent, slot) if knows else []
        grant = self.tried(self.farm.lease(agent, slot, holds, **fields))
        if not isinstance(grant, LeaseGrant):
            assert grant in (None, ErrorCode.AGENT_GONE)
            return None
        self.grants.append((agent, slot, grant))
        return grant

    def hand_in(self, agent: int, lease_id: str, frame: int, *, picture: str, seconds: float = 2.0) -> None:
        """Hand in a frame: what is right is accepted, and what is not is refused for the right reason."""
        result = _result(picture, seconds)
        lease = self.content.leases[lease_id]
        before = next((it for it in self.content.frames[lease["job_id"]] if it["frame"] == frame), None)
        outcome = self.tried(
            self.database.write(frames.record_frame, agent, lease_id, frame, result, WIDTH, HEIGHT, self.farm.timing)
        )
        told = outcome if isinstance(outcome, ErrorCode) else outcome.status
        if lease["agent_id"] != agent:
            assert told == ErrorCode.LEASE_LOST
        elif before is not None and (before["lease_id"], before["output_sha256"]) == (lease_id, digest(picture)):
            assert told == "repeated"
        elif lease["state"] != "live":
            assert told == ErrorCode.LEASE_LOST
        elif frame not in held_frames(self.content, lease):
            assert told == ErrorCode.FRAME_LOST
        else:
            assert told == "recorded"
            self.accepted[lease["job_id"], frame] = digest(picture)

    def report(self, lease: Row, frame: int | None, stage: Stage = Stage.RENDERING, **fields: Any) -> None:
        """Report on a live lease, and be told how far to go on."""
        grant = next(grant for _, _, grant in self.grants if grant.lease_id == lease["id"])
        answer = self.tried(self.farm.report(lease["agent_id"], grant, stage=stage, frame=frame, **fields))
        if not fields:
            assert not isinstance(answer, ErrorCode)
            assert answer.last_frame == max(held_frames(self.content, lease), default=None)

    # What agents do

    @rule(name=st.sampled_from(list(MACHINES)))
    def join(self, name: str) -> None:
        self.tried(self.database.write(agents.register, _JOINS, machine(name, **MACHINES[name]), self.farm.timing))
        self.settle()

    @rule(name=st.sampled_from(list(MACHINES)), rarely=picks)
    def leave(self, name: str, rarely: int) -> None:
        if rarely % 3 == 0:
            self.tried(self.farm.leave(self.agent(name)))
            self.settle()

    @precondition(lambda self: self.content.jobs)
    @rule(
        name=st.sampled_from(list(MACHINES)),
        slot=st.integers(min_value=0, max_value=1),
        knows=st.sampled_from([True, True, True, False]),
        pack=st.sampled_from([None, *PACKS]),
        busy=st.sampled_from([0.0, 0.0, 20.0]),
        then=st.sampled_from(["render", "render", "render all", "render all", "wait", "open"]),
        seconds=st.sampled_from(SECONDS),
    )
    def work(self, name: str, slot: int, knows: bool, pack: str | None, busy: float, then: str, seconds: float) -> None:
        """A slot asks for work and sets about it."""
        agent = self.agent(name)
        slot %= self.content.agents[agent]["slots"]
        open_pack = None if pack is None else self.pack_ids[pack]
        grant = self.ask(agent, slot, knows=knows, open_pack=open_pack, busy_seconds=busy)
        self.settle()
        if grant is None or then == "wait":
            return
        lease = self.content.leases[grant.lease_id]
        assert grant.frames == held_frames(self.content, lease), "a lease is not what its slot was told"
        job = self.content.jobs[lease["job_id"]]
        if job["chunk_frames"] is not None:
            assert len(grant.frames) <= job["chunk_frames"]
        if then == "open":
            self.report(lease, None, Stage.OPENING)
        else:
            self.report(lease, grant.frames[0])
            if grant.mix_sound:
                self.tried(self.farm.deliver_sound(agent, grant))
                self.settle()
            for frame in grant.frames if then == "render all" else grant.frames[:1]:
                self.hand_in(agent, grant.lease_id, frame, picture=PICTURES[0], seconds=seconds)
                self.settle()
        self.settle()

    @precondition(lambda self: self.live)
    @rule(
        pick=picks,
        seconds=st.sampled_from([0.5, 6.0, 12.0, 28.0]),
        name=st.sampled_from(list(MACHINES)),
        progress=coins,
    )
    def render_slowly(self, pick: int, seconds: float, name: str, progress: bool) -> None:
        """Every slot renders on and on, and one that is idle asks for work."""
        live = self.live
        rendering = {lease["id"]: _first(held_frames(self.content, lease), lease["frame"]) for lease in live}
        for lease in live:
            self.report(lease, rendering[lease["id"]])
        self.clock.advance(seconds)
        fields: dict[str, Any] = {"progress": 0.5, "remaining_seconds": seconds} if progress else {}
        for lease in live:
            self.report(lease, rendering[lease["id"]], **fields)
        agent = self.agent(name)
        idle = [slot for slot in range(self.content.agents[agent]["slots"]) if not self.held_by(agent, slot)]
        if idle:
            self.ask(agent, idle[pick % len(idle)], knows=True)
        self.settle()

    @precondition(lambda self: self.live)
    @rule(
        pick=picks,
        late=picks,
        again=coins,
        number=st.integers(min_value=0, max_value=7),
        seconds=st.sampled_from(SECONDS),
    )
    def deliver(self, pick: int, late: int, again: bool, number: int, seconds: float) -> None:
        """A frame of some live lease is handed in, now and then twice."""
        lease = self.a_live_lease(pick)
        held = held_frames(self.content, lease)
        for _ in range(1 + again):
            if held:
                frame = held[late % 3 % len(held)]
                self.hand_in(lease["agent_id"], lease["id"], frame, picture=PICTURES[number], seconds=seconds)
                self.settle()

    @precondition(lambda self: self.live)
    @rule(pick=picks, number=st.integers(min_value=0, max_value=7))
    def deliver_the_rest(self, pick: int, number: int) -> None:
        lease = self.a_live_lease(pick)
        for frame in held_frames(self.content, lease):
            self.hand_in(lease["agent_id"], lease["id"], frame, picture=PICTURES[number])
            self.settle()

    @precondition(lambda self: self.grants)
    @rule(pick=picks, late=picks, number=st.integers(min_value=0, max_value=7), other=st.sampled_from([0, 0, 0, 1]))
    def deliver_late(self, pick: int, late: int, number: int, other: int) -> None:
        """A frame comes in of any lease there ever was, or by an agent whose lease it is not."""
        agent, _, grant = self.grants[pick % len(self.grants)]
        agents_ = list(self.content.agents)
        agent = agents_[(agents_.index(agent) + other) % len(agents_)]
        frame = grant.frames[late % len(grant.frames)]
        self.hand_in(agent, grant.lease_id, frame, picture=PICTURES[number])
        self.settle()

    @precondition(lambda self: self.live)
    @rule(
        pick=picks,
        frame=picks,
        code=st.sampled_from(CODES),
        message=st.sampled_from(MESSAGES),
        whole=st.sampled_from([False, False, False, False, True]),
        count=st.integers(min_value=1, max_value=3),
    )
    def fail(self, pick: int, frame: int, code: str, message: str, whole: bool, count: int) -> None:
        """Some frames of a live lease, or all of its job, cannot be rendered."""
        for _ in range(count):
            if not self.live:
                return
            lease = self.a_live_lease(pick)
            held = held_frames(self.content, lease)
            failed = None if whole or not held else held[frame % len(held)]
            grant = next(grant for _, _, grant in self.grants if grant.lease_id == lease["id"])
            answer = self.tried(self.farm.fail(lease["agent_id"], grant, failed, message, code))
            assert not isinstance(answer, ErrorCode)
            self.settle()

    @precondition(lambda self: self.live)
    @rule(pick=picks, stage=st.sampled_from(Stage), frame=st.integers(min_value=0, max_value=8), release=coins)
    def report_oddly(self, pick: int, stage: Stage, frame: int, release: bool) -> None:
        """A slot says that it is anywhere, or hands its frames back."""
        lease = self.a_live_lease(pick)
        self.report(lease, frame or None, stage, release=release)
        self.settle()

    @precondition(lambda self: self.grants)
    @rule(pick=picks, frame=st.integers(min_value=1, max_value=8), fails=coins)
    def report_late(self, pick: int, frame: int, fails: bool) -> None:
        """A slot reports on any lease that it ever had."""
        agent, _, grant = self.grants[pick % len(self.grants)]
        live = self.content.leases[grant.lease_id]["state"] == "live"
        call = self.farm.fail(agent, grant, frame) if fails else self.farm.report(agent, grant, frame=frame)
        assert isinstance(self.tried(call), ErrorCode) != live
        self.settle()

    @precondition(lambda self: self.live)
    @rule(pick=picks)
    def deliver_a_frame_of_the_wrong_size(self, pick: int) -> None:
        lease = self.a_live_lease(pick)
        held = held_frames(self.content, lease)
        if held:
            wrong = (lease["agent_id"], lease["id"], held[0], _result(PICTURES[0], 1.0), 1, 1)
            outcome = self.tried(self.database.write(frames.record_frame, *wrong, self.farm.timing))
            assert not isinstance(outcome, ErrorCode)
            assert outcome.status == "bad"
            self.settle()

    @precondition(lambda self: any(job["sound_lease_id"] for job in self.content.jobs.values()))
    @rule(pick=picks, failure=st.sampled_from([None, "song.wav is missing"]))
    def deliver_sound(self, pick: int, failure: str | None) -> None:
        mixing = [job["sound_lease_id"] for job in self.content.jobs.values() if job["sound_lease_id"] is not None]
        lease_id = mixing[pick % len(mixing)]
        agent, _, grant = next(it for it in self.grants if it[2].lease_id == lease_id)
        self.run(self.farm.deliver_sound(agent, grant, failure))
        self.settle()

    @rule(seconds=st.sampled_from([10, 31, 61, 700]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.run(self.farm.reap())
        self.settle()

    @rule(good=st.sampled_from([True, True, False, None]))
    def stitch(self, good: bool | None) -> None:
        task = self.run(self.database.write(stitching.claim, self.farm.timing))
        if task is None or good is None:
            return  # nothing to do, or the stitcher goes down
        if good:
            self.run(self.database.write(stitching.finish, task, digest("film"), 9))
        else:
            self.run(self.database.write(stitching.fail, task, "ffmpeg is not installed"))
        self.settle()

    # What people do

    @initialize(job=JOBS, name=st.sampled_from(USERS))
    def begin(self, job: dict[str, Any], name: str) -> None:
        self.submit(job, name, 1)

    @precondition(lambda self: len(self.content.jobs) < 5)
    @rule(job=JOBS, name=st.sampled_from(USERS), after=st.integers(min_value=0, max_value=5))
    def submit(self, job: dict[str, Any], name: str, after: int) -> None:
        known = list(self.content.jobs)
        after_these = known[-1:] if after == 0 else []
        fields = {**job, "pack": self.pack_ids[job["pack"]], "after": after_these}
        request = msgspec.structs.replace(self.request, **fields)
        self.tried(self.database.write(submit.submit, request, name))
        assert len(self.look().jobs) == len(known) + 1
        self.settle(by_person=True)

    @precondition(lambda self: 0 < len(self.content.jobs) < 5)
    @rule(pick=picks, frames_=st.sampled_from(RANGES))
    def rerender(self, pick: int, frames_: str) -> None:
        job = self.a_job(pick)
        self.tried(self.farm.rerender(job["id"], frames=frames_))
        self.settle(by_person=True)

    @precondition(lambda self: self.content.jobs)
    @rule(pick=picks, what=st.sampled_from(["pause", "pause", "resume", "resume", "resume", "cancel"]))
    def control(self, pick: int, what: str) -> None:
        job = self.a_job(pick)
        call = {"pause": self.farm.pause, "resume": self.farm.resume, "cancel": self.farm.cancel}[what]
        self.tried(call(job["id"]))
        self.settle(by_person=True)

    @precondition(lambda self: self.content.jobs)
    @rule(pick=picks, first=picks, count=st.integers(min_value=0, max_value=3))
    def requeue(self, pick: int, first: int, count: int) -> None:
        """Frames, or all that failed, shall be rendered again."""
        job = self.a_job(pick)
        own = list(parse(job["frames"]))
        chosen = own[first % len(own) :][:count]
        outcome = self.tried(self.farm.requeue(job["id"], ",".join(map(str, chosen)) if chosen else None))
        if not isinstance(outcome, ErrorCode):
            for frame in chosen:
                self.accepted.pop((job["id"], frame), None)
        self.settle(by_person=True)

    @precondition(lambda self: self.content.jobs)
    @rule(pick=picks, frames_=st.sampled_from(RANGES))
    def reframe(self, pick: int, frames_: str) -> None:
        """A job's range is extended or cut."""
        job = self.a_job(pick)
        if not isinstance(self.tried(self.farm.adjust(job["id"], frames=frames_)), ErrorCode):
            cut = set(parse(job["frames"])) - set(parse(frames_))
            for frame in cut:
                self.accepted.pop((job["id"], frame), None)
        self.settle(by_person=True)

    @precondition(lambda self: self.content.jobs)
    @rule(
        pick=picks,
        change=st.sampled_from(
            [
                {"priority": 10},
                {"priority": 90},
                {"max_slots": 1},
                {"max_slots": None},
                {"hedge": False},
                {"needs": NeedsRequest(tags=["quiet"])},
                {"needs": NeedsRequest()},
            ]
        ),
    )
    def adjust(self, pick: int, change: dict[str, Any]) -> None:
        job = self.a_job(pick)
        assert not isinstance(self.tried(self.farm.adjust(job["id"], **change)), ErrorCode)
        self.settle(by_person=True)

    @precondition(lambda self: self.content.users)
    @rule(pick=picks, limit=st.sampled_from([1, 2, None]))
    def limit_user(self, pick: int, limit: int | None) -> None:
        names = sorted(self.content.users)
        self.run(self.farm.limit(names[pick % len(names)], limit))
        self.settle(by_person=True)

    @precondition(lambda self: self.content.set_asides)
    @rule(pick=picks)
    def reinstate(self, pick: int) -> None:
        barred = self.content.set_asides[pick % len(self.content.set_asides)]
        self.run(self.farm.reinstate(barred["agent_id"]))
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

    def finish_everything(self) -> None:
        self.clock.advance(1000)
        self.run(self.farm.reap())
        for barred in self.content.set_asides:
            self.run(self.farm.reinstate(barred["agent_id"]))
        honest = [
            self.run(self.database.write(agents.register, _JOINS, machine(name, **fields), self.farm.timing)).agent_id
            for name, fields in HONEST.items()
        ]
        while any([self.work_honestly(agent) for agent in honest] + [self.stitch_honestly()]):
            pass

    def stitch_honestly(self) -> bool:
        """Make a video, and tell whether there was one to be made."""
        task = self.run(self.database.write(stitching.claim, self.farm.timing))
        if task is not None:
            self.run(self.database.write(stitching.finish, task, digest("film"), 9))
        return task is not None

    def work_honestly(self, agent: int) -> bool:
        """Render what one slot is given until it is given nothing, and tell whether it was anything."""
        worked = False
        while (grant := self.run(self.farm.lease(agent))) is not None:
            worked = True
            if grant.mix_sound:
                self.run(self.farm.deliver_sound(agent, grant))
            for frame in grant.frames:
                self.clock.advance(1)
                handed_in = (agent, grant.lease_id, frame, _result(PICTURES[0], 1.0), WIDTH, HEIGHT, self.farm.timing)
                assert self.run(self.database.write(frames.record_frame, *handed_in)).status == "recorded"
                self.accepted[grant.job.job_id, frame] = digest(PICTURES[0])
        return worked


def _result(picture: str, seconds: float) -> FrameResult:
    return FrameResult(
        output=stored(picture),
        preview=stored("preview"),
        seconds=seconds,
        load_seconds=seconds / 2,
        peak_memory_bytes=GIB,
        blender=(4, 5, 15),
    )


def _first(held: list[int], frame: int | None) -> int | None:
    """Return the frame that a slot renders: the one it has begun if it still has it."""
    return frame if frame in held else next(iter(held), None)


@pytest.mark.timeout(900)  # two minutes on two idle cores
def test_random_histories(database_url: str) -> None:
    clock = SetClock()
    with asyncio.Runner() as runner:
        database = open_database(database_url, clock)
        try:
            over_this = type("Histories", (Histories,), runner.run(prepared(runner, database, clock)))
            examples = HISTORIES[settings.get_current_profile_name(), database.kind]
            run_state_machine_as_test(over_this, settings=settings(max_examples=examples, stateful_step_count=25))
        finally:
            runner.run(database.close())


async def prepared(runner: asyncio.Runner, database: Database, clock: SetClock) -> dict[str, Any]:
    """Have the files that all histories use."""
    farm = Farm(database, clock)
    for name in (*PICTURES, "preview"):
        await farm.blob(name)
    return {
        "runner": runner,
        "database": database,
        "clock": clock,
        "pack_ids": {name: await farm.pack(name) for name in PACKS},
        "request": await farm.request(),
    }
