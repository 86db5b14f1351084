"""One Blender process: started with two pipes, its log kept, ended for certain."""

import asyncio
import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from agent.blender.output import MAX_LINE_BYTES
from agent.blender.passage import Passage

#: A session's log file is cut here; the last lines are kept in memory whatever its length.
MAX_LOG_BYTES = 16 * 1024 * 1024

TAIL_LINES = 40
TAIL_LINE_BYTES = 500


class Log:
    """What Blender printed: its end in memory, its beginning in a file.

    A thread of its own reads, so that a chatty Blender neither fills its pipe and stops nor keeps the event loop busy.
    """

    def __init__(self, source: int, path: Path) -> None:
        self._source = source
        self._path = path
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._passage = Passage()
        self._turning = threading.Lock()
        self._thread = threading.Thread(target=self._drain, name="blender log", daemon=True)
        self._thread.start()

    async def last_lines(self, count: int) -> list[str]:
        """Return the last lines that say something, once Blender has closed its output (or a second later)."""
        await asyncio.to_thread(self._thread.join, 1.0)
        return [line for line in self._tail if line.strip()][-count:]

    def next_passage(self) -> str:
        """Return what was said since this was called last, in short.

        What is still on its way out of Blender belongs to the next one.
        """
        with self._turning:
            passage, self._passage = self._passage, Passage()
            return passage.text()

    def _drain(self) -> None:
        with open(self._source, "rb") as source, self._path.open("wb") as file:  # noqa: PTH123 - a descriptor
            written = 0
            while line := source.readline(MAX_LINE_BYTES):
                said = line[:TAIL_LINE_BYTES].decode(errors="replace").rstrip()
                self._tail.append(said)
                with self._turning:
                    self._passage.add(said, monotonic())
                written += len(line)
                if written <= MAX_LOG_BYTES:
                    # A full disk costs the log, not the render.
                    with contextlib.suppress(OSError):
                        file.write(line)
                        file.flush()


class BlenderProcess:
    """A running child and the pipes to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        commands: asyncio.StreamWriter,
        events: asyncio.StreamReader,
        events_transport: asyncio.BaseTransport,
        log: Log,
    ) -> None:
        self._process = process
        self._events_transport = events_transport
        self.commands = commands
        self.events = events
        self.log = log

    @classmethod
    async def spawn(
        cls, argv_for: Callable[[int, int], Sequence[str]], environment: Mapping[str, str], log_path: Path
    ) -> "BlenderProcess":
        """Start a process with a pipe for commands and one for events.

        Args:
            argv_for: the command line, given the child's ends: commands to read, events to write.
            environment: of the child.
            log_path: where its output goes.

        Raises:
            OSError: it cannot be started.
        """
        commands_read, commands_write = os.pipe()
        events_read, events_write = os.pipe()
        output_read, output_write = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv_for(commands_read, events_write),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output_write,
                stderr=output_write,
                env=dict(environment),
                pass_fds=(commands_read, events_write),
                # A group of its own: a signal to the agent does not reach it, and the whole group can be killed.
                start_new_session=True,
            )
        except OSError:
            for descriptor in (commands_write, events_read, output_read):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (commands_read, events_write, output_write):
                os.close(descriptor)
        log = Log(output_read, log_path)
        loop = asyncio.get_running_loop()
        events = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        events_transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(events),
            os.fdopen(events_read, "rb", buffering=0),
        )
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(commands_write, "wb", buffering=0)
        )
        commands = asyncio.StreamWriter(transport, protocol, None, loop)
        return cls(process, commands, events, events_transport, log)

    @property
    def pid(self) -> int:
        """The process's id; what it has started are its descendants."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process.returncode is None

    async def end(self, patience: float) -> int:
        """Wait ``patience`` seconds for the process to end, kill its group, and return the exit status.

        A negative status is the signal that ended it, as in :mod:`subprocess`.
        """
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            # Whatever it started must not outlive it either.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self.commands.close()
            self._events_transport.close()
        return await self._process.wait()
