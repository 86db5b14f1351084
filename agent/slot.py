"""Carries out what :class:`agent.state.Slot` says: asks, fetches, renders, reports."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from agent.blender.locate import Blender
from agent.blender.output import Configured, Opened, Progress
from agent.blender.session import Limits, Session, SessionError
from agent.client import DropLeaseError, RefusedError
from agent.events import (
    Event,
    Fetched,
    FetchFailed,
    Granted,
    LeaseLost,
    NoWork,
    Progressed,
    Reported,
    Rested,
    SentToRest,
    StopRequested,
    Woken,
    WorkDone,
    WorkFailed,
)
from agent.frame_upload import Note, Outbox
from agent.inputs import Inputs, InputsError
from agent.instructions import (
    Ask,
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
from agent.link import Link
from agent.state import Slot
from agent.tasks import Tasks
from coordinator.protocol import JobSpec, LeaseRequest, RegisterResponse

log = logging.getLogger(__name__)

#: A report leaves this much earlier than the coordinator asks for, so that a slow network does not make it late.
REPORT_MARGIN = 0.8

#: Seconds between reports at least, however short the frames are: the coordinator hears from thousands of slots.
REPORT_SPACING = 0.25

#: Requests for work are at least this far apart (seconds), whatever the coordinator answers.
ASK_INTERVAL = 1.0

#: Packs on disk that a request for work names: the protocol's limit.
MAX_CACHED_NAMED = 64

#: Missing files named one by one; the rest are counted.
MAX_MISSING_NAMED = 30


@dataclass(frozen=True, slots=True)
class Tools:
    """What the slots of an agent share."""

    link: Link
    inputs: Inputs
    outbox: Outbox
    tasks: Tasks
    blender: Blender
    limits: Limits
    threads: int | None
    logs: Path
    timing: RegisterResponse


class SlotRunner:
    """One slot: its state, its session and the calls under way."""

    def __init__(self, number: int, device: str, tools: Tools) -> None:
        self.number = number
        self.state = Slot()
        self.quiet = asyncio.Event()
        """Set when it was told to stop and renders no more."""
        self.finished = asyncio.Event()
        self._device = device
        self._tools = tools
        self._session: Session | None = None
        self._opened: tuple[str, tuple[str, ...]] | None = None
        """The pack the session has open, and the warnings that opening it gave."""
        self._configured: Configured | None = None
        self._load_seconds = 0.0
        """What preparing the session took, until a frame has told of it."""
        self._asking: asyncio.Task[None] | None = None
        self._working: asyncio.Task[None] | None = None
        self._work_unwanted = False
        self._report_now = asyncio.Event()

    def start(self) -> None:
        """Begin to ask for work and to report."""
        self._spawn(self._report_regularly(), "reports")
        self.handle(Rested())

    def stop(self) -> None:
        """Finish the frame being rendered, hand the rest back, and end."""
        self.handle(StopRequested())

    def rest(self, reason: str | None, *, at_once: bool) -> None:
        """Take no work, for a reason that people are told; None: take work again."""
        self.handle(Woken() if reason is None else SentToRest(reason, at_once))

    async def close(self) -> None:
        """Kill the session, if there is one."""
        await self._drop_session()

    def handle(self, event: Event) -> None:
        """Let the state take an event in, and begin what follows from it."""
        for instruction in self.state.handle(event):
            self._begin(instruction)
        if self.state.stopping and self.state.work is None:
            self.quiet.set()

    def _begin(self, instruction: Instruction) -> None:
        match instruction:
            case Prepare() | MixSound() | Render():
                self._work_unwanted = False
                self._working = self._spawn(self._work(instruction), "work")
            case StopWork() if self._working is not None:
                self._work_unwanted = True
                # Not before it has begun, as it does in the loop's next turn: else it would end without a word.
                asyncio.get_running_loop().call_soon(self._working.cancel)
            case Ask():
                self._asking = self._spawn(self._ask(instruction), "ask")
            case StopAsking() if self._asking is not None:
                self._asking.cancel()
            case Report():
                self._report_now.set()
            case Finish():
                self.finished.set()
            case Fetch() | Discard() | CloseSession() | Pause():
                self._spawn(self._see_to(instruction), type(instruction).__name__)

    async def _see_to(self, instruction: Fetch | Discard | CloseSession | Pause) -> None:
        match instruction:
            case Fetch():
                await self._fetch(instruction)
            case Discard(lease_id):
                await self._tools.outbox.discard(lease_id)
            case CloseSession():
                await self._close_session()
            case Pause(seconds):
                await asyncio.sleep(seconds)
                self.handle(Rested())

    def _spawn(self, coroutine: Coroutine[None, None, None], what: str) -> asyncio.Task[None]:
        return self._tools.tasks.spawn(coroutine, f"slot {self.number}: {what}")

    # ── Calls ──

    async def _ask(self, ask: Ask) -> None:
        link, timing = self._tools.link, self._tools.timing
        request = LeaseRequest(
            slot=self.number,
            blender=self._tools.blender.version,
            open_pack=ask.open_pack,
            cached_packs=self._tools.inputs.cached()[:MAX_CACHED_NAMED],
            busy_seconds=ask.busy_seconds,
            holds=list(ask.holds),
            wait_seconds=timing.poll_seconds,
            resting=ask.resting,
        )
        began = monotonic()
        grant = await link.call(lambda: link.client.ask(request))
        if grant is not None:
            self.handle(Granted(grant))
            return
        await asyncio.sleep(ASK_INTERVAL - (monotonic() - began))
        self.handle(NoWork())

    async def _fetch(self, fetch: Fetch) -> None:
        try:
            await self._tools.inputs.prepare(fetch.pack_id)
        except InputsError as error:
            log.warning("%s", error.message)
            self.handle(FetchFailed(fetch.lease_id, error.code, error.message))
        else:
            self.handle(Fetched(fetch.lease_id))

    async def _report_regularly(self) -> None:
        interval = self._tools.timing.report_seconds * REPORT_MARGIN
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._report_now.wait()
            self._report_now.clear()
            for lease_id in list(self.state.leases):
                if lease_id in self.state.leases:
                    await self._report(lease_id)
            await asyncio.sleep(REPORT_SPACING)

    async def _report(self, lease_id: str) -> None:
        link, report = self._tools.link, self.state.report(lease_id)
        try:
            answer = await link.call(lambda: link.client.report(lease_id, report))
        except DropLeaseError:
            self.handle(LeaseLost(lease_id))
        except RefusedError as error:
            log.warning("The coordinator refused a report (%s); its chunk is dropped.", error)
            self.handle(LeaseLost(lease_id))
        else:
            self.handle(Reported(lease_id, report, answer.last_frame))

    # ── Work ──

    async def _work(self, work: Work) -> None:
        event: Event
        began = monotonic()
        try:
            warnings = await self._carry_out(work)
            event = WorkDone(warnings, monotonic() - began)
        except SessionError as error:
            log.warning("%s", error.message)
            await self._drop_session()
            event = WorkFailed(error.code, error.message)
        except asyncio.CancelledError:
            await self._drop_session()
            if not self._work_unwanted:
                raise  # the agent ends
            event = WorkFailed("stopped", "Rendering was stopped.")
        except OSError as error:
            await self._drop_session()
            event = WorkFailed("no_room", f"The agent cannot write its files: {error}")
        self.handle(event)

    async def _carry_out(self, work: Work) -> tuple[str, ...]:
        match work:
            case Prepare(_, job):
                return await self._prepare(job)
            case MixSound():
                await self._mix_sound(work)
            case Render():
                await self._render(work)
        return ()

    async def _prepare(self, job: JobSpec) -> tuple[str, ...]:
        """Have a session open the job's pack and set its scene up; return warnings for the job's owner."""
        began = monotonic()
        session, warnings = await self._open(job.pack_id)
        configured = await session.configure(job.render, job.output.format, self._device, self._tools.threads)
        here, wanted = (configured.width, configured.height), (job.output.width, job.output.height)
        if None not in here and None not in wanted and here != wanted:
            raise SessionError(
                "wrong_size",
                f"The scene renders at {here[0]}×{here[1]} pixels, but the job says {wanted[0]}×{wanted[1]}.",
            )
        self._configured = configured
        self._load_seconds = monotonic() - began
        return (*warnings, *configured.warnings)

    async def _open(self, pack_id: str) -> tuple[Session, tuple[str, ...]]:
        if self._session is not None and self._opened is not None and self._opened[0] == pack_id:
            return self._session, self._opened[1]
        await self._close_session()
        pack = self._tools.inputs.pack(pack_id)
        log_path = self._tools.logs / f"slot-{self.number}.log"
        try:
            self._session = await Session.start(self._tools.blender, log_path, self._tools.limits)
        except SessionError as error:
            raise SessionError("not_started", error.message) from error
        opened = await self._session.open(pack.main, pack.remap)
        self._opened = pack_id, _warnings(opened)
        return self._session, self._opened[1]

    async def _render(self, work: Render) -> None:
        outbox, session, configured = self._tools.outbox, self._session, self._configured
        if session is None or configured is None:
            raise SessionError("render_failed", "The session was lost before the frame began.")
        await outbox.room()
        folder = await outbox.place(work.lease_id, work.frame)
        output = f"frame.{configured.extension}"
        display = "display.png" if work.job.output.display else None
        rendered = await session.render(
            work.frame, folder / output, folder / "preview.jpg", folder / display if display else None, self._progress
        )
        load_seconds, self._load_seconds = self._load_seconds, 0.0
        note = Note(
            lease_id=work.lease_id,
            frame=work.frame,
            output=output,
            preview="preview.jpg",
            display=display,
            format=work.job.output.format,
            size=_size(configured, work.job),
            seconds=rendered.seconds,
            load_seconds=load_seconds,
            memory_bytes=rendered.memory_bytes,
            blender=session.version,
        )
        await outbox.add(folder, note, self.handle)

    async def _mix_sound(self, work: MixSound) -> None:
        """Mix the sound; why there is none is delivered as well, so that the job does not wait for it."""
        outbox, session = self._tools.outbox, self._session
        if session is None:
            raise SessionError("no_sound", "The session was lost before the sound was mixed.")
        folder = await outbox.place(work.lease_id, None)
        try:
            await session.mix_sound(folder / "sound.flac", work.first, work.last)
        except SessionError as error:
            failure = Note(lease_id=work.lease_id, frame=None, output=None, failure=error.message[:4000])
            await outbox.add(folder, failure, self.handle)
            raise
        await outbox.add(folder, Note(lease_id=work.lease_id, frame=None, output="sound.flac"), self.handle)

    def _progress(self, progress: Progress) -> None:
        self.handle(Progressed(progress.progress, progress.remaining_seconds, progress.memory_bytes))

    async def _close_session(self) -> None:
        session, self._session, self._opened, self._configured = self._session, None, None, None
        if session is not None:
            await session.close()

    async def _drop_session(self) -> None:
        session, self._session, self._opened, self._configured = self._session, None, None, None
        if session is not None:
            await session.kill()


def _size(configured: Configured, job: JobSpec) -> tuple[int, int] | None:
    """Return what a frame must measure, where the scene or the job tells."""
    width, height = configured.width or job.output.width, configured.height or job.output.height
    return (width, height) if width and height else None


def _warnings(opened: Opened) -> tuple[str, ...]:
    """Return what the job's owner should know about a scene that was opened."""
    named = [
        f'The {file.kind} "{file.name}" is missing ({file.path}); the picture may be wrong.'[:1000]
        for file in opened.missing[:MAX_MISSING_NAMED]
    ]
    more = len(opened.missing) - len(named)
    return (*named, *([f"{more} more files are missing."] if more else []), *(text[:1000] for text in opened.warnings))
