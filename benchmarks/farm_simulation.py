"""A farm in virtual time: the real coordinator's use cases over a real database, and slots that only pretend to render.

Nothing sleeps and nothing is sent: each call runs in a transaction of its own at its virtual moment, one after the
other, so that a run is the same every time.  What the coordinator learns of slots and scenes, it learns from what
it is told, as ever.
"""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.lease_desk import LeaseDesk
from benchmarks.ledger import Ledger, SimulatedJob
from benchmarks.schedule_bounds import ShareMeter
from benchmarks.simulated_slot import BLENDER, HEIGHT, WIDTH, SimulatedSlot, Surroundings
from benchmarks.virtual_time import Agenda
from coordinator.background.lease_reaper import LeaseReaper
from coordinator.db.engine import Database, open_database
from coordinator.domain.model import TokenKind
from coordinator.domain.timing import Timing
from coordinator.protocol import (
    PROTOCOL_VERSION,
    BlenderBuild,
    BlobRef,
    Hardware,
    ImageFormat,
    Manifest,
    ManifestFile,
    OutputSpec,
    RegisterRequest,
    RenderSpec,
    StoredFile,
)
from coordinator.services import accounts, agents, assets, submit
from coordinator.services.accounts import Principal
from coordinator.services.schemas import JobRequest

#: A simulation that takes longer (seconds of its own time) has come to a standstill.
LIMIT_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A job to come."""

    user: str
    arrival: float
    """Seconds."""
    costs: Sequence[float]
    """Seconds that each frame takes on a slot of speed 1."""
    load: float
    """Seconds to open its scene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashes:
    """An agent, chosen by lot, dies again and again; each comes back as a new process after a while."""

    every_seconds: float
    back_after_seconds: float
    seed: int


@dataclass(slots=True)
class _Machine:
    name: str
    speed: float
    slot: SimulatedSlot
    credential: Principal


