"""A slot without a Blender: the agent's own state machine, whose instructions are carried out in virtual time.

Calls to the coordinator take no time; a frame reaches it a moment after it is rendered, while the next one renders.
"""

from dataclasses import dataclass
from functools import partial
from typing import assert_never

from agent.events import (
    Checked,
    Delivered,
    Event,
    Fetched,
    Granted,
    LeaseLost,
    NoWork,
    Progressed,
    Reported,
    Rested,
    StopRequested,
    WorkDone,
    WorkFailed,
)
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
from agent.slot import ASK_INTERVAL, REPORT_MARGIN
from agent.state import Slot
from benchmarks.inner_coordinator import Coordinator
from benchmarks.lease_desk import Asking, LeaseDesk
from benchmarks.ledger import Ledger
from benchmarks.virtual_time import Action, Agenda
from coordinator.domain.timing import Timing
from coordinator.protocol import (
    ErrorCode,
    FrameAnswer,
    FrameResult,
    LeaseGrant,
    LeaseRequest,
    SoundResult,
    StoredFile,
)
from coordinator.services import agents, frames, leases, sound
from coordinator.services.errors import Refused

#: From the end of a frame until the coordinator has it, in seconds.
UPLOAD_SECONDS = 0.05

#: The share of a frame's time before its first sample: Cycles tells no progress while it prepares the scene.
SILENT_SHARE = 0.2

#: Mixing the sound of a job, in seconds on any slot.
SOUND_SECONDS = 2.0

BLENDER = (4, 5, 15)
WIDTH, HEIGHT = 64, 36


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all slots share."""

    agenda: Agenda
    coordinator: Coordinator
    timing: Timing
    desk: LeaseDesk
    ledger: Ledger
    picture: StoredFile
    """Stands for the files of every frame and of the sound: the coordinator has them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Working:
    work: Work
    job_id: int
    began: float
    seconds: float

    @property
    def frame(self) -> int | None:
        """The frame being rendered; None while something else is done for the job."""
        return self.work.frame if isinstance(self.work, Render) else None


