"""A warm Blender with one scene open, reused from frame to frame and chunk to chunk."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TypeVar

import msgspec

from agent.blender.command import session_argv, session_environment
from agent.blender.failures import machine_failure
from agent.blender.locate import Blender
from agent.blender.memory import MEMORY_FAILURES, OUT_OF_MEMORY, kernel_kills
from agent.blender.output import (
    BadLineError,
    Configured,
    Described,
    Event,
    Failed,
    Inspected,
    Mixed,
    Opened,
    Progress,
    Ready,
    Rendered,
    parse_event,
)
from agent.blender.process import TAIL_LINES, BlenderProcess
from agent.blender.sandbox import Cell, Sandbox, sandbox_environment
from agent.blender.vitals import ask_for_stacks, describe, read_vitals
from agent.blender.watchdog import Patience, Watchdog
from coordinator.protocol import ImageFormat, RenderSpec

log = logging.getLogger(__name__)

T = TypeVar("T", Ready, Described, Opened, Inspected, Configured, Rendered, Mixed)


#: Failures of which only Blender's own words tell more.
_BLENDERS_WORDS = frozenset({"cannot_open", "render_failed", "not_written"})

#: Lines of the log that go with the failure of a Blender that died.
_LINES_TOLD = 3

#: A Blender that hangs is given so long (seconds) to write its stacks before it is killed.
_STACKS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each command may take (seconds) before its Blender is taken for hung and killed."""

    start: float = 180.0
    describe: float = 60.0
    open: float = 3600.0
    configure: float = 300.0
    render: float | None = None
    """None: a frame may take as long as it needs, while there are signs of life."""
    mix_sound: float = 3600.0
    close: float = 5.0
    patience: Patience = field(default_factory=Patience)


