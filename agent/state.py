"""What a slot does next: events in, instructions out, no I/O.

One :class:`Slot` holds up to two leases: the one it renders and the next one, asked for shortly before the first is
done, so that it never runs dry.  The daemon carries the instructions out and tells what came of each.
"""

from agent.blender.memory import OUT_OF_GPU_MEMORY
from agent.events import (
    LEASE_EVENTS,
    Checked,
    Delivered,
    Event,
    Fetched,
    FetchFailed,
    FrameSpoilt,
    Granted,
    LeaseEvent,
    LeaseLost,
    NoWork,
    Progressed,
    Reported,
    Rested,
    SentToRest,
    SlotEvent,
    StopRequested,
    Woken,
    WorkDone,
    WorkFailed,
)
from agent.faults import JOB_FAILURES, Faults
from agent.held_lease import HeldLease
from agent.instructions import (
    Ask,
    Check,
    CloseSession,
    Discard,
    Fetch,
    Finish,
    Instruction,
    MixSound,
    Pause,
    Prepare,
    Render,
    Report,
    StopAsking,
    StopWork,
    Work,
)
from agent.pace import Pace
from agent.upkeep import Upkeep
from coordinator.protocol import JobSpec, LeaseGrant, RenderSpec, ReportRequest

#: The coordinator lends a slot this many chunks at a time.
MAX_LEASES = 2

#: The next lease is asked for when less than this (seconds) is left to do, so that its pack is here in time.
ASK_AHEAD = 5.0

#: A slot that cannot tell yet how long it will be busy says so many seconds.  Too much costs nothing: the slot asks
#: again when it runs dry.
UNKNOWN_BUSY = 60.0

#: A session is closed, and its memory freed, after this many fruitless requests for work (each waits ~25 s).
IDLE_ASKS = 12

#: The protocol's limit for the reason of a rest (characters).
MAX_REASON = 300


Setup = tuple[str, int, RenderSpec]
"""A pack, the job that its scene is set up for, and how."""