class SimulatedSlot:
    """The only slot of an agent process, from its start until it leaves or crashes."""

    def __init__(self, agent_id: int, speed: float, farm: Surroundings) -> None:
        self._agent_id = agent_id
        self._speed = speed
        self._farm = farm
        self._state = Slot()
        self.gone = False
        """It has left or crashed."""
        self._asking: Asking | None = None
        self._working: _Working | None = None
        self._open_pack: str | None = None
        self._cached_packs: set[str] = set()
        self._load_seconds = 0.0
        """What opening the scene took, not told yet."""
        self._report_due = False
        self._reports = 0
        self._on_left: Action | None = None

    def start(self) -> None:
        """Ask for work, report, and so on."""
        self._report_soon()
        self._handle(Rested())

    def leave(self, on_left: Action) -> None:
        """Finish the frame being rendered, hand the rest back and leave, as an agent does that is stopped."""
        self._on_left = on_left
        self._handle(StopRequested())

    def crash(self) -> None:
        """Fall silent for ever; what is being rendered is lost."""
        self.gone = True
        self._stop_asking()
        self._drop_work()

    def _handle(self, event: Event) -> None:
        for instruction in self._state.handle(event):
            self._begin(instruction)

    def _after(self, seconds: float, action: Action) -> None:
        """Do something later, if the process lives then."""
        self._farm.agenda.after(seconds, partial(self._do, action))

    def _do(self, action: Action) -> None:
        if not self.gone:
            action()

    def _tell(self, seconds: float, event: Event) -> None:
        self._after(seconds, partial(self._handle, event))

    def _begin(self, instruction: Instruction) -> None:
        match instruction:
            case Prepare() | Render() | Check() | MixSound():
                self._work(instruction)
            case StopWork():
                self._drop_work()
                self._tell(0.0, WorkFailed("stopped", "Rendering was stopped."))
            case Ask():
                self._after(0.0, partial(self._ask, instruction))
            case Fetch(lease_id, pack_id):
                self._cached_packs.add(pack_id)
                self._tell(0.0, Fetched(lease_id))
            case Report():
                self._report_soon()
            case StopAsking():
                self._stop_asking()
            case CloseSession():
                self._open_pack = None
            case Pause(seconds):
                self._tell(seconds, Rested())
            case Discard():
                pass  # what is on its way is refused by the coordinator
            case Finish():
                self._finish_life()
            case _:
                assert_never(instruction)

    def _finish_life(self) -> None:
        self.gone = True
        self._farm.coordinator.call(agents.leave, self._agent_id)
        if self._on_left is not None:
            self._on_left()

    # ── Work ──

    def _work(self, work: Work) -> None:
        jobs = self._farm.ledger.jobs
        match work:
            case Prepare(_, job):
                job_id, seconds = job.job_id, 0.0 if self._open_pack == job.pack_id else jobs[job.job_id].load
            case Render(_, job, frame) | Check(_, job, frame):
                job_id, seconds = job.job_id, jobs[job.job_id].cost(frame) / self._speed
            case MixSound(lease_id):
                job_id, seconds = self._state.leases[lease_id].grant.job.job_id, SOUND_SECONDS
        working = self._working = _Working(work, job_id, self._farm.agenda.now, seconds)
        if isinstance(work, Prepare) and seconds:
            self._open_pack = None
        self._farm.ledger.began(job_id, working.frame, loads=isinstance(work, Prepare))
        self._after(seconds, partial(self._finish, working))

    def _finish(self, working: _Working) -> None:
        if self._working is not working:
            return  # it was stopped
        self._working = None
        work = working.work
        self._farm.ledger.ended(working.job_id, working.frame, working.seconds)
        if isinstance(work, Check):
            self._handle(Checked(same=True))
            return
        if isinstance(work, Prepare):
            self._open_pack = work.job.pack_id
            self._load_seconds += working.seconds
        elif isinstance(work, MixSound):
            self._after(UPLOAD_SECONDS, partial(self._deliver_sound, work.lease_id))
        else:
            result = FrameResult(
                output=self._farm.picture,
                preview=self._farm.picture,
                seconds=working.seconds,
                load_seconds=self._load_seconds,
                blender=BLENDER,
            )
            self._load_seconds = 0.0
            self._after(UPLOAD_SECONDS, partial(self._deliver, work, result))
        self._handle(WorkDone(seconds=working.seconds))

    def _drop_work(self) -> None:
        """Kill the session."""
        working, self._working = self._working, None
        self._open_pack = None
        self._load_seconds = 0.0
        if working is not None:
            seconds = self._farm.agenda.now - working.began
            self._farm.ledger.ended(working.job_id, working.frame, seconds)
            if working.frame is not None:
                self._farm.ledger.spoilt(seconds)

    # ── Calls ──

    def _ask(self, ask: Ask) -> None:
        request = LeaseRequest(
            slot=0,
            blender=BLENDER,
            open_pack=ask.open_pack,
            cached_packs=sorted(self._cached_packs),
            busy_seconds=ask.busy_seconds,
            holds=list(ask.holds),
            wait_seconds=self._farm.timing.poll_seconds,
        )
        self._asking = Asking(self._agent_id, request, partial(self._on_answer, self._farm.agenda.now))
        self._farm.desk.ask(self._asking)

    def _on_answer(self, asked: float, grant: LeaseGrant | None) -> None:
        if grant is not None:
            self._handle(Granted(grant))
        else:
            self._tell(max(0.0, asked + ASK_INTERVAL - self._farm.agenda.now), NoWork())

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.given_up = True

    def _deliver(self, work: Render, result: FrameResult) -> None:
        farm, answer = self._farm, None
        try:
            outcome = farm.coordinator.call(
                frames.record_frame, self._agent_id, work.lease_id, work.frame, result, WIDTH, HEIGHT, farm.timing
            )
        except Refused as refused:
            farm.ledger.spoilt(result.seconds)
            if refused.code == ErrorCode.LEASE_LOST:
                self._handle(LeaseLost(work.lease_id))
                return
            if refused.code != ErrorCode.FRAME_LOST:
                raise
        else:
            farm.ledger.recorded(work.job.job_id, work.frame)
            answer = FrameAnswer(last_frame=outcome.last_frame)
        self._handle(Delivered(work.lease_id, work.frame, answer))

    def _deliver_sound(self, lease_id: str) -> None:
        farm = self._farm
        result = SoundResult(file=farm.picture)
        try:
            farm.coordinator.call(sound.record_sound, self._agent_id, lease_id, result, farm.timing)
        except Refused as refused:
            if refused.code != ErrorCode.LEASE_LOST:
                raise
            self._handle(LeaseLost(lease_id))
        else:
            self._handle(Delivered(lease_id, None))

    def _report_soon(self) -> None:
        if not self._report_due:
            self._report_due = True
            self._after(0.0, self._report)

    def _report(self) -> None:
        self._report_due = False
        self._reports += 1
        for lease_id in list(self._state.leases):
            if lease_id in self._state.leases:
                self._report_on(lease_id)
        self._after(self._farm.timing.report_seconds * REPORT_MARGIN, partial(self._report_again, self._reports))

    def _report_again(self, reports: int) -> None:
        # One that was made meanwhile begins the interval anew.
        if reports == self._reports:
            self._report_soon()

    def _report_on(self, lease_id: str) -> None:
        farm = self._farm
        if self._working is not None and self._working.frame is not None:
            share = (farm.agenda.now - self._working.began) / self._working.seconds
            self._handle(Progressed(max(0.0, share - SILENT_SHARE) / (1 - SILENT_SHARE), None, None))
        report = self._state.report(lease_id)
        try:
            answer = farm.coordinator.call(leases.report, self._agent_id, lease_id, report, farm.timing)
        except Refused as refused:
            if refused.code != ErrorCode.LEASE_LOST:
                raise
            self._handle(LeaseLost(lease_id))
        else:
            self._handle(Reported(lease_id, report, answer.last_frame))
