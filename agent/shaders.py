"""The shaders that EEVEE needs for any scene, compiled once by this agent and given to each session.

To compile them takes Blender ten times as long as a frame, and drivers keep what they have compiled in the user's
home, which a sandboxed session has not.  What one session has compiled must not reach another one: it is machine code.
So the agent has a scene of Blender's own rendered in a sandbox of its own, and copies what that left there.
"""

import asyncio
import logging
import os
import shutil
import time
from pathlib import Path

import psutil

from agent.blender.confine import give_to_guest
from agent.blender.locate import Blender
from agent.blender.sandbox import Sandbox
from agent.blender.session import Limits, Session, SessionError
from agent.scratch import Scratch
from coordinator.protocol import Device, ImageFormat, RenderSpec

log = logging.getLogger(__name__)

#: They are compiled anew after so long (seconds): the drivers were updated meanwhile, perhaps.
LIFETIME = 7 * 24 * 3600.0

#: Work of the farm goes first.
NICENESS = 5

#: The scene that every Blender starts with, and as little of it as can be rendered.
_SCENE = RenderSpec(scene="Scene", engine="EEVEE", samples=1, resolution=(32, 32), percentage=100)


class Shaders:
    """Of one agent, whose sessions all run in the sandbox."""

    def __init__(self, folder: Path, blender: Blender, sandbox: Sandbox, limits: Limits) -> None:
        """Keep them in ``folder``."""
        self._folder = folder / f"{blender.kind}-{'.'.join(map(str, blender.version))}"
        self._blender = blender
        self._sandbox = sandbox
        self._limits = limits
        self._asked = False

    def ready(self) -> bool:
        """Tell whether there are any."""
        try:
            return time.time() - self._folder.stat().st_mtime < LIFETIME
        except OSError:
            return False

    def lay(self, scratch: Scratch, slot: int) -> bool:
        """Give a session of a slot those that there are, before it begins; tell whether there are any."""
        if not self.ready():
            return False
        try:
            _copy(self._folder, scratch.shaders)
            for inner, _, names in os.walk(scratch.shaders):
                for path in (Path(inner), *(Path(inner, name) for name in names)):
                    give_to_guest(path, slot)
        except OSError as error:
            log.warning("Shaders that were compiled before cannot be used: %s", error)
            return False
        return True

    async def compile(self, sessions: Path, logs: Path) -> None:
        """Have them compiled, unless they are there or this was tried; what goes wrong costs nothing but them."""
        if self._asked or await asyncio.to_thread(self.ready):
            return
        self._asked = True
        scratch = await asyncio.to_thread(Scratch.make, sessions, 0, sandboxed=True)
        try:
            await self._render(scratch, logs / "shaders.log")
            await asyncio.to_thread(self._keep, scratch)
        except (SessionError, OSError) as error:
            log.warning("EEVEE's shaders are compiled by each session anew: %s", error)
        finally:
            await asyncio.to_thread(scratch.remove)

    async def _render(self, scratch: Scratch, log_path: Path) -> None:
        # It sees no pack, but an empty folder.
        cell = scratch.cell(scratch.kept, 0)
        session = await Session.start(self._blender, log_path, self._limits, (self._sandbox, cell))
        try:
            await asyncio.to_thread(_stand_back, session.pid)
            await session.configure(_SCENE, ImageFormat.PNG, Device.CPU, 1)
            await session.render(1, scratch.output / "frame.png", None, None, lambda _progress: None)
        finally:
            await session.close()

    def _keep(self, scratch: Scratch) -> None:
        new = self._folder.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        _copy(scratch.shaders, new)
        os.utime(new)
        new.replace(self._folder)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def _stand_back(pid: int) -> None:
    try:
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            process.nice(NICENESS)
    except psutil.Error:
        pass  # it has ended, or may not be told
