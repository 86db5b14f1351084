"""A coordinator that speaks the agent protocol, hands out what a test gives it, and fails on demand.

The real one does not forget agents, damage blobs or go away when a test wants it to: this does.
"""

import asyncio
import contextlib
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from aiohttp import web

from coordinator.protocol import (
    CONTENT_TYPE,
    BlobRef,
    ErrorBody,
    ErrorEnvelope,
    FrameAnswer,
    FrameResult,
    ImageFormat,
    JobSpec,
    LeaseGrant,
    LeaseRequest,
    Manifest,
    ManifestFile,
    OutputSpec,
    RegisterRequest,
    RegisterResponse,
    RenderSpec,
    ReportRequest,
    ReportResponse,
    SoundResult,
    decode,
    encode,
    manifest_digest,
)
from coordinator.protocol.parcel import files_of, open_parcel

JOIN_TOKEN = "rf_join_test"  # noqa: S105 - opens nothing but this stand-in
AGENT_TOKEN = "rf_agent_test"  # noqa: S105 - likewise


@dataclass
class Lease:
    """A lease that was granted."""

    frames: list[int]
    reports: list[ReportRequest] = field(default_factory=list)
    released: bool = False
    lost: bool = False
    lost_frames: set[int] = field(default_factory=set)

    @property
    def last_frame(self) -> int | None:
        """The last frame that is still its own."""
        return max(set(self.frames) - self.lost_frames, default=None)


