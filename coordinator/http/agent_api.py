"""The agent protocol: join, ask for work, report, deliver, leave."""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from coordinator.domain.board import SlotOffer
from coordinator.domain.model import Blank
from coordinator.domain.verification import Look
from coordinator.http.endpoint import Answer, read_limited
from coordinator.http.files import announced_length
from coordinator.keys import DATABASE, SETTINGS, STORE, TIMING, VERIFIER, VERSION, WORK
from coordinator.protocol import (
    PROTOCOL_VERSION,
    DecodeError,
    ErrorCode,
    FrameAnswer,
    FrameResult,
    LeaseGrant,
    LeaseRequest,
    RegisterRequest,
    RegisterResponse,
    ReportRequest,
    ReportResponse,
    SoundResult,
    StoredFile,
    Welcome,
)
from coordinator.protocol.parcel import MAX_PARCEL_BYTES, open_parcel
from coordinator.protocol.pictures import BadPicture, Picture, Wanted
from coordinator.services import agents, assets, frames, leases, sound
from coordinator.services.accounts import Principal
from coordinator.services.errors import Refused
from coordinator.store import BlobMissing


async def hello(request: web.Request, caller: Principal) -> Welcome:
    """Say who is here, and that the token is good; nothing changes by it."""
    return Welcome(protocol=PROTOCOL_VERSION, software_version=request.app[VERSION], token=caller.kind.value)


async def register(request: web.Request, caller: Principal, body: RegisterRequest) -> RegisterResponse:
    """Admit an agent."""
    if request.app[SETTINGS].require_sandbox:
        agents.check_sandboxed(body)
    return await request.app[DATABASE].write(agents.register, caller, body, request.app[TIMING])


async def leave(request: web.Request, caller: Principal) -> None:
    """Let an agent go; its frames are pending again."""
    await request.app[DATABASE].write(agents.leave, agent_of(caller))


async def lease(request: web.Request, caller: Principal, body: LeaseRequest) -> LeaseGrant | None:
    """Give a slot work; wait for some when there is none."""
    database, timing, agent_id = request.app[DATABASE], request.app[TIMING], agent_of(caller)

    async def look() -> LeaseGrant | SlotOffer | None:
        return await database.write(leases.lease_or_offer, agent_id, body, timing)

    def is_gone() -> bool:
        return request.transport is None or request.transport.is_closing()

    return await request.app[WORK].find(agent_id, look, is_gone, min(body.wait_seconds, timing.poll_seconds))


async def report(request: web.Request, caller: Principal, lease_id: str, body: ReportRequest) -> ReportResponse:
    """Take note of where a slot is, and tell how far it shall go on."""
    return await request.app[DATABASE].write(leases.report, agent_of(caller), lease_id, body, request.app[TIMING])


async def frame(
    request: web.Request, caller: Principal, lease_id: str, frame: int, body: FrameResult
) -> Answer[FrameAnswer]:
    """Record a frame, and tell how far the slot shall go on: 201, or 200 when these very files were recorded before."""
    return await _take_in(request, caller, lease_id, frame, body)


async def parcel(request: web.Request, caller: Principal, lease_id: str, frame: int) -> Answer[FrameAnswer]:
    """Record a frame that comes together with its files; as :func:`frame`."""
    body = await read_limited(request, announced_length(request, MAX_PARCEL_BYTES))
    try:
        result, files = open_parcel(body)
    except DecodeError as error:
        raise Refused(ErrorCode.BAD_REQUEST, f"The body is no frame with its files: {error}.") from error
    return await _take_in(request, caller, lease_id, frame, result, files)


async def _take_in(
    request: web.Request,
    caller: Principal,
    lease_id: str,
    frame: int,
    body: FrameResult,
    files: Mapping[str, bytes] | None = None,
) -> Answer[FrameAnswer]:
    """Check a frame and record it; ``files`` are its files, by digest, if they are not in the store yet."""
    database, timing, agent_id = request.app[DATABASE], request.app[TIMING], agent_of(caller)
    expected = await database.read(frames.expect_frame, agent_id, lease_id, frame, body, carried=files is not None)
    if expected.recorded:
        return Answer(FrameAnswer(last_frame=expected.last_frame))
    if files is not None:
        store = request.app[STORE]
        await store.put_many([(sha256, [data]) for sha256, data in files.items()])
        await database.write(assets.record_blobs, [(sha256, len(data)) for sha256, data in files.items()], store.holds)
    size = (expected.width, expected.height) if expected.width and expected.height else None
    try:
        picture = await request.app[VERIFIER].check(
            await _file(request, body.output),
            await _file(request, body.preview) if body.preview is not None else None,
            await _file(request, body.display) if body.display is not None else None,
            Wanted(expected.format, size, expected.color_mode, expected.color_depth),
        )
    except BadPicture as error:
        await database.write(frames.record_bad_frame, agent_id, lease_id, frame, str(error), timing)
        raise Refused(ErrorCode.BAD_FRAME, str(error)) from error
    outcome = await database.write(
        frames.record_frame, agent_id, lease_id, frame, body, picture.width, picture.height, timing, _look(picture)
    )
    if outcome.status == "bad":
        raise Refused(ErrorCode.BAD_FRAME, outcome.reason or "")
    return Answer(FrameAnswer(last_frame=outcome.last_frame), status=201 if outcome.status == "recorded" else 200)


async def sound_file(request: web.Request, caller: Principal, lease_id: str, body: SoundResult) -> web.Response:
    """Record a job's sound, or why there is none."""
    await request.app[DATABASE].write(sound.record_sound, agent_of(caller), lease_id, body, request.app[TIMING])
    return web.Response(status=200)


def agent_of(caller: Principal) -> int:
    """Return the agent that an agent's token stands for."""
    if caller.agent_id is None:
        raise Refused(ErrorCode.FORBIDDEN, "This token belongs to no agent.")
    return caller.agent_id


def _look(picture: Picture) -> Look:
    return Look(blank=None if picture.blank is None else Blank(picture.blank), nan_pixels=picture.nan_pixels)


async def _file(request: web.Request, file: StoredFile) -> Path:
    """Return an uploaded file; one that the store lost is asked for again."""
    try:
        return await request.app[STORE].fetch(file.sha256)
    except BlobMissing as error:
        raise Refused(ErrorCode.MISSING_BLOBS, str(error), {"missing": [file.sha256]}) from error
