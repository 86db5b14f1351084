"""A farm in virtual time: the real coordinator's use cases over a real database, and slots that only pretend to render.

Nothing sleeps and nothing is sent: each call is made at its virtual moment, one after the other, so that a run is the
same every time.  What the coordinator learns of slots and scenes, it learns from what it is told, as ever.
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

from benchmarks.inner_coordinator import Coordinator
from benchmarks.lease_desk import LeaseDesk
from benchmarks.ledger import Ledger, SimulatedJob
from benchmarks.schedule_bounds import ShareMeter
from benchmarks.simulated_slot import BLENDER, HEIGHT, WIDTH, SimulatedSlot, Surroundings
from benchmarks.virtual_time import Agenda
from coordinator.db.engine import Transaction, open_database
from coordinator.domain.timing import Timing
from coordinator.domain.tokens import TokenKind
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
    RegisterResponse,
    RenderSpec,
    StoredFile,
)
from coordinator.services import accounts, agents, assets, expiry, submit
from coordinator.services.accounts import Principal
from coordinator.services.schemas import JobRequest

#: How often leases past their time are ended (seconds): as often as :mod:`coordinator.background.lease_reaper` does.
REAP_SECONDS = 5.0
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
    announced: bool = False
    """They are stopped and leave, instead of falling silent."""


@dataclass(slots=True)
class _Machine:
    name: str
    speed: float
    credential: Principal
    slot: SimulatedSlot | None = None
    """The process that runs on it; None while it is down."""


class Farm:
    """Agents of one slot each, and the coordinator they work for."""

    def __init__(self, common: Surroundings) -> None:
        """Begin without any agents."""
        self._common = common
        self._agenda = common.agenda
        self._coordinator = common.coordinator
        self._ledger = common.ledger
        self._machines: list[_Machine] = []
        self._to_come = 0
        self._agenda.after(REAP_SECONDS, self._reap)

    @property
    def idle(self) -> bool:
        """Whether all that was submitted is finished, and nothing is to come."""
        return not self._to_come and all(job.done for job in self._ledger.jobs.values())

    def open(self, speeds: Sequence[float]) -> None:
        """Have an agent of each speed join; none of them tells it."""
        join = self._coordinator.call(accounts.issue, TokenKind.JOIN, "simulated")
        self._record(self._common.picture)
        for number, speed in enumerate(speeds):
            name = f"agent-{number:03}"
            token = self._register(self._principal(join.token), name).token
            self._machines.append(_Machine(name, speed, self._principal(token)))
        for machine in self._machines:
            self._start(machine)

    def expect(self, submission: Submission, **options: Any) -> None:
        """Have a job come at its time; ``options`` as in :class:`JobRequest`."""
        self._to_come += 1
        self._agenda.after(submission.arrival - self._agenda.now, partial(self._submit, submission, options))

    def expect_crashes(self, crashes: Crashes) -> None:
        """Have agents die and come back."""
        lot = random.Random(crashes.seed)
        self._agenda.after(crashes.every_seconds, partial(self._crash, crashes, lot))

    def _submit(self, submission: Submission, options: dict[str, Any]) -> None:
        pack = self._pack(f"scene {len(self._ledger.jobs)}")
        request = JobRequest(
            name=f"shot of {submission.user}",
            pack=pack,
            frames=f"1-{len(submission.costs)}",
            blender=BLENDER[:2],
            render=RenderSpec(scene="Scene"),
            output=OutputSpec(format=ImageFormat.PNG, width=WIDTH, height=HEIGHT),
        )
        view = self._coordinator.call(submit.submit, msgspec.structs.replace(request, **options), submission.user)
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

    def _pack(self, content: str) -> str:
        blob = _file(content)
        entry = ManifestFile(path="scene.blend", size=blob.size, blobs=[BlobRef(sha256=blob.sha256, size=blob.size)])
        pack = assets.check_pack(Manifest(main="scene.blend", files=[entry]))
        self._coordinator.call(assets.register_pack, pack)
        self._record(blob)
        return pack.id

    def _record(self, file: StoredFile) -> None:
        self._coordinator.call(assets.record_blobs, [(file.sha256, file.size)], lambda _sha256: True)

    def _crash(self, crashes: Crashes, lot: random.Random) -> None:
        self._agenda.after(crashes.every_seconds, partial(self._crash, crashes, lot))
        alive = [machine for machine in self._machines if machine.slot is not None]
        if not alive:
            return
        machine = lot.choice(alive)
        slot, machine.slot = machine.slot, None
        gone = partial(self._gone, machine, crashes.back_after_seconds)
        if slot is not None and crashes.announced:
            slot.leave(gone)
        elif slot is not None:
            slot.crash()
            gone()

    def _gone(self, machine: _Machine, back_after_seconds: float) -> None:
        self._ledger.went(machine.name)
        self._agenda.after(back_after_seconds, partial(self._start, machine))

    def _start(self, machine: _Machine) -> None:
        answer = self._register(machine.credential, machine.name)
        machine.slot = SimulatedSlot(answer.agent_id, machine.speed, self._common)
        self._ledger.came(machine.name, machine.speed)
        machine.slot.start()

    def _register(self, credential: Principal, name: str) -> RegisterResponse:
        request = RegisterRequest(
            protocol=PROTOCOL_VERSION,
            name=name,
            software_version="simulated",
            slots=1,
            hardware=Hardware(hostname=name, os="Linux", cpu="any", cpu_count=8, memory_bytes=2**36),
            blenders=[BlenderBuild(version=BLENDER, kind="executable")],
        )
        return self._coordinator.call(agents.register, credential, request, self._common.timing)

    def _principal(self, token: str) -> Principal:
        return self._coordinator.call(accounts.authenticate, token)

    def _reap(self) -> None:
        while self._coordinator.call(expiry.reap, self._common.timing):
            pass
        self._agenda.after(REAP_SECONDS, self._reap)


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

    Raises:
        TimeoutError: it comes to no end.
    """
    agenda, timing = Agenda(), Timing()
    ledger = Ledger(lambda: agenda.now, shares)

    def run(outer: Transaction) -> int:
        coordinator = Coordinator(outer, agenda)
        desk = LeaseDesk(agenda, coordinator, timing)
        farm = Farm(Surroundings(agenda, coordinator, timing, desk, ledger, _file("picture")))
        farm.open(speeds)
        for submission in submissions:
            farm.expect(submission, **options)
        if crashes is not None:
            farm.expect_crashes(crashes)
        agenda.run(until=lambda: farm.idle, limit=LIMIT_SECONDS)
        return desk.granted

    database = await asyncio.to_thread(open_database, f"sqlite:///{folder / 'farm.db'}", agenda.clock)
    try:
        await asyncio.to_thread(database.migrate)
        return ledger, await database.write(run)
    finally:
        await database.close()


def _file(content: str) -> StoredFile:
    data = content.encode()
    return StoredFile(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