class SessionError(Exception):
    """A command failed.  ``code`` is one of docs/PROTOCOL.md, or ``crashed``, ``timeout``, ``hung`` or one of
    :mod:`agent.blender.failures`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Session:
    """Speaks the session protocol with one Blender process.

    After a :class:`SessionError` the session is best closed: the next frame begins in a clean one.
    """

    def __init__(self, process: BlenderProcess, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._kills_before: int | None = None
        """The kernel's count when the session began."""
        self.version: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    async def start(
        cls, blender: Blender, log_path: Path, limits: Limits | None = None, cell: tuple[Sandbox, Cell] | None = None
    ) -> "Session":
        """Start Blender, in a cell of the sandbox if there is one, and wait until it is ready.

        Raises:
            SessionError: it does not start.
        """
        limits = limits or Limits()
        environment = session_environment(os.environ) if cell is None else sandbox_environment(os.environ)

        def argv(commands_fd: int, events_fd: int) -> list[str]:
            if cell is None:
                return session_argv(blender, None, commands_fd, events_fd)
            sandbox, given = cell
            return sandbox.command(given, session_argv(blender, sandbox.bounds, commands_fd, events_fd))

        try:
            process = await BlenderProcess.spawn(argv, environment, log_path)
        except OSError as error:
            raise SessionError("crashed", f"Blender at {blender.path} cannot be started: {error.strerror}.") from error
        session = cls(process, limits)
        session._kills_before = await asyncio.to_thread(kernel_kills)
        try:
            ready = await session._finish(Ready, "starting", limits.start)
        except SessionError:
            await session.kill()
            raise
        session.version = ready.blender
        return session

    @property
    def pid(self) -> int:
        """The process that was started for Blender: itself, or the sandbox that it is in."""
        return self._process.pid

    async def describe(self, *, devices: bool) -> Described:
        """Return what this Blender can do on this machine, without looking for ``devices`` if nobody needs any.

        Raises:
            SessionError: it dies or hangs of looking: a driver is broken.
        """
        command = {"do": "describe", "devices": devices}
        return await self._command(Described, "looking for devices", self._limits.describe, command)

    async def open(
        self, blend: Path, remap: Mapping[str, str], extras: Path | None = None, *, allow_scripts: bool = False
    ) -> Opened:
        """Open a .blend, its files taken from where ``remap`` says (paths as the scene names them → here).

        What the scene's File Output nodes write goes below ``extras``; without it they are turned off.  The Python in
        the file runs with ``allow_scripts`` only.

        Raises:
            SessionError: it cannot be opened.
        """
        command = {
            "do": "open",
            "blend": str(blend),
            "remap": dict(remap),
            "extras": None if extras is None else str(extras),
            "allow_scripts": allow_scripts,
        }
        return await self._command(Opened, "opening the file", self._limits.open, command)

    async def inspect(self, blend: Path, remap: Mapping[str, str]) -> Inspected:
        """Open a .blend and return what is in it; nothing of it runs, and nothing can be rendered of it after that.

        Raises:
            SessionError: it cannot be opened.
        """
        command = {"do": "inspect", "blend": str(blend), "remap": dict(remap)}
        return await self._command(Inspected, "looking into the file", self._limits.open, command)

    async def configure(
        self, render: RenderSpec, image_format: ImageFormat, device: str, threads: int | None
    ) -> Configured:
        """Set the scene up for a job; what a job before changed is the scene's own again.

        Raises:
            SessionError: the scene cannot be rendered like that.
        """
        command = {
            "do": "configure",
            "render": msgspec.to_builtins(render),
            "format": image_format.value,
            "device": device,
            "threads": threads,
        }
        return await self._command(Configured, "setting the scene up", self._limits.configure, command)

    async def render(
        self,
        frame: int,
        output: Path,
        preview: Path | None,
        display: Path | None,
        on_progress: Callable[[Progress], None],
        expected_seconds: float | None = None,
    ) -> Rendered:
        """Render one frame into ``output``, and the pictures for people beside it.

        How long it is expected to take says how long it may go without getting any further.

        Raises:
            SessionError: it could not be rendered.
        """
        command = {
            "do": "render",
            "frame": frame,
            "output": str(output),
            "preview": None if preview is None else str(preview),
            "display": None if display is None else str(display),
        }
        return await self._command(
            Rendered, f"rendering frame {frame}", self._limits.render, command, on_progress, expected_seconds
        )

    def said(self) -> str:
        """Return what Blender has said since this was asked last, in short: of opening the scene, and of a frame."""
        return self._process.log.next_passage()

    async def mix_sound(self, output: Path, first: int, last: int) -> None:
        """Mix the scene's sound for a range of frames, both ends included, into a FLAC file.

        Raises:
            SessionError: there is no sound, or it could not be mixed.
        """
        command = {"do": "mix_sound", "output": str(output), "first": first, "last": last}
        await self._command(Mixed, "mixing the sound", self._limits.mix_sound, command)

    async def close(self) -> None:
        """End Blender politely, and by force when it does not."""
        try:
            await self._send({"do": "close"})
            patience = self._limits.close
        except OSError:
            patience = 0.0
        await self._process.end(patience)

    async def kill(self) -> None:
        """End Blender at once; a frame being rendered is lost."""
        await self._process.end(0.0)

    async def _command(
        self,
        answer: type[T],
        doing: str,
        limit: float | None,
        command: Mapping[str, object],
        on_progress: Callable[[Progress], None] | None = None,
        expected_seconds: float | None = None,
    ) -> T:
        try:
            await self._send(command)
        except OSError:
            raise await self._crashed(doing) from None
        return await self._finish(answer, doing, limit, on_progress, expected_seconds)

    async def _send(self, command: Mapping[str, object]) -> None:
        self._process.commands.write(msgspec.json.encode(command) + b"\n")
        await self._process.commands.drain()

    async def _finish(
        self,
        answer: type[T],
        doing: str,
        limit: float | None,
        on_progress: Callable[[Progress], None] | None = None,
        expected_seconds: float | None = None,
    ) -> T:
        """Wait for the answer to the command sent before."""
        watchdog = Watchdog(self._limits.patience, expected_seconds, monotonic())
        try:
            async with asyncio.timeout(limit):
                while True:
                    event = await self._next_event(doing, watchdog)
                    if isinstance(event, answer):
                        return event
                    if isinstance(event, Failed):
                        machine = machine_failure(event.message) if event.code in _BLENDERS_WORDS else None
                        raise SessionError(machine or event.code, event.message)
                    if isinstance(event, Progress):
                        watchdog.heard(monotonic(), event.remaining_seconds)
                        if on_progress is not None:
                            on_progress(event)
        except TimeoutError:
            await self.kill()
            raise SessionError(
                "timeout", f"Blender was still {doing} after {limit:.0f} seconds and was taken for hung."
            ) from None
        except asyncio.CancelledError:
            # The answer is still to come and would be taken for that of the next command.
            await self.kill()
            raise

    async def _next_event(self, doing: str, watchdog: Watchdog) -> Event:
        try:
            line = await self._next_line(doing, watchdog)
        except ValueError as error:  # longer than the stream's limit
            await self.kill()
            raise SessionError("crashed", f"Blender wrote something that is no answer while {doing}.") from error
        if not line.endswith(b"\n"):
            raise await self._crashed(doing)
        try:
            return parse_event(line)
        except BadLineError as error:
            await self.kill()
            raise SessionError(
                "crashed", f"Blender wrote something that is no answer while {doing}: {error}"
            ) from error

    async def _next_line(self, doing: str, watchdog: Watchdog) -> bytes:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.patience.look):
                    return await self._process.events.readline()
            vitals = await asyncio.to_thread(read_vitals, self._process.pid)
            why = watchdog.look(monotonic(), vitals)
            if why is not None:
                await self._examine(doing, why)
                raise SessionError("hung", f"Blender was taken for hung while {doing}: {why}.")

    async def _examine(self, doing: str, why: str) -> None:
        """Write into the agent's log what can be seen of a Blender that hangs, and kill it."""
        processes = await asyncio.to_thread(describe, self._process.pid)
        if await asyncio.to_thread(ask_for_stacks, self._process.pid):
            await asyncio.sleep(_STACKS_SECONDS)
        await self.kill()
        said = await self._process.log.last_lines(TAIL_LINES)
        log.warning(
            "Blender is taken for hung while %s: %s.\n%s\nThe end of its log:\n%s",
            doing,
            why,
            "\n".join(processes),
            "\n".join(said),
        )

    async def _crashed(self, doing: str) -> SessionError:
        """Return the error that tells how Blender ended."""
        status = await self._process.end(self._limits.close)
        lines = await self._process.log.last_lines(TAIL_LINES)
        said = f' The last it said: "{" / ".join(lines[-_LINES_TOLD:])}"' if lines else ""
        code = machine_failure("\n".join(lines))
        if code is None and _signal_of(status) == signal.SIGKILL:
            kills = await asyncio.to_thread(kernel_kills)
            code = OUT_OF_MEMORY if kills is None or kills != self._kills_before else None
        because = ", because the memory did not suffice," if code in MEMORY_FAILURES else ""
        return SessionError(code or "crashed", f"Blender {_ending(status)}{because} while {doing}.{said}")


def _signal_of(status: int) -> int:
    # What starts Blender (a script, a sandbox) ends as shells do when a signal ended it: with 128 and its number.
    return -status if status < 0 else status - 128


def _ending(status: int) -> str:
    number = _signal_of(status)
    if number == signal.SIGKILL:
        return "was killed (SIGKILL)"
    if number in set(signal.Signals):
        return f"crashed ({signal.Signals(number).name})"
    return f"ended by itself (exit status {status})"