class Farm:
    """Agents of one slot each, and the coordinator they work for."""

    def __init__(self, agenda: Agenda, database: Database, ledger: Ledger) -> None:
        self.desk = LeaseDesk(agenda, database, Timing())
        self._agenda = agenda
        self._database = database
        self._ledger = ledger
        self._timing = Timing()
        self._reaper = LeaseReaper(database, self._timing)
        self._machines: list[_Machine] = []
        self._to_come = 0

    @property
    def idle(self) -> bool:
        """Whether all that was submitted is finished, and nothing is to come."""
        return not self._to_come and all(job.done for job in self._ledger.jobs.values())

    async def open(self, speeds: Sequence[float]) -> None:
        """Have an agent of each speed join; none of them tells it."""
        join = await self._principal(TokenKind.JOIN)
        blob = _file("picture")
        await self._database.write(assets.record_blob, blob.sha256, blob.size)
        farm = Surroundings(self._agenda, self._database, self._timing, self.desk, self._ledger, blob)
        for number, speed in enumerate(speeds):
            name = f"agent-{number:03}"
            answer = await self._database.write(agents.register, join, _introduction(name), self._timing)
            credential = await self._database.read(accounts.authenticate, answer.token)
            slot = SimulatedSlot(answer.agent_id, speed, farm)
            self._machines.append(_Machine(name, speed, slot, credential))
            self._ledger.came(name, speed)
            slot.start()
        self._agenda.after(self._reaper.interval_seconds, self._reap)
        self._farm = farm

    def expect(self, submission: Submission, **options: Any) -> None:
        """Have a job come at its time; ``options`` as in :class:`JobRequest`."""
        self._to_come += 1
        self._agenda.after(submission.arrival - self._agenda.now, partial(self._submit, submission, options))

    def expect_crashes(self, crashes: Crashes) -> None:
        """Have agents die and come back."""
        lot = random.Random(crashes.seed)
        self._agenda.after(crashes.every_seconds, partial(self._crash, crashes, lot))

    async def _submit(self, submission: Submission, options: dict[str, Any]) -> None:
        pack = await self._pack(f"scene {len(self._ledger.jobs)}")
        request = JobRequest(
            name=f"shot of {submission.user}",
            pack=pack,
            frames=f"1-{len(submission.costs)}",
            blender=BLENDER[:2],
            render=RenderSpec(scene="Scene"),
            output=OutputSpec(format=ImageFormat.PNG, width=WIDTH, height=HEIGHT),
        )
        view = await self._database.write(submit.submit, msgspec.structs.replace(request, **options), submission.user)
        self._to_come -= 1
        self._ledger.submitted(
            SimulatedJob(
                id=view.id,
                user=submission.user,
                arrival=self._agenda.now,
                costs=list(submission.costs),
                load=submission.load,
            )
        )

    async def _pack(self, content: str) -> str:
        blob = _file(content)
        entry = ManifestFile(path="scene.blend", size=blob.size, blobs=[BlobRef(sha256=blob.sha256, size=blob.size)])
        pack = assets.check_pack(Manifest(main="scene.blend", files=[entry]))
        await self._database.write(assets.register_pack, pack)
        await self._database.write(assets.record_blob, blob.sha256, blob.size)
        return pack.id

    async def _crash(self, crashes: Crashes, lot: random.Random) -> None:
        self._agenda.after(crashes.every_seconds, partial(self._crash, crashes, lot))
        alive = [machine for machine in self._machines if not machine.slot.gone]
        if not alive:
            return
        machine = lot.choice(alive)
        machine.slot.crash()
        self._ledger.went(machine.name)
        self._agenda.after(crashes.back_after_seconds, partial(self._come_back, machine))

    async def _come_back(self, machine: _Machine) -> None:
        answer = await self._database.write(
            agents.register, machine.credential, _introduction(machine.name), self._timing
        )
        machine.slot = SimulatedSlot(answer.agent_id, machine.speed, self._farm)
        self._ledger.came(machine.name, machine.speed)
        machine.slot.start()

    async def _reap(self) -> None:
        await self._reaper.run_once()
        self._agenda.after(self._reaper.interval_seconds, self._reap)

    async def _principal(self, kind: TokenKind) -> Principal:
        made = await self._database.write(accounts.issue, kind, kind.value)
        return await self._database.read(accounts.authenticate, made.token)


async def simulate(
    folder: Path,
    speeds: Sequence[float],
    submissions: Sequence[Submission],
    *,
    crashes: Crashes | None = None,
    shares: ShareMeter | None = None,
    **options: Any,
) -> tuple[Ledger, int]:
    """Run a farm until everything submitted is finished; return what its slots did, and how many leases were granted.

    Args:
        folder: where to put the database, empty.
        speeds: of the agents, one slot each.
        submissions: the jobs.
        crashes: whether agents die.
        shares: compares the users' shares, if given.
        options: for every job, as in :class:`JobRequest`.
    """
    agenda = Agenda()
    ledger = Ledger(lambda: agenda.now, shares)
    database = await asyncio.to_thread(open_database, f"sqlite:///{folder / 'farm.db'}", agenda.clock)
    try:
        await asyncio.to_thread(database.migrate)
        farm = Farm(agenda, database, ledger)
        await farm.open(speeds)
        for submission in submissions:
            farm.expect(submission, **options)
        if crashes is not None:
            farm.expect_crashes(crashes)
        await agenda.run(until=lambda: farm.idle, limit=LIMIT_SECONDS)
        return ledger, farm.desk.granted
    finally:
        await database.close()


def _introduction(name: str) -> RegisterRequest:
    return RegisterRequest(
        protocol=PROTOCOL_VERSION,
        name=name,
        software_version="simulated",
        slots=1,
        hardware=Hardware(hostname=name, os="Linux", cpu="any", cpu_count=8, memory_bytes=2**36),
        blenders=[BlenderBuild(version=BLENDER, kind="executable")],
    )


def _file(content: str) -> StoredFile:
    data = content.encode()
    return StoredFile(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
