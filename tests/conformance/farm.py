"""The use cases as tests call them: agents and jobs over a real database, and a clock that is set by hand."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from coordinator.db.engine import Database
from coordinator.domain.timing import Timing
from coordinator.domain.tokens import TokenKind
from coordinator.domain.verification import PLAIN, Look
from coordinator.protocol import (
    PROTOCOL_VERSION,
    BlenderBuild,
    BlobRef,
    FrameFailure,
    FrameResult,
    Hardware,
    ImageFormat,
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
    Stage,
    StoredFile,
)
from coordinator.services import (
    accounts,
    adjust,
    agent_control,
    agents,
    assets,
    control,
    expiry,
    frames,
    leases,
    requeue,
    sound,
    submit,
    users,
    views,
)
from coordinator.services.accounts import Principal
from coordinator.services.pack_schemas import ManifestAnswer
from coordinator.services.schemas import (
    JobChange,
    JobDetail,
    JobRequest,
    JobView,
    RequeueRequest,
    RerenderRequest,
    UserChange,
)

WIDTH, HEIGHT = 64, 36
#: Memory of the machines and graphics cards in tests.
GIB = 2**30


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def digest(text: str) -> str:
    """Return a digest that stands for a file."""
    return hashlib.sha256(text.encode()).hexdigest()


def in_store(_sha256: str) -> bool:
    """Say that a file is in the store: these tests have none."""
    return True


def stored(text: str) -> StoredFile:
    """Return a reference to a file of three bytes."""
    return StoredFile(sha256=digest(text), size=3)


def manifest(content: str = "scene") -> Manifest:
    """Return a pack of one file."""
    blob = BlobRef(sha256=digest(content), size=3)
    return Manifest(main="scene.blend", files=[ManifestFile(path="scene.blend", size=3, blobs=[blob])])


def machine(name: str = "ant", **changes: Any) -> RegisterRequest:
    """Return how an agent introduces itself: one slot that renders with the processor, and Blender 4.5."""
    request = RegisterRequest(
        protocol=PROTOCOL_VERSION,
        name=name,
        software_version="1.0",
        slots=1,
        hardware=Hardware(hostname=name, os="Linux", cpu="any", cpu_count=2, memory_bytes=16 * GIB),
        blenders=[BlenderBuild(version=(4, 5, 15), kind="bpy")],
    )
    return msgspec.structs.replace(request, **changes)


class Farm:
    """A coordinator's use cases over one database."""

    def __init__(self, database: Database, clock: SetClock) -> None:
        self.database = database
        self.clock = clock
        self.timing = Timing()

    async def blob(self, text: str) -> StoredFile:
        """Have a file in the store."""
        file = stored(text)
        await self.database.write(assets.record_blobs, [(file.sha256, file.size)], in_store)
        return file

    async def register_pack(self, manifest: Manifest) -> ManifestAnswer:
        """Announce a pack, as a client does."""
        pack = assets.check_pack(manifest)
        await self.database.write(assets.register_pack, pack)
        return await self.database.read(assets.missing_blobs, pack.id)

    async def pack(self, content: str = "scene") -> str:
        """Have a pack with all its files; return its id."""
        answer = await self.register_pack(manifest(content))
        for blob in answer.missing:
            await self.database.write(assets.record_blobs, [(blob.sha256, blob.size)], in_store)
        return answer.id

    async def token(self, kind: TokenKind = TokenKind.JOIN) -> Principal:
        """Return the owner of a new token."""
        made = await self.database.write(accounts.issue, kind, kind.value)
        return await self.database.read(accounts.authenticate, made.token)

    async def register(self, name: str = "ant", principal: Principal | None = None, **changes: Any) -> RegisterResponse:
        """Register an agent with one slot and Blender 4.5, unless told otherwise."""
        request = machine(name, **changes)
        return await self.database.write(agents.register, principal or await self.token(), request, self.timing)

    async def agent(self, name: str = "ant", **changes: Any) -> int:
        """Register an agent and return its id."""
        return (await self.register(name, **changes)).agent_id

    async def request(self, frames: str = "1-10", **changes: Any) -> JobRequest:
        """Return a request that would be accepted, for a pack that is there."""
        request = JobRequest(
            name="shot",
            pack=await self.pack(),
            frames=frames,
            blender=(4, 5),
            render=RenderSpec(scene="Scene"),
            output=OutputSpec(format=ImageFormat.PNG, width=WIDTH, height=HEIGHT),
        )
        return msgspec.structs.replace(request, **changes)

    async def submit(self, frames: str = "1-10", by: str = "ana", **changes: Any) -> JobView:
        """Submit a job."""
        return await self.database.write(submit.submit, await self.request(frames, **changes), by)

    async def lease(
        self,
        agent: int,
        slot: int = 0,
        holds: list[str] | None = None,
        blender: tuple[int, int, int] = (4, 5, 15),
        **fields: Any,
    ) -> LeaseGrant | None:
        """Ask for work."""
        request = LeaseRequest(slot=slot, blender=blender, holds=holds or [], **fields)
        return await self.database.write(leases.lease, agent, request, self.timing)

    async def must_lease(self, agent: int, slot: int = 0, holds: list[str] | None = None) -> LeaseGrant:
        """Ask for work that is there."""
        grant = await self.lease(agent, slot, holds)
        assert grant is not None
        return grant

    async def report(
        self, agent: int, grant: LeaseGrant, *, stage: Stage = Stage.RENDERING, **fields: Any
    ) -> ReportResponse:
        """Report on a lease."""
        return await self.database.write(
            leases.report, agent, grant.lease_id, ReportRequest(stage=stage, **fields), self.timing
        )

    async def fail(
        self, agent: int, grant: LeaseGrant, frame: int | None, message: str = "it broke", code: str = "render_failed"
    ) -> ReportResponse:
        """Report that a frame, or the whole job, failed."""
        return await self.report(agent, grant, failures=[FrameFailure(frame=frame, code=code, message=message)])

    async def result(self, frame: int, picture: str = "picture", **changes: Any) -> FrameResult:
        """Return a rendered frame with its files in the store."""
        result = FrameResult(
            output=await self.blob(f"{picture} {frame}"),
            preview=await self.blob(f"preview {frame}"),
            seconds=2.0,
            blender=(4, 5, 15),
        )
        return msgspec.structs.replace(result, **changes)

    async def deliver(
        self,
        agent: int,
        grant: LeaseGrant,
        frame: int,
        *,
        picture: str = "picture",
        size: tuple[int, int] = (WIDTH, HEIGHT),
        look: Look = PLAIN,
        **changes: Any,
    ) -> frames.FrameOutcome:
        """Hand in a frame in which ``look`` is seen."""
        result = await self.result(frame, picture, **changes)
        return await self.database.write(
            frames.record_frame, agent, grant.lease_id, frame, result, size[0], size[1], self.timing, look
        )

    async def deliver_all(self, agent: int, grant: LeaseGrant, **changes: Any) -> None:
        """Hand in every frame of a lease, and its sound before if it has to."""
        if grant.mix_sound:
            await self.deliver_sound(agent, grant)
        for frame in grant.frames:
            outcome = await self.deliver(agent, grant, frame, **changes)
            assert outcome.status == "recorded"

    async def deliver_sound(self, agent: int, grant: LeaseGrant, failure: str | None = None) -> None:
        """Hand in the sound, or why there is none."""
        file = await self.blob("sound") if failure is None else None
        result = SoundResult(file=file, failure=failure)
        await self.database.write(sound.record_sound, agent, grant.lease_id, result, self.timing)

    async def render_everything(self, agent: int, **changes: Any) -> None:
        """Have one slot work until there is nothing left for it."""
        while (grant := await self.lease(agent)) is not None:
            await self.deliver_all(agent, grant, **changes)

    async def job(self, job_id: int) -> JobDetail:
        """Return a job as it is."""
        return await self.database.read(views.job_detail, job_id)

    async def events(self, job_id: int) -> list[str]:
        """Return the kinds of a job's events."""
        page = await self.database.read(views.list_events, job_id, 1000, None)
        return [event.kind for event in page.items]

    async def pause(self, job_id: int) -> JobView:
        """Pause a job."""
        return await self.database.write(control.pause, job_id, "ana")

    async def resume(self, job_id: int) -> JobView:
        """Resume a job."""
        return await self.database.write(control.resume, job_id, "ana")

    async def cancel(self, job_id: int) -> JobView:
        """Cancel a job."""
        return await self.database.write(control.cancel, job_id, "ana")

    async def adjust(self, job_id: int, **changes: Any) -> JobView:
        """Change a job while it goes on."""
        return await self.database.write(adjust.adjust, job_id, JobChange(**changes), "ana")

    async def rerender(self, job_id: int, **changes: Any) -> JobView:
        """Render a job's pack again, differently."""
        return await self.database.write(submit.rerender, job_id, RerenderRequest(**changes), "ana")

    async def requeue(self, job_id: int, frames: str | None = None) -> JobView:
        """Have frames rendered again, all failed ones by default."""
        return await self.database.write(requeue.requeue, job_id, RequeueRequest(frames=frames), "ana")

    async def limit(self, user: str, max_slots: int | None) -> None:
        """Limit how many slots work for a user."""
        await self.database.write(users.change, user, UserChange(max_slots=max_slots))

    async def leave(self, agent: int) -> None:
        """Let an agent go."""
        await self.database.write(agents.leave, agent)

    async def reinstate(self, agent: int) -> None:
        """Let an agent that was set aside work again."""
        await self.database.write(agent_control.reinstate, agent, "ana")

    async def reap(self) -> int:
        """End what time has ended."""
        return await self.database.write(expiry.reap, self.timing)

    async def expire(self) -> int:
        """Let every live lease run out."""
        self.clock.advance(self.timing.lease_seconds)
        return await self.reap()
