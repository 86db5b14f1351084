"""A history of a farm: who is in it, what was said and accepted, and what each step of it is checked for."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, ClassVar, TypeVar

from coordinator.db.engine import Database
from coordinator.domain.tokens import TokenKind
from coordinator.protocol import (
    Device,
    ErrorCode,
    FrameResult,
    Hardware,
    LeaseGrant,
    LeaseRequest,
    ReportRequest,
    Stage,
)
from coordinator.services import agents, frames, leases, stitching
from coordinator.services.accounts import Principal
from coordinator.services.errors import Refused
from coordinator.services.schemas import JobRequest
from tests.conformance.farm import GIB, HEIGHT, WIDTH, Farm, SetClock, digest, in_store, machine, stored
from tests.conformance.groups import checked, in_one_group
from tests.conformance.invariants import Content, Row
from tests.conformance.steps import check_farm, check_step, empty_farm, held_frames

T = TypeVar("T")

MACHINES: dict[str, dict[str, Any]] = {
    "ant": {},
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
PACKS = ["scene", "other"]
PICTURES = [f"picture {number}" for number in range(8)]

_JOINS = Principal(kind=TokenKind.JOIN, name="join", token_id=1, agent_id=None)


class History:
    """One over a database that may be used for many, and that each of them begins by emptying."""

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    clock: ClassVar[SetClock]
    request: ClassVar[JobRequest]
    pack_ids: ClassVar[dict[str, str]]

    def __init__(self) -> None:
        super().__init__()
        # Set while something is found to be wrong: what follows tells nothing then.
        self.wrong = False
        self.seed = self.steps = 0
        self.farm = Farm(self.database, self.clock)
        self.run(self.database.write(empty_farm))
        self.database.board.invalidate()
        # Every lease that was ever granted, and the agent it was granted to.
        self.grants: list[tuple[int, LeaseGrant]] = []
        # The picture that was accepted first, for every finished frame.
        self.accepted: dict[tuple[int, int], str] = {}
        self.content = self.look()

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

    def together(self, calls: Sequence[Awaitable[Any]]) -> list[Any]:
        """Have calls written as one group, and all that is kept then checked; return what they return or refuse."""
        self.clock.advance(0.001)
        write, timing = self.database.write, self.farm.timing
        nothing = (99_999, "no lease")
        checks: list[Awaitable[Any]] = [
            write(checked(leases.lease), 99_999, LeaseRequest(slot=0, blender=(4, 5, 15)), timing),
            write(checked(leases.report), *nothing, ReportRequest(stage=Stage.FETCHING), timing),
            write(checked(frames.record_frame), *nothing, 1, a_result(PICTURES[0], 1.0), 1, 1, timing),
        ]
        results = self.run(in_one_group(self.database, [*calls, *checks]))
        told = [result.code if isinstance(result, Refused) else result for result in results]
        for _ in checks:
            end = told.pop()
            if isinstance(end, BaseException):
                raise end
            assert isinstance(end, ErrorCode), end
        for result in told:
            if isinstance(result, BaseException):
                raise result
        return told

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

    def an_agent(self, pick: int) -> int:
        return list(self.content.agents)[pick % len(self.content.agents)]

    def a_slot(self, pick: int) -> tuple[int, int]:
        """Return a slot, rather one that is idle than one that works."""
        idle = [slot for slot in self.slots if not self.held_by(*slot)]
        chosen = idle if idle and pick % 4 else self.slots
        return chosen[pick // 4 % len(chosen)]

    @property
    def slots(self) -> list[tuple[int, int]]:
        """Every slot: its agent and its number."""
        return [(agent["id"], slot) for agent in self.content.agents.values() for slot in range(agent["slots"])]

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

    def granted(self, lease: Row) -> LeaseGrant:
        return next(grant for _, grant in self.grants if grant.lease_id == lease["id"])

    def asked(self, agent: int, slot: int, holds: list[str], **fields: Any) -> LeaseGrant | None:
        """Have a slot ask for work."""
        grant = self.tried(self.farm.lease(agent, slot, holds, **fields))
        if not isinstance(grant, LeaseGrant):
            assert grant in (None, ErrorCode.AGENT_GONE)
            return None
        self.grants.append((agent, grant))
        return grant

    def hand_in(self, agent: int, lease_id: str, frame: int, *, picture: str, seconds: float = 2.0) -> None:
        """Hand in a frame: what is right is accepted, and what is not is refused for the right reason."""
        result = a_result(picture, seconds)
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
        call = self.farm.report(lease["agent_id"], self.granted(lease), stage=stage, frame=frame, **fields)
        answer = self.tried(call)
        if not fields:
            assert not isinstance(answer, ErrorCode)
            # Of a paused job, what has not begun is taken back at such an occasion.
            paused = self.content.jobs[lease["job_id"]]["state"] == "paused"
            assert paused or answer.last_frame == max(held_frames(self.content, lease), default=None)

    def join(self, name: str) -> None:
        """Have a machine join the farm, as it did before perhaps."""
        self.tried(self.database.write(agents.register, _JOINS, machine(name, **MACHINES[name]), self.farm.timing))
        self.settle()

    def finish(self, lease: Row, picture: str, seconds: float) -> None:
        """Hand in all that a lease has left."""
        for frame in held_frames(self.content, lease):
            self.hand_in(lease["agent_id"], lease["id"], frame, picture=picture, seconds=seconds)
        self.settle()

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

    async def deliver_together(self, agent: int, grant: LeaseGrant) -> None:
        """Hand in all frames of a lease at once."""
        rest = (a_result(PICTURES[0], 1.0), WIDTH, HEIGHT, self.farm.timing)
        outcomes = await asyncio.gather(
            *(self.database.write(frames.record_frame, agent, grant.lease_id, frame, *rest) for frame in grant.frames)
        )
        assert {outcome.status for outcome in outcomes} == {"recorded"}

    def stitch_honestly(self) -> bool:
        """Make a video, and tell whether there was one to be made."""
        task = self.run(self.database.write(stitching.claim, self.farm.timing))
        if task is not None:
            self.run(self.database.write(stitching.finish, task, digest("film"), 9, in_store))
        return task is not None

    def work_honestly(self, agent: int) -> bool:
        """Render what one slot is given until it is given nothing, and tell whether it was anything."""
        worked = False
        while (grant := self.run(self.farm.lease(agent))) is not None:
            worked = True
            if grant.mix_sound:
                self.run(self.farm.deliver_sound(agent, grant))
            self.run(self.deliver_together(agent, grant))
            self.accepted.update({(grant.job.job_id, frame): digest(PICTURES[0]) for frame in grant.frames})
        return worked


def a_result(picture: str, seconds: float) -> FrameResult:
    return FrameResult(
        output=stored(picture),
        preview=stored("preview"),
        seconds=seconds,
        load_seconds=seconds / 2,
        peak_memory_bytes=GIB,
        blender=(4, 5, 15),
    )


def first_of(held: list[int], frame: int | None) -> int | None:
    """Return the frame that a slot renders: the one it has begun if it still has it."""
    return frame if frame in held else next(iter(held), None)


async def prepared(database: Database, clock: SetClock) -> dict[str, Any]:
    """Have the files that all histories use."""
    farm = Farm(database, clock)
    for name in (*PICTURES, "preview"):
        await farm.blob(name)
    return {
        "database": database,
        "clock": clock,
        "pack_ids": {name: await farm.pack(name) for name in PACKS},
        "request": await farm.request(),
    }
