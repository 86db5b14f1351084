"""Server-sent events: what changed, to every page that is open.

Changes are gathered and read once for everyone, at most four times a second.  A client that reads more slowly than
things change loses events, never the stream: it is told to fetch everything again (``hello``).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from coordinator.db.engine import Notice
from coordinator.services.agent_schemas import AgentView
from coordinator.services.frame_schemas import FrameChange
from coordinator.services.schemas import JobView

log = logging.getLogger(__name__)

#: Changes are gathered this long, in seconds.
GATHER_SECONDS = 0.25

#: How many events may wait for a client that reads slowly.
MAX_WAITING = 500

HELLO = b"event: hello\ndata: {}\n\n"
KEEP_ALIVE = b": still here\n\n"


class Client:
    """One open stream: the events that were not sent yet."""

    def __init__(self) -> None:
        """Begin with ``hello``."""
        self._waiting: list[bytes] = [HELLO]
        self._filled = asyncio.Event()
        self._filled.set()

    def add(self, event: bytes) -> None:
        """Queue an event; when there are too many, all are dropped for one ``hello``."""
        if len(self._waiting) >= MAX_WAITING:
            self._waiting = [HELLO]
        elif self._waiting != [HELLO] or event != HELLO:
            self._waiting.append(event)
        self._filled.set()

    def wake(self) -> None:
        """End the current wait, with or without events."""
        self._filled.set()

    async def take(self, timeout: float) -> bytes:  # noqa: ASYNC109 - what happens at its end is part of the task
        """Return the events since the last call, waiting for one; a comment after ``timeout`` seconds without any."""
        try:
            async with asyncio.timeout(timeout):
                await self._filled.wait()
        except TimeoutError:
            return KEEP_ALIVE
        self._filled.clear()
        events, self._waiting = self._waiting, []
        return b"".join(events)


class LiveStream:
    """Turns the database's notices into events for all clients."""

    def __init__(
        self,
        read_jobs: Callable[[Sequence[int]], Awaitable[Sequence[JobView]]],
        read_agents: Callable[[Sequence[int]], Awaitable[Sequence[AgentView]]],
        read_frames: Callable[[Sequence[tuple[int, int]]], Awaitable[Sequence[FrameChange]]],
    ) -> None:
        """Read what changed with these functions; a frame is named by its job and number."""
        self._read_jobs = read_jobs
        self._read_agents = read_agents
        self._read_frames = read_frames
        self._clients: set[Client] = set()
        self._jobs: set[int] = set()
        self._agents: set[int] = set()
        self._frames: set[tuple[int, int]] = set()
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """The coordinator is stopping: end the stream."""
        return self._closed

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    def connect(self) -> Client:
        """Return a new client; it gets every event from now on."""
        client = Client()
        self._clients.add(client)
        return client

    def disconnect(self, client: Client) -> None:
        """Forget a client."""
        self._clients.discard(client)

    def close(self) -> None:
        """Wake every client for the last time."""
        self._closed = True
        for client in self._clients:
            client.wake()

    def on_notice(self, notice: Notice) -> None:
        """Take note of a change."""
        if not self._clients or notice.id is None:
            return
        match notice.kind:
            case "job":
                self._jobs.add(notice.id)
            case "agent":
                self._agents.add(notice.id)
            case "frame" if notice.frame is not None:
                self._frames.add((notice.id, notice.frame))
            case _:
                return
        self._changed.set()

    async def run(self) -> None:
        """Send what changed until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.flush()
            except Exception:
                # The clients missed something; whatever it was, fetching everything shows it.
                log.exception("live events could not be read")
                self._send([HELLO])
            await asyncio.sleep(GATHER_SECONDS)

    async def flush(self) -> None:
        """Read and send what changed since the last time."""
        jobs, self._jobs = sorted(self._jobs), set()
        agents, self._agents = sorted(self._agents), set()
        frames, self._frames = sorted(self._frames), set()
        events: list[bytes] = []
        if frames:
            events += [_event("frame", change) for change in await self._read_frames(frames)]
        if jobs:
            events += [_event("job", view) for view in await self._read_jobs(jobs)]
        if agents:
            events += [_event("agent", view) for view in await self._read_agents(agents)]
        self._send(events)

    def _send(self, events: Sequence[bytes]) -> None:
        for client in self._clients:
            for event in events:
                client.add(event)


def _event(name: str, data: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
