"""An agent without Blender: speaks the agent protocol and hands in pictures made on the spot.

For faults that a real agent does not make, and for many agents at once.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, TypeVar

import aiohttp
import msgspec
import numpy as np
from multidict import CIMultiDictProxy
from PIL import Image

from coordinator import protocol
from coordinator.protocol import (
    PROTOCOL_VERSION,
    BlenderBuild,
    ErrorBody,
    ErrorEnvelope,
    FrameAnswer,
    FrameResult,
    Hardware,
    LeaseGrant,
    LeaseRequest,
    RegisterRequest,
    RegisterResponse,
    ReportRequest,
    ReportResponse,
    SoundResult,
    Stage,
    StoredFile,
)

WIDTH, HEIGHT = 64, 36
BLENDER = (4, 5, 15)

T = TypeVar("T", bound=msgspec.Struct)


def picture(frame: int, kind: str = "PNG", size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """Return a picture file whose grey tells the frame."""
    data = np.full((size[1], size[0], 3), (frame * 10) % 256, np.uint8)
    file = io.BytesIO()
    Image.fromarray(data).save(file, kind)
    return file.getvalue()


@dataclass(frozen=True)
class Reply:
    """An answer, read completely."""

    status: int
    headers: CIMultiDictProxy[str]
    cookies: SimpleCookie
    data: bytes

    @classmethod
    async def of(cls, response: aiohttp.ClientResponse) -> "Reply":
        """Read a response."""
        return cls(response.status, response.headers, response.cookies, await response.read())

    @property
    def json(self) -> Any:
        """The message of the public API."""
        return json.loads(self.data)

    @property
    def error(self) -> ErrorBody:
        """The error of the agent protocol."""
        return protocol.decode(self.data, ErrorEnvelope).error

    @property
    def code(self) -> str:
        """Its code."""
        return self.error.code


class FakeAgent:
    """One agent with one slot."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, name: str = "fake") -> None:
        """Join the coordinator at ``url`` with a join token."""
        self.session = session
        self.url = url + "agent/v1/"
        self.token = token
        self.name = name

    async def call(self, method: str, path: str, body: msgspec.Struct | bytes | None = None) -> Reply:
        """Make a call."""
        headers = {"Authorization": f"Bearer {self.token}"}
        data = protocol.encode(body) if isinstance(body, msgspec.Struct) else body
        if isinstance(body, msgspec.Struct):
            headers["Content-Type"] = protocol.CONTENT_TYPE
        async with self.session.request(method, self.url + path, data=data, headers=headers) as response:
            return await Reply.of(response)

    async def ask(self, method: str, path: str, body: msgspec.Struct | None, kind: type[T]) -> T:
        """Make a call that must succeed and return its message."""
        response = await self.call(method, path, body)
        assert response.status == 200, response.data
        return protocol.decode(response.data, kind)

    async def register(self, **fields: Any) -> RegisterResponse:
        """Join, and use the agent's own token from now on; ``fields`` are other ones of its message."""
        request = RegisterRequest(
            protocol=PROTOCOL_VERSION,
            name=self.name,
            software_version="0",
            slots=1,
            hardware=Hardware(hostname="fake", os="none", cpu="none", cpu_count=1, memory_bytes=1),
            blenders=[BlenderBuild(version=BLENDER, kind="bpy")],
            **fields,
        )
        answer = await self.ask("POST", "register", request, RegisterResponse)
        self.token = answer.token or self.token
        return answer

    async def lease(
        self, wait_seconds: float = 0.0, holds: list[str] | None = None, **fields: Any
    ) -> LeaseGrant | None:
        """Ask for work; ``fields`` are other ones of the message."""
        request = LeaseRequest(slot=0, blender=BLENDER, holds=holds or [], wait_seconds=wait_seconds, **fields)
        response = await self.call("POST", "leases", request)
        if response.status == 204:
            return None
        assert response.status == 200, response.data
        return protocol.decode(response.data, LeaseGrant)

    async def must_lease(self, wait_seconds: float = 0.0, holds: list[str] | None = None, **fields: Any) -> LeaseGrant:
        """Ask for work that is there."""
        grant = await self.lease(wait_seconds, holds, **fields)
        assert grant is not None
        return grant

    async def report(self, grant: LeaseGrant, **fields: Any) -> ReportResponse:
        """Report on a lease."""
        request = ReportRequest(**{"stage": Stage.RENDERING, **fields})
        return await self.ask("POST", f"leases/{grant.lease_id}/report", request, ReportResponse)

    async def upload(self, grant: LeaseGrant, data: bytes) -> StoredFile:
        """Upload a file under a lease."""
        sha256 = hashlib.sha256(data).hexdigest()
        response = await self.call("PUT", f"leases/{grant.lease_id}/blobs/{sha256}", data)
        assert response.status in (200, 201), response.data
        return StoredFile(sha256=sha256, size=len(data))

    async def result(
        self, grant: LeaseGrant, output: bytes, display: bytes | None = None, *, load_seconds: float = 0.0
    ) -> FrameResult:
        """Upload a frame's files and return what to hand in."""
        return FrameResult(
            output=await self.upload(grant, output),
            preview=await self.upload(grant, picture(0, "JPEG")),
            display=await self.upload(grant, display) if display is not None else None,
            seconds=0.5,
            load_seconds=load_seconds,
            blender=BLENDER,
        )

    async def hand_in(self, grant: LeaseGrant, frame: int, result: FrameResult) -> Reply:
        """Hand a frame in."""
        return await self.call("PUT", f"leases/{grant.lease_id}/frames/{frame}", result)

    async def send_parcel(self, grant: LeaseGrant, frame: int, parcel: bytes) -> Reply:
        """Hand a frame in together with its files."""
        return await self.call("PUT", f"leases/{grant.lease_id}/frames/{frame}/parcel", parcel)

    async def render(self, grant: LeaseGrant, frame: int) -> FrameAnswer:
        """Hand in a good PNG."""
        response = await self.hand_in(grant, frame, await self.result(grant, picture(frame)))
        assert response.status == 201, response.data
        return protocol.decode(response.data, FrameAnswer)

    async def hand_in_sound(self, grant: LeaseGrant, sound: bytes) -> Reply:
        """Upload a sound and hand it in."""
        return await self.call(
            "PUT", f"leases/{grant.lease_id}/sound", SoundResult(file=await self.upload(grant, sound))
        )

    async def render_everything(self) -> int:
        """Work until there is nothing left; return how many frames were rendered."""
        rendered = 0
        while (grant := await self.lease()) is not None:
            for frame in grant.frames:
                await self.render(grant, frame)
                rendered += 1
        return rendered
