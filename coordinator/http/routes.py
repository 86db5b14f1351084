"""The whole URL map: what can be called, by whom, and who answers."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from coordinator.domain.tokens import TokenKind
from coordinator.http import (
    agent_api,
    agent_files,
    agent_inspections,
    agents,
    blobs,
    connecting,
    downloads,
    events,
    extension,
    farm,
    frames,
    health,
    inspections,
    jobs,
    join_codes,
    metrics,
    notifications,
    packs,
    page,
    sessions,
    storage,
    tokens,
    users,
    video,
)
from coordinator.http.auth import ADMIN, AGENT, JOIN, PUBLIC, authenticate
from coordinator.http.endpoint import Shape, respond
from coordinator.http.envelope import Handler
from coordinator.protocol.codec import MAX_MESSAGE_BYTES

API_PREFIX = "/api/v1/"

_MESSAGE_BYTES = 1024 * 1024

_BINARY = "application/octet-stream"

_JOB = "/api/v1/jobs/{job_id:[0-9]{1,18}}"
_FRAME = _JOB + "/frames/{frame:-?[0-9]{1,7}}"
_AGENT = "/api/v1/agents/{agent_id:[0-9]{1,18}}"
_CONNECT = "/api/v1/connect-requests/{request_id:[0-9]{1,18}}"
_SHA256 = "{sha256:[0-9a-f]{64}}"
_PACK = "/api/v1/packs/" + _SHA256
_INSPECTION = "/agent/v1/inspections/{claim:[0-9a-f]{16}}"
_LEASE = "/agent/v1/leases/{lease_id:[0-9a-f]{16}}"


@dataclass(frozen=True)
class Route:
    """One call."""

    method: str
    path: str
    handler: Callable[..., Awaitable[object]]
    """Typed as :mod:`coordinator.http.endpoint` describes."""
    access: frozenset[TokenKind]
    """Whose tokens may; ``PUBLIC`` needs none."""
    statuses: tuple[int, ...] = (200,)
    """Of its successes."""
    media: tuple[str, ...] | None = None
    """Content types of an answer that is no message."""
    upload: bool = False
    """Its body is a file."""
    max_body: int = _MESSAGE_BYTES
    """The longest message it takes, in bytes."""


ROUTES: Sequence[Route] = (
    Route("GET", "/api/v1/health", health.show, PUBLIC),
    Route("GET", "/api/openapi.json", health.openapi, ADMIN, media=("application/json",)),
    Route("GET", "/metrics", metrics.show, ADMIN, media=("text/plain",)),
    # Signing in needs no token in the header: it is in the body.
    Route("POST", "/api/v1/session", sessions.sign_in, PUBLIC),
    Route("GET", "/api/v1/session", sessions.show, ADMIN),
    Route("DELETE", "/api/v1/session", sessions.sign_out, ADMIN, statuses=(204,)),
    Route("POST", "/api/v1/packs", packs.create, ADMIN, max_body=MAX_MESSAGE_BYTES),
    Route("GET", _PACK, packs.show, ADMIN),
    Route("POST", _PACK + "/inspection", inspections.ask, ADMIN),
    Route("GET", _PACK + "/inspection", inspections.show, ADMIN),
    Route("POST", "/api/v1/missing-blobs", blobs.missing, ADMIN),
    Route("POST", "/api/v1/blobs", blobs.put_batch, ADMIN, upload=True),
    Route("HEAD", "/api/v1/blobs/" + _SHA256, blobs.probe, ADMIN),
    Route("PUT", "/api/v1/blobs/" + _SHA256, blobs.put, ADMIN, statuses=(200, 201), upload=True),
    Route("POST", "/api/v1/jobs", jobs.create, ADMIN, statuses=(201,)),
    Route("GET", "/api/v1/jobs", jobs.index, ADMIN),
    Route("GET", _JOB, jobs.show, ADMIN),
    Route("PATCH", _JOB, jobs.change, ADMIN),
    Route("DELETE", _JOB, storage.delete_job, ADMIN),
    Route("GET", _JOB + "/storage", storage.show_job, ADMIN),
    Route("DELETE", _JOB + "/files", storage.delete_files, ADMIN),
    Route("GET", "/api/v1/storage", storage.show, ADMIN),
    Route("POST", "/api/v1/storage/sweep", storage.sweep, ADMIN),
    Route("POST", _JOB + "/pause", jobs.pause, ADMIN),
    Route("POST", _JOB + "/resume", jobs.resume, ADMIN),
    Route("POST", _JOB + "/cancel", jobs.cancel, ADMIN),
    Route("POST", _JOB + "/requeue", jobs.requeue, ADMIN),
    Route("POST", _JOB + "/rerender", jobs.rerender, ADMIN, statuses=(201,)),
    Route("GET", _JOB + "/events", jobs.history, ADMIN),
    Route("GET", _JOB + "/pack", jobs.pack, ADMIN),
    Route("GET", _JOB + "/cost", jobs.cost, ADMIN),
    Route("GET", _JOB + "/log", downloads.log, ADMIN, media=("text/plain",)),
    Route("GET", _JOB + "/frame-map", frames.overview, ADMIN),
    Route("GET", _JOB + "/frames.zip", downloads.archive, ADMIN, media=("application/zip",)),
    Route("GET", _JOB + "/frames", frames.index, ADMIN),
    Route("GET", _FRAME, frames.show, ADMIN),
    Route("GET", _FRAME + "/output", frames.output, ADMIN, media=("image/png", "image/jpeg", "image/x-exr")),
    Route("GET", _FRAME + "/preview", frames.preview, ADMIN, media=("image/jpeg",)),
    Route("GET", _FRAME + "/thumbnail", frames.thumbnail, ADMIN, media=("image/webp",)),
    Route("GET", _FRAME + "/display", frames.display, ADMIN, media=("image/png",)),
    Route("GET", _FRAME + "/layers", frames.layers, ADMIN),
    Route("GET", _FRAME + "/layer", frames.layer, ADMIN, media=("image/jpeg",)),
    Route("GET", _FRAME + "/files", frames.files, ADMIN),
    Route("GET", _FRAME + "/files/{file_path:.{1,500}}", frames.file, ADMIN, media=("application/octet-stream",)),
    Route("GET", _JOB + "/video", video.show, ADMIN, statuses=(200, 206), media=("video/mp4",)),
    Route("GET", "/api/v1/agents", agents.index, ADMIN),
    Route("GET", "/api/v1/agents/loads", agents.loads, ADMIN),
    Route("PATCH", _AGENT, agents.change, ADMIN),
    Route("POST", _AGENT + "/set-aside", agents.set_aside, ADMIN),
    Route("POST", _AGENT + "/reinstate", agents.reinstate, ADMIN),
    Route("POST", _AGENT + "/drain", agents.drain, ADMIN),
    Route("POST", _AGENT + "/resume", agents.resume, ADMIN),
    Route("POST", _AGENT + "/stop", agents.stop, ADMIN),
    Route("DELETE", _AGENT + "/credential", agents.bar, ADMIN, statuses=(204,)),
    Route("DELETE", _AGENT, agents.remove, ADMIN, statuses=(204,)),
    Route("GET", "/api/v1/farm", farm.show, ADMIN),
    Route("GET", "/api/v1/farm/samples", farm.samples, ADMIN),
    Route("GET", "/api/v1/notifications", notifications.show, ADMIN),
    Route("POST", "/api/v1/notifications/test", notifications.test, ADMIN),
    Route("GET", "/api/v1/users", users.index, ADMIN),
    Route("PATCH", "/api/v1/users/{name:.{1,200}}", users.change, ADMIN),
    Route("GET", "/api/v1/tokens", tokens.index, ADMIN),
    Route("POST", "/api/v1/tokens", tokens.create, ADMIN, statuses=(201,)),
    Route("DELETE", "/api/v1/tokens/{token_id:[0-9]{1,18}}", tokens.revoke, ADMIN, statuses=(204,)),
    Route("POST", "/api/v1/join-codes", join_codes.create, ADMIN, statuses=(201,)),
    Route("GET", "/api/v1/join-codes/{code_id:[0-9]{1,18}}", join_codes.show, ADMIN),
    # Public, for who asks has no token yet: few at a time, and a person must approve each.
    Route("POST", "/api/v1/connect-requests", connecting.start, PUBLIC, statuses=(201,)),
    Route("GET", "/api/v1/connect-requests/by-token/" + _SHA256, connecting.state, PUBLIC),
    Route("GET", _CONNECT, connecting.show, ADMIN),
    Route("POST", _CONNECT + "/approve", connecting.approve, ADMIN),
    Route("POST", _CONNECT + "/refuse", connecting.refuse, ADMIN),
    Route("GET", "/api/v1/events", events.stream, ADMIN, media=("text/event-stream",)),
    Route("GET", "/agent/v1/hello", agent_api.hello, JOIN),
    Route("POST", "/agent/v1/register", agent_api.register, JOIN),
    Route("POST", "/agent/v1/leases", agent_api.lease, AGENT, statuses=(200, 204)),
    Route("POST", _LEASE + "/report", agent_api.report, AGENT),
    Route("PUT", _LEASE + "/blobs/" + _SHA256, agent_files.put, AGENT, statuses=(200, 201), upload=True),
    Route("PUT", _LEASE + "/frames/{frame:-?[0-9]{1,7}}", agent_api.frame, AGENT, statuses=(200, 201)),
    Route("PUT", _LEASE + "/frames/{frame:-?[0-9]{1,7}}/parcel", agent_api.parcel, AGENT, (200, 201), upload=True),
    Route("PUT", _LEASE + "/sound", agent_api.sound_file, AGENT),
    Route("POST", "/agent/v1/inspections", agent_inspections.take, AGENT, statuses=(200, 204)),
    Route("POST", _INSPECTION + "/report", agent_inspections.report, AGENT, statuses=(204,)),
    Route("PUT", _INSPECTION, agent_inspections.finish, AGENT, statuses=(204,)),
    Route("GET", "/agent/v1/packs/" + _SHA256, agent_files.pack, AGENT),
    Route("POST", "/agent/v1/packs/" + _SHA256 + "/blobs", agent_files.get_many, AGENT, media=(_BINARY,)),
    Route("GET", "/agent/v1/blobs/" + _SHA256, agent_files.get, AGENT, statuses=(200, 206)),
    Route("POST", "/agent/v1/leave", agent_api.leave, AGENT, statuses=(204,)),
    # For whoever sets Blender up, which needs no token yet.
    Route("GET", "/extension/index.json", extension.listing, PUBLIC, media=("application/json",)),
    Route("GET", "/extension/{filename:[a-z0-9.-]{1,80}[.]zip}", extension.archive, PUBLIC, media=("application/zip",)),
    # Last, for it takes every other address.
    Route("GET", "/{path:.*}", page.show, PUBLIC, media=("text/html",)),
)


def add_routes(router: web.UrlDispatcher, routes: Sequence[Route] = ROUTES) -> None:
    """Serve the routes.  There is no other way in, so each has its tokens checked."""
    for route in routes:
        handler = _bind(route)
        router.add_route(route.method, route.path, handler)
        if route.method == "GET" and route.handler is not events.stream:
            router.add_route("HEAD", route.path, handler)


def _bind(route: Route) -> Handler:
    shape = Shape.of(route.handler)

    async def handle(request: web.Request) -> web.StreamResponse:
        arguments: dict[str, object] = {}
        if route.access != PUBLIC:
            caller = await authenticate(request, route.access)
            if shape.caller:
                arguments["caller"] = caller
        arguments |= await shape.arguments(request, route.max_body)
        return respond(request, await route.handler(request, **arguments))

    return handle