class Slot:
    """One slot's state.  :meth:`handle` is its only way in."""

    def __init__(self, upkeep: Upkeep | None = None) -> None:
        self.leases: dict[str, HeldLease] = {}
        self.work: Work | None = None
        self.stopping = False
        self.finished = False
        self._asked: Ask | None = None
        """The request for work that waits for its answer."""
        self._fault: str | None = None
        """What is wrong with its machine; it waits until that may have changed."""
        self._rest: str | None = None
        """Why it takes no work, though it could: others need the machine."""
        self._work_unwanted = False
        """It is being killed: its failure says nothing."""
        self._setup: Setup | None = None
        """What the session has open and is set up for; None when there is no session."""
        self._fruitless_asks = 0
        self._progress = Progressed(0.0, None, None)
        self._pace = Pace()
        self._faults = Faults()
        self._upkeep = upkeep or Upkeep()

    # ── What others may ask ──

    def packs(self) -> set[str]:
        """Return the packs that must stay on disk: those of the leases, and the one a session has open."""
        packs = {lease.grant.job.pack_id for lease in self.leases.values()}
        return packs | ({self._setup[0]} if self._setup else set())

    def report(self, lease_id: str) -> ReportRequest:
        """Return what there is to report on a lease that is held."""
        return self.leases[lease_id].report(self.work if self._works_on(lease_id) else None, self._progress)

    # ── The way in ──

    def handle(self, event: Event) -> list[Instruction]:
        """Take an event in and return what must be done now, in order."""
        if isinstance(event, LEASE_EVENTS):
            lease = self.leases.get(event.lease_id)
            # What comes of a lease that has ended meanwhile changes nothing.
            instructions = [] if lease is None else self._on_lease_event(lease, event)
        else:
            instructions = self._on_slot_event(event)
        return instructions + self._go_on()

    # ── Events ──

    def _on_lease_event(self, lease: HeldLease, event: LeaseEvent) -> list[Instruction]:
        match event:
            case Fetched():
                lease.fetched = True
                return []
            case FetchFailed(_, code, message):
                return self._fail(lease, None, code, message)
            case Delivered(_, frame, answer):
                lease.undelivered.discard(frame)
                return [] if answer is None else self._shrink(lease, answer.last_frame)
            case FrameSpoilt(_, frame, message):
                lease.undelivered.discard(frame)
                return self._fail(lease, frame, "bad_frame", message)
            case Reported():
                return self._on_reported(lease, event)
            case LeaseLost(lease_id):
                return self._lose(lease_id)

    def _on_slot_event(self, event: SlotEvent) -> list[Instruction]:
        match event:
            case Granted(grant):
                return self._on_granted(grant)
            case NoWork():
                return self._on_no_work()
            case WorkDone():
                return self._on_work_done(event)
            case Checked(same):
                return self._on_checked(same=same)
            case WorkFailed(code, message):
                return self._on_work_failed(code, message)
            case Progressed():
                self._progress = event
                return []
            case StopRequested():
                return self._on_stop()
            case SentToRest(reason, at_once):
                return self._on_sent_to_rest(reason, at_once=at_once)
            case Woken() if self._rest is not None:
                self._rest = None
                return self._stop_asking()
            case Woken():
                return []
            case Rested():
                self._fault = None
                return self._stop_asking()

    def _on_granted(self, grant: LeaseGrant) -> list[Instruction]:
        self._asked = None
        self._fruitless_asks = 0
        if grant.lease_id in self.leases:
            return []  # asked for before an answer got lost
        lease = HeldLease.of(grant)
        self.leases[grant.lease_id] = lease
        if self.stopping or self._rest is not None or self._fault is not None:
            lease.give_back()
            return [Report()]
        return [Fetch(grant.lease_id, grant.job.pack_id), Report()]

    def _on_no_work(self) -> list[Instruction]:
        self._asked = None
        self._fruitless_asks = 0 if self.work is not None else self._fruitless_asks + 1
        return self._close_session() if self._fruitless_asks >= IDLE_ASKS and self._setup is not None else []

    def _on_work_done(self, done: WorkDone) -> list[Instruction]:
        work, self.work = self.work, None
        self._work_unwanted = False  # it was done before it could be stopped
        spent = None
        if isinstance(work, Prepare):
            self._setup = _setup(work.job)
            self._upkeep.set_up(work.job, done.seconds, fading=done.fading, cold=done.cold)
        elif isinstance(work, Render):
            self._pace.note(work.job.job_id, done.seconds)
            self._faults.rendered()
            spent = self._upkeep.rendered(work.frame, done.memory_bytes, done.render_seconds)
        instructions = self._close_session(spent) if spent else []
        lease = self.leases.get(work.lease_id) if work else None
        if lease is None:
            return instructions
        lease.warnings += done.warnings
        if isinstance(work, Render):
            lease.undelivered.add(work.frame)
        elif isinstance(work, MixSound):
            lease.undelivered.add(None)
        return [*instructions, Report()] if done.warnings else instructions

    def _on_checked(self, *, same: bool) -> list[Instruction]:
        work, self.work = self.work, None
        self._work_unwanted = False
        warning = self._upkeep.checked(same=same)
        if warning is None:
            return []
        instructions = self._close_session(warning)
        lease = self.leases.get(work.lease_id) if work else None
        if lease is None:
            return instructions
        lease.warn(warning)
        return [*instructions, Report()]

    def _on_work_failed(self, code: str, message: str) -> list[Instruction]:
        work, self.work = self.work, None
        unwanted, self._work_unwanted = self._work_unwanted, False
        self._setup = None
        lease = self.leases.get(work.lease_id) if work else None
        if lease is None or unwanted or isinstance(work, Check):
            return []
        if isinstance(work, MixSound):
            lease.undelivered.add(None)  # why there is no sound is delivered instead
            return []
        return self._fail(lease, work.frame if isinstance(work, Render) else None, code, message)

    def _on_reported(self, lease: HeldLease, reported: Reported) -> list[Instruction]:
        report = reported.report
        lease.failures = lease.failures[len(report.failures) :]
        lease.warnings = lease.warnings[len(report.warnings) :]
        if report.release:
            del self.leases[lease.grant.lease_id]
            return []
        turned = reported.processor and lease.turn_to_processor()
        if turned and isinstance(self.work, Prepare) and self._works_on(lease.grant.lease_id):
            return self._shrink(lease, reported.last_frame) + self._stop_work()  # it is set up for its card
        return self._shrink(lease, reported.last_frame)

    def _shrink(self, lease: HeldLease, last_frame: int | None) -> list[Instruction]:
        lease.end_at(last_frame)
        if last_frame is None:
            return []  # the frame being rendered may be the last one: it is finished
        if isinstance(self.work, Render) and self._works_on(lease.grant.lease_id) and self.work.frame > last_frame:
            return self._stop_work()
        return []

    def _on_stop(self) -> list[Instruction]:
        self.stopping = True
        for lease in self.leases.values():
            lease.give_back()
        instructions = self._stop_asking()
        # A frame is finished; a scene being opened would only be closed again.
        return instructions + self._stop_work() if isinstance(self.work, Prepare | Check) else instructions

    def _on_sent_to_rest(self, reason: str, *, at_once: bool) -> list[Instruction]:
        if self._rest == reason:
            return []
        self._rest = reason
        for lease in self.leases.values():
            lease.give_back()
        # A request under way says that the slot wants work, or another reason why it does not.
        instructions = self._stop_asking()
        # A scene being opened would only be closed again.
        unwanted = self.work is not None and (at_once or isinstance(self.work, Prepare | Check))
        return instructions + self._stop_work() if unwanted else instructions

    # ── Ends ──

    def _fail(self, lease: HeldLease, frame: int | None, code: str, message: str) -> list[Instruction]:
        """Note a failure: of the frame, of the whole job, or of this machine."""
        if self._faults.is_own(code):
            lease.warn(message)
            for held in self.leases.values():
                held.give_back()
            self._fault = message[:MAX_REASON]
            return [*self._stop_asking(), Report(), Pause(self._faults.rest())]
        lease.fail(None if code in JOB_FAILURES else frame, code, message)
        if code == OUT_OF_GPU_MEMORY:
            # The frames beside one that did not fit are hardly smaller; others may have larger cards.
            for held in self.leases.values():
                if held.grant.job == lease.grant.job:
                    held.give_back()
        return [Report()]

    def _lose(self, lease_id: str) -> list[Instruction]:
        del self.leases[lease_id]
        instructions: list[Instruction] = [Discard(lease_id)]
        if self._works_on(lease_id) and isinstance(self.work, Render | Check):
            instructions += self._stop_work()
        return instructions

    def _close_session(self, reason: str = "") -> list[Instruction]:
        self._setup = None
        return [CloseSession(reason)]

    def _stop_work(self) -> list[Instruction]:
        if self._work_unwanted:
            return []  # it is being stopped
        self._work_unwanted = True
        return [StopWork()]

    def _stop_asking(self) -> list[Instruction]:
        asked, self._asked = self._asked, None
        return [] if asked is None else [StopAsking()]

    # ── What next ──

    def _go_on(self) -> list[Instruction]:
        for lease_id, lease in list(self.leases.items()):
            if self._is_over(lease_id, lease):
                del self.leases[lease_id]
        instructions: list[Instruction] = []
        if self.work is None and self._fault is None:
            self.work = self._next_work()
            if self.work is not None:
                self._progress = Progressed(0.0, None, None)
                instructions += [self.work, Report(urgent=False)]
        releasable = any(self.report(lease_id).release for lease_id in self.leases)
        if releasable:
            instructions.append(Report())
        if self._rest is not None and self.work is None and self._setup is not None:
            # Whoever needs the machine needs the memory of its graphics card.
            instructions += self._close_session()
        if self._is_dry() and self._asked is not None and self._asked.busy_seconds > 0:
            # What it said is not true any more, and only a slot without work is given what others have begun.
            instructions += self._stop_asking()
        if self._wants_more():
            # A session whose work is being stopped does not outlive it.
            open_pack = self._setup[0] if self._setup and not self._work_unwanted else None
            self._asked = Ask(tuple(self.leases), open_pack, self._busy_seconds(), self._rest or self._fault)
            instructions.append(self._asked)
        if self.stopping and not self.finished and not self.leases and self.work is None:
            self.finished = True
            instructions.append(Finish())
        return instructions

    def _next_work(self) -> Work | None:
        lease = next((lease for lease in self.leases.values() if lease.has_work), None)
        if lease is None or not lease.fetched or self.stopping or self._rest is not None:
            return None
        if lease.warnings:
            # They go first: a lease ends with its last frame, and nothing more can be reported on it then.
            return None
        grant = lease.grant
        job = self._upkeep.plan(grant.job)
        if self._setup != _setup(job):
            return Prepare(grant.lease_id, job)
        if lease.sound and grant.sound_range is not None:
            lease.sound = False
            return MixSound(grant.lease_id, *grant.sound_range)
        if (frame := self._upkeep.check()) is not None:
            return Check(grant.lease_id, job, frame)
        return Render(grant.lease_id, job, lease.todo.popleft(), grant.expected_seconds)

    def _wants_more(self) -> bool:
        if self._asked is not None or self.stopping or len(self.leases) >= MAX_LEASES:
            return False
        if self._rest is not None or self._fault is not None:
            return self.work is None  # before, reports tell that it is there
        if not any(lease.has_work for lease in self.leases.values()):
            return True  # the last frame has begun, if there is one
        expected = self._expected_seconds()
        return expected is not None and expected < ASK_AHEAD

    def _is_dry(self) -> bool:
        """Whether nothing is left to render; a frame being stopped is none."""
        idle = self.work is None or self._work_unwanted
        return idle and not any(lease.has_work for lease in self.leases.values())

    def _busy_seconds(self) -> float:
        expected = 0.0 if self._is_dry() else self._expected_seconds()
        return UNKNOWN_BUSY if expected is None else expected

    def _expected_seconds(self) -> float | None:
        """Return how long all that is held will take, or None while that cannot be told."""
        if self._work_unwanted or isinstance(self.work, Prepare | MixSound):
            return None
        under_way = self.work.lease_id if self.work is not None else None
        held = [lease for lease_id, lease in self.leases.items() if lease.has_work or lease_id == under_way]
        if any(lease.sound or self._setup != _setup(self._upkeep.plan(lease.grant.job)) for lease in held):
            return None
        return self._pace.expected(held, under_way, self._progress.progress)

    def _works_on(self, lease_id: str) -> bool:
        return self.work is not None and self.work.lease_id == lease_id

    def _is_over(self, lease_id: str, lease: HeldLease) -> bool:
        return not lease.pending and not self._works_on(lease_id)


def _setup(job: JobSpec) -> Setup:
    return job.pack_id, job.job_id, job.render
