"""The agent's life: it registers, runs its slots, and leaves in good order."""

import asyncio
import contextlib
import logging
import os
import random
import signal
from collections.abc import Coroutine, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import aiohttp
import psutil

from agent.backoff import Repeater
from agent.blender.confine import arrange_sandbox
from agent.blender.locate import Blender
from agent.blender.sandbox import Sandbox
from agent.blender.session import Limits
from agent.blender.watchdog import patience_for
from agent.blob_cache import BlobCache
from agent.client import CallError, CoordinatorClient
from agent.equipment import Equipment, find_equipment, look_at_cards
from agent.frame_upload import Outbox
from agent.hardware import read_hardware, this_platform
from agent.identity import MOST_ALIKE, AgentFolder, numbered
from agent.inputs import Inputs
from agent.inspector import Inspector
from agent.link import Link
from agent.logs import kept_log
from agent.notify import ServiceManager
from agent.rest import watch_machine
from agent.scratch import clear_sessions
from agent.settings import AgentSettings
from agent.shaders import Shaders
from agent.slot import SlotRunner
from agent.tasks import Tasks
from agent.telemetry import Telemeter
from agent.tools import Tools
from coordinator.protocol import PROTOCOL_VERSION, RegisterRequest, RegisterResponse

T = TypeVar("T")

log = logging.getLogger(__name__)

#: After its last frame a stopping agent tries this long (seconds) to deliver and to hand back.  What the coordinator
#: has not taken by then stays on disk for the next start.
STOP_GRACE = 20.0

#: Frames an earlier run could not deliver are given this long (seconds) before new work is asked for, so that the
#: coordinator does not lend them out again.
LEFTOVER_GRACE = 10.0

LEAVE_TIMEOUT = 5.0