class StandIn:
    """What it holds, and what it has been told."""

    def __init__(self) -> None:
        self.url = ""
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, Manifest] = {}
        self.uploads: dict[str, bytes] = {}
        self.leases: dict[str, Lease] = {}
        self.frames: dict[tuple[str, int], FrameResult] = {}
        self.sounds: dict[str, SoundResult] = {}
        self.asked: list[LeaseRequest] = []
        self.registered: list[str] = []
        """The tokens that were registered with."""
        self.introduced: list[RegisterRequest] = []
        self.requests: list[str] = []
        self.left = False
        self.faults: dict[str, list[tuple[int, str]]] = defaultdict(list)
        """By the start of ``METHOD path``: statuses and codes to answer with, one each."""
        self._grants: list[LeaseGrant] = []
        self._changed = asyncio.Condition()

    # ── What a test does ──

    def add_pack(self, **files: bytes) -> str:
        """Take in a pack; ``scene`` is its main file, and each file is one blob.  Return its id."""
        listed = []
        for name, data in files.items():
            digest = hashlib.sha256(data).hexdigest()
            self.blobs[digest] = data
            path = f"shots/{name}.blend" if name == "scene" else f"files/{name}"
            listed.append(
                ManifestFile(path=path, size=len(data), blobs=[BlobRef(sha256=digest, size=len(data))] if data else [])
            )
        manifest = Manifest(main="shots/scene.blend", files=listed)
        pack_id = manifest_digest(manifest)
        self.manifests[pack_id] = manifest
        return pack_id

    async def offer(
        self,
        lease_id: str,
        pack_id: str,
        *frames: int,
        samples: int = 1,
        sound: tuple[int, int] | None = None,
        width: int | None = None,
        allow_scripts: bool = False,
        stop_on_missing: bool = False,
    ) -> None:
        """Have a lease for whoever asks next."""
        job = JobSpec(
            job_id=1,
            name="Shot",
            pack_id=pack_id,
            render=RenderSpec(scene="Scene", samples=samples, allow_scripts=allow_scripts),
            output=OutputSpec(format=ImageFormat.PNG, width=width, height=width and 48),
            stop_on_missing=stop_on_missing,
        )
        grant = LeaseGrant(
            lease_id=lease_id, job=job, frames=list(frames), mix_sound=sound is not None, sound_range=sound
        )
        async with self._changed:
            self._grants.append(grant)
            self._changed.notify_all()

    async def lose(self, lease_id: str) -> None:
        """Answer 409 to all that comes for a lease."""
        self.leases[lease_id].lost = True

    async def take_over(self, lease_id: str, *frames: int) -> None:
        """Have these frames of a lease rendered by someone else."""
        self.leases[lease_id].lost_frames |= set(frames)

    async def until(self, *frames: tuple[str, int]) -> None:
        """Wait until these frames are delivered."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.frames.keys() >= set(frames))

    async def until_leased(self, lease_id: str) -> None:
        """Wait until a lease was granted."""
        async with self._changed:
            await self._changed.wait_for(lambda: lease_id in self.leases)

    async def until_report(self, lease_id: str, *, rendering: bool = False, failed: bool = False) -> ReportRequest:
        """Wait for a report on a lease, of a frame being rendered or with failures, and return it."""

        def found() -> ReportRequest | None:
            reports = self.leases[lease_id].reports if lease_id in self.leases else []
            return next(
                (one for one in reports if (one.progress > 0 or not rendering) and (one.failures or not failed)), None
            )

        async with self._changed:
            report = await self._changed.wait_for(found)
        assert report is not None
        return report

    async def until_true(self, attribute: str) -> None:
        """Wait until one of its attributes is true."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(getattr(self, attribute)))

    async def until_seen(self, look: Callable[[], bool]) -> None:
        """Wait until something is true that requests bring about."""
        async with self._changed:
            await self._changed.wait_for(look)

    async def until_released(self, lease_id: str) -> None:
        """Wait until a lease was handed back."""
        async with self._changed:
            await self._changed.wait_for(lambda: lease_id in self.leases and self.leases[lease_id].released)

    # ── Requests ──

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        path = request.path.removeprefix("/agent/v1/")
        said = f"{request.method} {path}"
        self.requests.append(said)
        body = await request.read()
        fault = next(
            (self.faults[start].pop(0) for start in self.faults if said.startswith(start) and self.faults[start]), None
        )
        answer = self._fail(*fault) if fault else await self._answer(request, request.method, path.split("/"), body)
        async with self._changed:
            self._changed.notify_all()
        return answer

    async def _answer(self, request: web.Request, method: str, parts: list[str], body: bytes) -> web.StreamResponse:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        match method, *parts:
            case "POST", "register":
                return self._register(token, decode(body, RegisterRequest))
            case _ if token != AGENT_TOKEN:
                return self._fail(401, "token_wrong")
            case "POST", "leases":
                return await self._lease(decode(body, LeaseRequest))
            case "POST", "leave":
                self.left = True
                return web.Response(status=204)
            case "GET", "packs", pack_id:
                return _reply(encode(self.manifests[pack_id]))
            case "GET", "blobs", sha256:
                return self._blob(request, self.blobs[sha256])
            case _, "leases", lease_id, *rest:
                return self._of_lease(self.leases[lease_id], lease_id, rest, body)
        return self._fail(404, "not_found")

    def _register(self, token: str, request: RegisterRequest) -> web.Response:
        self.registered.append(token)
        self.introduced.append(request)
        if token not in (JOIN_TOKEN, AGENT_TOKEN):
            return self._fail(401, "token_wrong")
        given = AGENT_TOKEN if token == JOIN_TOKEN else ""
        answer = RegisterResponse(agent_id=1, token=given, lease_seconds=30, report_seconds=0.25, poll_seconds=5)
        return _reply(encode(answer))

    async def _lease(self, request: LeaseRequest) -> web.Response:
        self.asked.append(request)
        async with self._changed:
            self._changed.notify_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(request.wait_seconds):
                    await self._changed.wait_for(lambda: self._grants)
            if not self._grants:
                return web.Response(status=204)
            grant = self._grants.pop(0)
        self.leases[grant.lease_id] = Lease(list(grant.frames))
        return _reply(encode(grant))

    def _of_lease(self, lease: Lease, lease_id: str, rest: list[str], body: bytes) -> web.Response:
        if lease.lost or lease.released:
            return self._fail(409, "lease_lost")
        match rest:
            case ["report"]:
                report = decode(body, ReportRequest)
                lease.reports.append(report)
                lease.released = report.release
                return _reply(encode(ReportResponse(last_frame=lease.last_frame)))
            case ["blobs", sha256]:
                assert hashlib.sha256(body).hexdigest() == sha256
                self.uploads[sha256] = body
                return web.Response(status=201)
            case ["frames", frame, *parcel]:
                if int(frame) in lease.lost_frames:
                    return self._fail(409, "frame_lost")
                if parcel:
                    result, files = open_parcel(body)
                    assert all(hashlib.sha256(data).hexdigest() == sha256 for sha256, data in files.items())
                    self.uploads |= files
                else:
                    result = decode(body, FrameResult)
                assert all(file.sha256 in self.uploads for file in files_of(result))
                if (lease_id, int(frame)) in self.frames:
                    assert self.frames[lease_id, int(frame)] == result
                    return _reply(encode(FrameAnswer(last_frame=lease.last_frame)))
                self.frames[lease_id, int(frame)] = result
                return _reply(encode(FrameAnswer(last_frame=lease.last_frame)), 201)
            case ["sound"]:
                self.sounds[lease_id] = decode(body, SoundResult)
                return web.Response(status=200)
        return self._fail(404, "not_found")

    def _blob(self, request: web.Request, data: bytes) -> web.Response:
        start = request.http_range.start or 0
        return web.Response(status=206 if start else 200, body=data[start:])

    def _fail(self, status: int, code: str) -> web.Response:
        if code == "damaged":
            return web.Response(status=status, body=b"These are not the bytes.")
        envelope = ErrorEnvelope(error=ErrorBody(code=code, message=f"The stand-in says {code}."))
        return _reply(encode(envelope), status)


def _reply(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type=CONTENT_TYPE)


@contextlib.asynccontextmanager
async def running(stand_in: StandIn) -> AsyncIterator[StandIn]:
    """Have it answer on a port of its own."""
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", stand_in.handle)
    # A request that was given up must not take the next lease.
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stand_in.url = f"http://{host}:{port}"
    try:
        yield stand_in
    finally:
        await runner.cleanup()
