"""A thousand slots as a coordinator sees them: connections that ask for work and hand it in, and render nothing.

HTTP/1.1 is spoken here by hand, over kept connections: a client library would cost as much as what is measured.
"""

import asyncio
import hashlib
import json
import re
import statistics
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from coordinator import protocol
from coordinator.protocol import (
    PROTOCOL_VERSION,
    BlenderBuild,
    FrameResult,
    Hardware,
    LeaseGrant,
    LeaseRequest,
    RegisterRequest,
    RegisterResponse,
    ReportRequest,
    Stage,
    StoredFile,
)
from tests.fakes.fake_agent import BLENDER, HEIGHT, WIDTH, picture

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Connection:
    """One connection that is kept, and the token and content type of what is sent over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: str) -> None:
        self._reader = reader
        self._writer = writer
        self._headers = headers

    @classmethod
    async def open(cls, url: str, token: str, content_type: str) -> Self:
        """Connect."""
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        headers = f"Host: {address.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: {content_type}\r\n"
        return cls(reader, writer, headers)

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Make a call; return the status and the body of its answer."""
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        return int(answer[9:12]), await self._reader.readexactly(int(length[1]) if length else 0)

    async def must(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Make a call that must succeed; return the body of its answer."""
        status, answer = await self.call(method, path, body)
        assert status < 300, (method, path, status, answer)
        return answer

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


@dataclass(eq=False)
class Slot:
    """A slot of an agent, with a connection of its own and the leases it holds."""

    connection: Connection
    number: int
    result: FrameResult
    """What it hands any frame in with."""
    held: list[LeaseGrant] = field(default_factory=list)

    async def ask(self, wait_seconds: float = 0.0) -> bool:
        """Ask for work; tell whether there was any."""
        holds = [grant.lease_id for grant in self.held]
        request = LeaseRequest(slot=self.number, blender=BLENDER, holds=holds, wait_seconds=wait_seconds)
        answer = await self.connection.must("POST", "/agent/v1/leases", protocol.encode(request))
        if answer:
            self.held.append(protocol.decode(answer, LeaseGrant))
        return bool(answer)

    async def lease(self) -> None:
        """Ask for work that is there."""
        assert await self.ask()

    async def release(self) -> None:
        """Give a lease back."""
        request = ReportRequest(stage=Stage.FETCHING, release=True)
        path = f"/agent/v1/leases/{self.held.pop().lease_id}/report"
        await self.connection.must("POST", path, protocol.encode(request))

    async def hand_in(self) -> None:
        """Hand in the only frame of a lease."""
        grant = self.held.pop()
        (frame,) = grant.frames
        path = f"/agent/v1/leases/{grant.lease_id}/frames/{frame}"
        await self.connection.must("PUT", path, protocol.encode(self.result))


@dataclass
class Tally:
    """Requests of one kind."""

    latencies: list[float] = field(default_factory=list)
    """In seconds."""
    seconds: float = 0.0
    """How long they took together."""
    cpu_seconds: float = 0.0
    """The coordinator's."""

    @property
    def cpu_each(self) -> float:
        """The coordinator's CPU seconds for each."""
        return self.cpu_seconds / len(self.latencies)

    def summary(self) -> dict[str, float]:
        """Return what to print."""
        centiles = statistics.quantiles(self.latencies, n=100)
        return {
            "per_second": round(len(self.latencies) / self.seconds),
            "milliseconds_median": round(centiles[49] * 1000, 1),
            "milliseconds_p99": round(centiles[98] * 1000, 1),
            "coordinator_cpu_milliseconds": round(self.cpu_each * 1000, 3),
        }


class Load:
    """Agents with slots, and users who submit."""

    def __init__(self, users: list[Connection], slots: list[Slot], pack: str) -> None:
        self.slots = slots
        self._users = users
        self._pack = pack

    @classmethod
    async def join(cls, url: str, admin_token: str, join_token: str, *, users: int, agents: int, slots: int) -> Self:
        """Make so many users, and have so many agents join the coordinator at ``url``, each with so many slots."""
        admin = await Connection.open(url, admin_token, "application/json")
        tokens = [json.loads(await admin.must("POST", "/api/v1/tokens", _token_request(user))) for user in range(users)]
        pack = await _pack(admin)
        output, preview = [await _upload(admin, data) for data in (picture(1), picture(1, "JPEG"))]
        # Half a minute a frame: leases stay short, which is the harder case.
        result = FrameResult(output=output, preview=preview, seconds=30.0, blender=BLENDER)
        joined = [slot for number in range(agents) for slot in await _agent(url, join_token, number, slots, result)]
        await admin.close()
        users_of = [await Connection.open(url, token["token"], "application/json") for token in tokens]
        return cls(users_of, joined, pack)

    async def submit(self, frames: str, user: int = 0, **changes: Any) -> int:
        """Submit a job for one of the users; return its id."""
        request = {
            "name": "load",
            "pack": self._pack,
            "frames": frames,
            "blender": BLENDER[:2],
            "video": False,
            "render": {"scene": "Scene"},
            "output": {"format": "PNG", "width": WIDTH, "height": HEIGHT},
            **changes,
        }
        answer = await self._users[user].must("POST", "/api/v1/jobs", json.dumps(request).encode())
        return int(json.loads(answer)["id"])

    async def cancel(self, job_id: int) -> None:
        """Cancel a job."""
        await self._users[0].must("POST", f"/api/v1/jobs/{job_id}/cancel")

    async def waiting(self, count: int) -> None:
        """Return when so many requests for work wait."""
        line = re.compile(rb"^renderfarm_waiting_slots (\d+)$", re.MULTILINE)
        while True:
            found = line.search(await self._users[0].must("GET", "/metrics"))
            assert found
            if int(found[1]) == count:
                return
            await asyncio.sleep(0.01)

    async def leave(self) -> None:
        """Hang up everywhere."""
        for connection in (*self._users, *(slot.connection for slot in self.slots)):
            await connection.close()


def _token_request(user: int) -> bytes:
    return json.dumps({"kind": "admin", "name": f"user-{user}"}).encode()


async def _pack(admin: Connection) -> str:
    """Upload a pack of one file; return its id."""
    file = await _upload(admin, b"BLENDER-v405 as far as a coordinator is concerned")
    blob = {"sha256": file.sha256, "size": file.size}
    manifest = {"main": "scene.blend", "files": [{"path": "scene.blend", "size": file.size, "blobs": [blob]}]}
    return str(json.loads(await admin.must("POST", "/api/v1/packs", json.dumps(manifest).encode()))["id"])


async def _upload(admin: Connection, data: bytes) -> StoredFile:
    sha256 = hashlib.sha256(data).hexdigest()
    await admin.must("PUT", f"/api/v1/blobs/{sha256}", data)
    return StoredFile(sha256=sha256, size=len(data))


async def _agent(url: str, join_token: str, number: int, slots: int, result: FrameResult) -> list[Slot]:
    """Have an agent join; return its slots."""
    joining = await Connection.open(url, join_token, protocol.CONTENT_TYPE)
    request = RegisterRequest(
        protocol=PROTOCOL_VERSION,
        name=f"agent-{number}",
        software_version="1",
        slots=slots,
        hardware=Hardware(hostname="load", os="Linux", cpu="any", cpu_count=slots, memory_bytes=2**35),
        blenders=[BlenderBuild(version=BLENDER, kind="bpy")],
    )
    answer = await joining.must("POST", "/agent/v1/register", protocol.encode(request))
    await joining.close()
    token = protocol.decode(answer, RegisterResponse).token
    return [Slot(await Connection.open(url, token, protocol.CONTENT_TYPE), slot, result) for slot in range(slots)]