class Agent:
    """One agent on this machine."""

    def __init__(self, settings: AgentSettings, blenders: Sequence[Blender], ready_file: Path | None = None) -> None:
        """Make an agent that renders with the first of ``blenders`` that starts.

        ``ready_file`` is written, with the agent's id, once it has joined the farm.
        """
        self._settings = settings
        self._blenders = blenders
        self._ready_file = ready_file
        self._folder = AgentFolder(settings.folder, settings.coordinator)
        self._stopping = asyncio.Event()
        self._slots: list[SlotRunner] = []
        self._inspector: Inspector | None = None
        self._sandbox: Sandbox | None = None
        self._unsandboxed_because = ""
        self._resting: str | None = None
        """Why it takes no work just now."""

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Finish the frames being rendered, hand the rest back, leave, and let :meth:`run` return."""
        self._stopping.set()

    @property
    def busy(self) -> int:
        """How many slots are at work."""
        return sum(slot.state.work is not None for slot in self._slots)

    def status(self) -> str:
        """Return what it does just now, a sentence."""
        if self.stopping:
            return "Leaving the farm, after the frames being rendered."
        if not self._slots:
            return f"Joining the farm at {self._settings.coordinator}."
        if self._resting is not None:
            return f"Resting. {self._resting}"
        return f"Rendering on {self.busy} of {len(self._slots)} slots."

    async def run(self) -> None:
        """Render for the farm until :meth:`stop`.

        Raises:
            StopAgentError: the coordinator does not want this agent.
            IdentityError: the agent's folder cannot be used.
            NoBlenderError: no Blender starts.
            DeviceError: it has no such device.
            NoSandboxError: it is to have a sandbox, and there is none.
        """
        names = await asyncio.to_thread(self._claim)
        try:
            async with kept_log(self._folder.logs):
                await self._live(names)
        except BaseExceptionGroup as failures:
            # One of the tasks failed and ended the others.
            raise failures.exceptions[0] from None
        finally:
            for slot in self._slots:
                await slot.close()
            self._folder.release()

    def _claim(self) -> list[str]:
        """Claim a folder; return the names that the agent may have, the one that it would like first."""
        settings = self._settings
        if settings.folder_given or settings.named:
            self._folder.claim()
            number = 1
        else:
            number = self._folder.claim_any()
        if settings.named:
            return [settings.name]
        identity = self._folder.load()
        names = [numbered(settings.name, others) for others in range(number, MOST_ALIKE + 1)]
        return [identity.name, *names] if identity is not None and identity.name else names

    async def _live(self, names: Sequence[str]) -> None:
        equipment = await self._unless_stopped(self._find_equipment())
        if equipment is None:
            return
        self._sandbox, self._unsandboxed_because = await arrange_sandbox(
            self._settings.sandbox, equipment.blender, self._folder.root, equipment.choice.kind
        )
        async with aiohttp.ClientSession() as http:
            request = await asyncio.to_thread(self._introduction, equipment, names[0])
            repeater = Repeater(random.Random())  # noqa: S311 - jitter, not a secret
            client = CoordinatorClient(http, self._settings.coordinator)
            link = Link(client, repeater, self._folder, request, self._settings.join_token, names)
            timing = await self._unless_stopped(link.register())
            if timing is not None:
                log.info("Joined the farm at %s as %s.", self._settings.coordinator, link.name)
                await self._serve(link, timing, equipment)

    async def _find_equipment(self) -> Equipment:
        folder = self._folder
        gpus = await look_at_cards()
        return await find_equipment(self._settings.wish, self._blenders, gpus, folder.root, folder.logs)

    async def _unless_stopped(self, doing: Coroutine[None, None, T]) -> T | None:
        """Return what comes of it, however long that takes; None if told to stop meanwhile."""
        task = asyncio.ensure_future(doing)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stopping.cancel()
            if task.cancel():
                # It puts away what it has begun: a Blender, a connection.
                await asyncio.gather(task, return_exceptions=True)

    async def _serve(self, link: Link, timing: RegisterResponse, equipment: Equipment) -> None:
        outbox = Outbox(self._folder.frames, link)
        cache = BlobCache(self._folder.inputs, link, self._settings.cache_bytes)
        inputs = Inputs(self._folder.inputs, cache, link, self._packs_in_use)
        await inputs.clear()
        await asyncio.to_thread(clear_sessions, self._folder.sessions)
        await outbox.load()
        async with Tasks() as tasks:
            tasks.spawn(outbox.run(), "outbox")
            telemeter = Telemeter(equipment.gpus, self._folder.root)
            tasks.spawn(telemeter.run(), "telemetry")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEFTOVER_GRACE):
                    await outbox.drained()
            limits = Limits(render=self._settings.frame_timeout, patience=patience_for(equipment.choice.kind))
            tools = Tools(
                link=link,
                inputs=inputs,
                outbox=outbox,
                tasks=tasks,
                blender=equipment.blender,
                sandbox=self._sandbox,
                shaders=(
                    None
                    if self._sandbox is None
                    else Shaders(self._folder.shaders, equipment.blender, self._sandbox, limits)
                ),
                limits=limits,
                threads=self._settings.threads,
                logs=self._folder.logs,
                sessions=self._folder.sessions,
                timing=timing,
                telemeter=telemeter,
                card_meters=equipment.card_meters(),
                memory_bytes=psutil.virtual_memory().total / len(equipment.choice.slots),
            )
            self._slots = [SlotRunner(number, slot.text, tools) for number, slot in enumerate(equipment.choice.slots)]
            self._inspector = Inspector(tools)
            watch = await asyncio.to_thread(
                watch_machine, self._settings.manners, equipment.gpus, equipment.cards(), os.environ
            )
            self._rest(await watch.look())
            tasks.spawn(watch.run(self._rest), "rest")
            for slot in self._slots:
                slot.start()
            inspecting = tasks.spawn(self._inspector.run(), "inspector")
            if self._ready_file is not None:
                await asyncio.to_thread(self._ready_file.write_text, f"{timing.agent_id}\n")
            await self._stopping.wait()
            inspecting.cancel()
            await self._leave(link, outbox)
            tasks.cancel()

    async def _leave(self, link: Link, outbox: Outbox) -> None:
        for slot in self._slots:
            slot.stop()
        for slot in self._slots:
            await slot.quiet.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_GRACE):
                for slot in self._slots:
                    await slot.finished.wait()
                await outbox.drained()
        with contextlib.suppress(CallError, TimeoutError):
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await link.client.leave()
        log.info("Left the farm.")

    def _rest(self, reason: str | None) -> None:
        self._resting = reason
        if self._inspector is not None:
            self._inspector.rest(reason)
        for slot in self._slots:
            slot.rest(reason, at_once=self._settings.manners.at_once)

    def _packs_in_use(self) -> set[str]:
        inspected = set() if self._inspector is None else self._inspector.packs()
        return inspected.union(*(slot.state.packs() for slot in self._slots))

    def _introduction(self, equipment: Equipment, name: str) -> RegisterRequest:
        settings, choice = self._settings, equipment.choice
        return RegisterRequest(
            protocol=PROTOCOL_VERSION,
            name=name,
            software_version=_software_version(),
            slots=len(choice.slots),
            hardware=read_hardware(equipment.gpus.cards),
            blenders=[equipment.build()],
            tags=list(settings.tags),
            pools=list(settings.pools),
            device=choice.kind,
            platform=this_platform(),
            engines=list(settings.engines) or equipment.engines(),
            vram_bytes=choice.vram_bytes,
            sandboxed=self._sandbox is not None,
            unsandboxed_because=self._unsandboxed_because[:1000],
        )


async def run_until_signalled(agent: Agent, manager: ServiceManager) -> None:
    """Run an agent; SIGTERM or SIGINT has it stop in good order, a second one at once.

    The service manager is told what it does.

    Raises:
        asyncio.CancelledError: it was stopped at once.
        StopAgentError, IdentityError, NoBlenderError, DeviceError, NoSandboxError: as :meth:`Agent.run` does.
    """
    running = asyncio.current_task()

    def on_signal() -> None:
        if agent.stopping and running is not None:
            running.cancel()
            return
        log.warning(
            "%s Ctrl-C, or SIGTERM, once more stops at once.",
            "Stopping once the frames being rendered are done and delivered; elsewhere they would begin anew."
            if agent.busy
            else "Stopping.",
        )
        manager.stopping()
        agent.stop()

    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, on_signal)
    manager.ready()
    telling = asyncio.create_task(manager.keep_told(agent.status))
    try:
        await agent.run()
    finally:
        telling.cancel()
        manager.stopping()
        for number in signals:
            loop.remove_signal_handler(number)


def _software_version() -> str:
    try:
        return version("blender-render-farm")
    except PackageNotFoundError:
        return "0"  # run from a folder that is not installed
