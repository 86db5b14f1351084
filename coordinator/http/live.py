"""Server-sent events: what changed, to every page that is open.

Changes are gathered and read once for everyone, at most four times a second, and what is told is small: of a job or an
agent that was told of before, only what may change while it is at work.  A client that reads more slowly than things
change loses events, never the stream: it is told to fetch everything again (``hello``).  One whose stream was cut names
the last event that it has had, and goes on behind it.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from coordinator.db.engine import Notice
from coordinator.services.agent_schemas import AgentView
from coordinator.services.frame_schemas import FrameChange
from coordinator.services.schemas import JobView

log = logging.getLogger(__name__)

#: Changes are gathered this long, in seconds.
GATHER_SECONDS = 0.25

#: How many gatherings may wait for a client that reads slowly.
MAX_WAITING = 100

#: Events are kept so long that a stream which was cut can go on: so many gatherings, and so many bytes.
MAX_KEPT, MAX_KEPT_BYTES = 600, 4 * 1024 * 1024

#: Of so many jobs and agents it is remembered that they were told of.
MAX_TOLD = 10_000

#: Without any client, changes are still gathered for so many seconds: who was cut off may be back.
LINGER_SECONDS = 60.0

KEEP_ALIVE = b": still here\n\n"

#: What only a person changes, or nobody.
STEADY_OF_JOB = (
    *("pack", "frames", "blender", "render", "output", "needs", "max_slots", "chunk_frames", "target_seconds", "hedge"),
    *("first_look", "stop_after", "stop_on_missing", "cpu_fallback", "after", "video", "sound", "max_retries"),
    *("warnings", "user", "created_at"),
)
STEADY_OF_AGENT = (
    *("hardware", "blenders", "tags", "pools", "farm_tags", "farm_pools", "version", "device", "vram_bytes"),
    "sandboxed",
)


class Client:
    """One open stream: what was not sent yet."""

    def __init__(self, first: Sequence[bytes], hello: Callable[[], bytes]) -> None:
        """Begin with these; ``hello`` makes what takes the place of too much."""
        self._waiting = list(first)
        self._hello = hello
        self._filled = asyncio.Event()
        self._filled.set()

    def add(self, events: bytes) -> None:
        """Queue what was gathered; when too much waits, all is dropped for one ``hello``."""
        self._waiting.append(events)
        if len(self._waiting) > MAX_WAITING:
            self._waiting = [self._hello()]
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


class Told:
    """Which steady fields of jobs, or agents, were told last: they are left out until they change."""

    def __init__(self, kind: str, steady: Sequence[str]) -> None:
        """Tell of a kind of things, whose ``steady`` fields seldom change."""
        self._kind = kind
        self._steady = steady
        self._told: OrderedDict[int, int] = OrderedDict()

    def event(self, view: JobView | AgentView) -> bytes:
        """Return the event that tells of a thing as it is now."""
        fields = msgspec.structs.asdict(view)
        steady = hash(msgspec.json.encode([fields[name] for name in self._steady]))
        if self._told.get(view.id) == steady:
            for name in self._steady:
                del fields[name]
        self._told[view.id] = steady
        self._told.move_to_end(view.id)
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        return _event(self._kind, fields)


class LiveStream:
    """Turns the database's notices into events for all clients."""

    def __init__(
        self,
        read_jobs: Callable[[Sequence[int]], Awaitable[Sequence[JobView]]],
        read_agents: Callable[[Sequence[int]], Awaitable[Sequence[AgentView]]],
        read_frames: Callable[[Sequence[tuple[int, int]]], Awaitable[Sequence[FrameChange]]],
    ) -> None:
        """Read what changed with these functions, which leave out what is gone; frames are named by job and number."""
        self._read_jobs = read_jobs
        self._read_agents = read_agents
        self._read_frames = read_frames
        self._told_jobs = Told("job", STEADY_OF_JOB)
        self._told_agents = Told("agent", STEADY_OF_AGENT)
        self._clients: set[Client] = set()
        self._left_at = -LINGER_SECONDS
        self._jobs: set[int] = set()
        self._agents: set[int] = set()
        self._frames: set[tuple[int, int]] = set()
        # Another coordinator, or this one after it was started again, numbers other events.
        self._epoch = secrets.token_hex(4)
        self._number = 0
        self._gap_until = 0
        """Behind a number below this one, not all that was told is kept."""
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
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

    def connect(self, since: str | None = None) -> Client:
        """Return a new client; it gets every event from now on, or from behind the one that it has had last."""
        missed = None if since is None else self._since(since)
        first = [self._hello()] if missed is None else [b"event: resumed\ndata: {}\n\n", *missed]
        client = Client(first, self._hello)
        self._clients.add(client)
        return client

    def disconnect(self, client: Client) -> None:
        """Forget a client."""
        self._clients.discard(client)
        self._left_at = asyncio.get_running_loop().time()

    def close(self) -> None:
        """Wake every client for the last time."""
        self._closed = True
        for client in self._clients:
            client.wake()

    def on_notice(self, notice: Notice) -> None:
        """Take note of a change."""
        if notice.id is None or notice.kind not in ("job", "agent", "frame"):
            return
        if not self._clients and asyncio.get_running_loop().time() > self._left_at + LINGER_SECONDS:
            self._forget()
            return
        match notice.kind:
            case "job":
                self._jobs.add(notice.id)
            case "agent":
                self._agents.add(notice.id)
            case "frame" if notice.frame is not None:
                self._frames.add((notice.id, notice.frame))
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
                self._forget()
                for client in self._clients:
                    client.add(self._hello())
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
            views = await self._read_jobs(jobs)
            events += [self._told_jobs.event(view) for view in views]
            events += [_event("job_gone", {"id": gone}) for gone in sorted(set(jobs) - {view.id for view in views})]
        if agents:
            events += [self._told_agents.event(view) for view in await self._read_agents(agents)]
        if events:
            self._send(b"".join(events))

    def _send(self, events: bytes) -> None:
        """Send what was gathered, and keep it for those who were cut off."""
        self._number += 1
        told = self._id() + events
        self._kept.append((self._number, told))
        self._kept_bytes += len(told)
        while len(self._kept) > MAX_KEPT or (self._kept_bytes > MAX_KEPT_BYTES and len(self._kept) > 1):
            self._gap_until, dropped = self._kept.popleft()
            self._kept_bytes -= len(dropped)
        for client in self._clients:
            client.add(told)

    def _since(self, last: str) -> list[bytes] | None:
        """Return what was told behind an event; None where that is not known any more, or it is another's."""
        epoch, _, digits = last.partition("-")
        if epoch != self._epoch or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
            return None
        number = int(digits)
        if not self._gap_until <= number <= self._number:
            return None
        return [told for at, told in self._kept if at > number]

    def _forget(self) -> None:
        """Something is not told to anyone: who comes later must fetch everything."""
        self._kept.clear()
        self._kept_bytes = 0
        self._number += 1
        self._gap_until = self._number

    def _hello(self) -> bytes:
        return self._id() + b"event: hello\ndata: {}\n\n"

    def _id(self) -> bytes:
        """Return the line that numbers the event in which it stands, and those that follow until the next number."""
        return f"id: {self._epoch}-{self._number}\n".encode()


def _event(name: str, data: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
