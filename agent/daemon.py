"""The agent's life: it registers, runs its slots, and leaves in good order."""

import asyncio
import contextlib
import logging
import os
import random
import signal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import aiohttp

from agent.backoff import Repeater
from agent.blender.locate import Blender
from agent.blender.session import Limits
from agent.blob_cache import BlobCache
from agent.client import CallError, CoordinatorClient
from agent.frame_upload import Outbox
from agent.hardware import read_hardware, slot_vram, this_platform
from agent.identity import AgentFolder
from agent.inputs import Inputs
from agent.link import Link
from agent.settings import AgentSettings, slot_device
from agent.slot import SlotRunner
from agent.tasks import Tasks
from agent.tools import Tools
from coordinator.protocol import PROTOCOL_VERSION, BlenderBuild, Device, RegisterRequest, RegisterResponse

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

    def __init__(self, settings: AgentSettings, blender: Blender, ready_file: Path | None = None) -> None:
        """Make an agent; ``ready_file`` is written, with the agent's id, once it has joined the farm."""
        self._settings = settings
        self._blender = blender
        self._ready_file = ready_file
        self._folder = AgentFolder(settings.folder, settings.coordinator)
        self._stopping = asyncio.Event()
        self._slots: list[SlotRunner] = []

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Finish the frames being rendered, hand the rest back, leave, and let :meth:`run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Render for the farm until :meth:`stop`.

        Raises:
            StopAgentError: the coordinator does not want this agent.
            IdentityError: the agent's folder cannot be used.
        """
        await asyncio.to_thread(self._folder.claim)
        try:
            async with aiohttp.ClientSession() as http:
                request = await asyncio.to_thread(self._introduction)
                repeater = Repeater(random.Random())  # noqa: S311 - jitter, not a secret
                client = CoordinatorClient(http, self._settings.coordinator)
                link = Link(client, repeater, self._folder, request, self._settings.join_token)
                timing = await self._join(link)
                if timing is not None:
                    await self._serve(link, timing)
        except BaseExceptionGroup as failures:
            # One of the tasks failed and ended the others.
            raise failures.exceptions[0] from None
        finally:
            for slot in self._slots:
                await slot.close()
            self._folder.release()

    async def _join(self, link: Link) -> RegisterResponse | None:
        """Register, however long the coordinator is away; return None if told to stop meanwhile."""
        joining = asyncio.ensure_future(link.register())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((joining, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not joining.done():
                return None
            timing = joining.result()
            log.info("Joined the farm at %s as %s.", self._settings.coordinator, self._settings.name)
            return timing
        finally:
            joining.cancel()
            stopping.cancel()

    async def _serve(self, link: Link, timing: RegisterResponse) -> None:
        outbox = Outbox(self._folder.frames, link)
        cache = BlobCache(self._folder.inputs, link, self._settings.cache_bytes)
        inputs = Inputs(self._folder.inputs, cache, link, self._packs_in_use)
        await inputs.clear()
        await outbox.load()
        async with Tasks() as tasks:
            tasks.spawn(outbox.run(), "outbox")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEFTOVER_GRACE):
                    await outbox.drained()
            tools = Tools(
                link=link,
                inputs=inputs,
                outbox=outbox,
                tasks=tasks,
                blender=self._blender,
                limits=Limits(render=self._settings.frame_timeout),
                threads=self._settings.threads,
                logs=self._folder.logs,
                timing=timing,
            )
            count = self._settings.slots
            self._slots = [
                SlotRunner(number, slot_device(self._settings.device, number, count), tools) for number in range(count)
            ]
            for slot in self._slots:
                slot.start()
            if self._ready_file is not None:
                await asyncio.to_thread(self._ready_file.write_text, f"{timing.agent_id}\n")
            await self._stopping.wait()
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

    def _packs_in_use(self) -> set[str]:
        return set().union(*(slot.state.packs() for slot in self._slots))

    def _introduction(self) -> RegisterRequest:
        hardware, settings = read_hardware(), self._settings
        devices = [slot_device(settings.device, number, settings.slots) for number in range(settings.slots)]
        return RegisterRequest(
            protocol=PROTOCOL_VERSION,
            name=settings.name,
            software_version=_software_version(),
            slots=settings.slots,
            hardware=hardware,
            blenders=[BlenderBuild(version=self._blender.version, kind=self._blender.kind)],
            tags=list(settings.tags),
            pools=list(settings.pools),
            device=Device(settings.device.partition(":")[0]),
            platform=this_platform(),
            engines=list(settings.engines),
            vram_bytes=slot_vram(devices, hardware.gpus, os.environ),
        )


async def run_until_signalled(agent: Agent) -> None:
    """Run an agent; SIGTERM or SIGINT has it stop in good order, a second one at once.

    Raises:
        asyncio.CancelledError: it was stopped at once.
        StopAgentError, IdentityError: as :meth:`Agent.run` does.
    """
    running = asyncio.current_task()

    def on_signal() -> None:
        if agent.stopping and running is not None:
            running.cancel()
            return
        log.info("Finishing the frame being rendered; a second signal stops at once.")
        agent.stop()

    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, on_signal)
    try:
        await agent.run()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _software_version() -> str:
    try:
        return version("blender-render-farm")
    except PackageNotFoundError:
        return "0"  # run from a folder that is not installed
