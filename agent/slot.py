"""Carries out what :class:`agent.state.Slot` says: asks, fetches, renders, reports."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from time import monotonic

import msgspec

from agent.blender.output import Progress
from agent.blender.session import SessionError
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
    WorkFailed,
)
from agent.inputs import InputsError
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
from agent.renderer import Renderer
from agent.state import Slot
from agent.tools import Tools
from agent.upkeep import Upkeep
from coordinator.protocol import LeaseRequest, Telemetry

log = logging.getLogger(__name__)

#: A report leaves this much earlier than the coordinator asks for, so that a slow network does not make it late.
REPORT_MARGIN = 0.8

#: Seconds between reports at least: the coordinator hears from thousands of slots.
REPORT_SPACING = 0.25

#: Seconds before a report that only tells of another frame: of short frames, their files tell as much.
FRAME_SPACING = 1.0

#: Requests for work are at least this far apart (seconds), whatever the coordinator answers.
ASK_INTERVAL = 1.0

#: Packs on disk that a request for work names: the protocol's limit.
MAX_CACHED_NAMED = 64


class SlotRunner:
    """One slot: its state, its session and the calls under way."""

    def __init__(self, number: int, device: str, tools: Tools) -> None:
        self.number = number
        self.state = Slot(Upkeep(tools.memory_bytes, tools.unkept))
        self.quiet = asyncio.Event()
        """Set when it was told to stop and renders no more."""
        self.finished = asyncio.Event()
        self._tools = tools
        self._renderer = Renderer(number, device, tools, self.handle)
        self._asking: asyncio.Task[None] | None = None
        self._working: asyncio.Task[None] | None = None
        self._work_unwanted = False
        self._report_wanted, self._report_now = asyncio.Event(), asyncio.Event()

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
        await self._renderer.drop()

    def handle(self, event: Event) -> None:
        """Let the state take an event in, and begin what follows from it."""
        for instruction in self.state.handle(event):
            self._begin(instruction)
        if self.state.stopping and self.state.work is None:
            self.quiet.set()

    def _begin(self, instruction: Instruction) -> None:
        match instruction:
            case Prepare() | MixSound() | Render() | Check():
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
            case Report(urgent):
                self._report_wanted.set()
                if urgent:
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
            case CloseSession(reason):
                if reason:
                    log.warning("Slot %d starts a new Blender. %s", self.number, reason)
                await self._renderer.close()
            case Pause(seconds):
                await asyncio.sleep(seconds)
                self.handle(Rested())

    def _spawn(self, coroutine: Coroutine[None, None, None], what: str) -> asyncio.Task[None]:
        return self._tools.tasks.spawn(coroutine, f"slot {self.number}: {what}")

    # ── Calls ──

    async def _ask(self, ask: Ask) -> None:
        link, timing, resting = self._tools.link, self._tools.timing, self._tools.resting
        (resting.discard if ask.resting is None else resting.add)(self.number)
        request = LeaseRequest(
            slot=self.number,
            blender=self._tools.blender.version,
            open_pack=ask.open_pack,
            cached_packs=self._tools.inputs.cached()[:MAX_CACHED_NAMED],
            busy_seconds=ask.busy_seconds,
            holds=list(ask.holds),
            wait_seconds=timing.poll_seconds,
            resting=ask.resting,
            others_work=ask.resting is not None and len(resting) < len(self._tools.card_meters),
            telemetry=self._telemetry(),
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
        spacing = min(FRAME_SPACING, interval)
        while True:
            reported = monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._report_wanted.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(reported + spacing - monotonic()):
                    await self._report_now.wait()
            self._report_wanted.clear()
            self._report_now.clear()
            for lease_id in list(self.state.leases):
                if lease_id in self.state.leases:
                    await self._report(lease_id)
            await asyncio.sleep(REPORT_SPACING)

    async def _report(self, lease_id: str) -> None:
        link = self._tools.link
        report = msgspec.structs.replace(self.state.report(lease_id), telemetry=self._telemetry())
        try:
            answer = await link.call(lambda: link.client.report(lease_id, report))
        except DropLeaseError:
            self.handle(LeaseLost(lease_id))
        except RefusedError as error:
            log.warning("The coordinator refused a report (%s); its chunk is dropped.", error)
            self.handle(LeaseLost(lease_id))
        else:
            self.handle(Reported(lease_id, report, answer.last_frame, answer.processor))

    def _telemetry(self) -> Telemetry | None:
        """Return how the machine is, if that is new and this slot's to tell."""
        return self._tools.telemeter.take() if self.number == 0 else None

    # ── Work ──

    async def _work(self, work: Work) -> None:
        event: Event
        try:
            event = await self._renderer.carry_out(work, self._progress)
        except SessionError as error:
            log.warning("%s", error.message)
            await self._renderer.drop()
            event = WorkFailed(error.code, error.message)
        except asyncio.CancelledError:
            await self._renderer.drop()
            if not self._work_unwanted:
                raise  # the agent ends
            event = WorkFailed("stopped", "Rendering was stopped.")
        except OSError as error:
            await self._renderer.drop()
            event = WorkFailed("no_room", f"The agent cannot write its files: {error}")
        self.handle(event)

    def _progress(self, progress: Progress) -> None:
        self.handle(Progressed(progress.progress, progress.remaining_seconds, progress.memory_bytes))
