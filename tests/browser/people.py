"""Who uses a coordinator while the page is looked at: an artist who submits jobs, and agents that claim to render.

The agents speak the real protocol and deliver real pictures; only Blender is left out, so that a test decides when
each frame is finished.
"""

import hashlib
import io
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from PIL import Image, ImageDraw

from coordinator import protocol
from coordinator.protocol import (
    BlenderBuild,
    FrameFailure,
    FrameResult,
    Gpu,
    Hardware,
    LeaseGrant,
    LeaseRequest,
    RegisterRequest,
    RegisterResponse,
    ReportRequest,
    ReportResponse,
    Stage,
    StoredFile,
    Telemetry,
)

WIDTH, HEIGHT = 160, 90
BLENDER = (4, 5, 15)
TIMEOUT_SECONDS = 60.0

T = TypeVar("T")


class Refusal(Exception):
    """The coordinator refused a request."""


def call(url: str, method: str, token: str, body: bytes | None = None, content_type: str = "application/json") -> bytes:
    """Send a request and return the answer's body."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310 - the test's own URL
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - likewise
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        with error:
            raise Refusal(f"{method} {url}: {error.code} {error.read()!r}") from error


@dataclass
class Artist:
    """Submits jobs through the public API."""

    url: str
    token: str

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the public API and return its answer."""
        content = None if body is None else json.dumps(body).encode()
        answer = call(f"{self.url}/api/v1/{path}", method, self.token, content)
        return json.loads(answer) if answer else None

    def submit(self, name: str, frames: str = "1-4", **changes: object) -> int:
        """Submit a job of a scene that no one will open; return its id."""
        scene = b"BLENDER-v405 not really"
        sha256 = hashlib.sha256(scene).hexdigest()
        blob = {"sha256": sha256, "size": len(scene)}
        manifest = {"main": "scene.blend", "files": [{"path": "scene.blend", "size": len(scene), "blobs": [blob]}]}
        pack = self.api("POST", "packs", manifest)
        if pack["missing"]:
            call(f"{self.url}/api/v1/blobs/{sha256}", "PUT", self.token, scene, "application/octet-stream")
        request = {
            "name": name,
            "pack": pack["id"],
            "frames": frames,
            "blender": [4, 5],
            "render": {"scene": "Scene", "engine": "CYCLES", "samples": 64},
            "output": {"format": "PNG", "width": WIDTH, "height": HEIGHT, "fps": 24.0},
        }
        job: dict[str, int] = self.api("POST", "jobs", request | changes)
        return job["id"]


@dataclass
class PretendAgent:
    """An agent with one slot that finishes a frame when it is told to."""

    url: str
    join_token: str
    name: str
    token: str = ""
    grant: LeaseGrant | None = None
    gpu: str = "RTX 4090"

    def register(self) -> None:
        """Join the farm."""
        hardware = Hardware(
            hostname=self.name,
            os="Debian GNU/Linux 12",
            cpu="Ryzen 9 7950X",
            cpu_count=32,
            memory_bytes=64 * 1024**3,
            gpus=[Gpu(name=self.gpu, memory_bytes=24 * 1024**3)],
        )
        request = RegisterRequest(
            protocol=protocol.PROTOCOL_VERSION,
            name=self.name,
            software_version="0.1.0",
            slots=1,
            hardware=hardware,
            blenders=[BlenderBuild(version=BLENDER, kind="bpy")],
            tags=["studio"],
        )
        self.token = self.join_token
        self.token = self._say("POST", "register", request, RegisterResponse).token

    def take_work(self) -> LeaseGrant:
        """Ask for a chunk until there is one."""
        self.grant = self._say("POST", "leases", LeaseRequest(slot=0, blender=BLENDER), LeaseGrant)
        return self.grant

    def report(self, frame: int, progress: float, telemetry: Telemetry | None = None) -> None:
        """Say how far a frame is, and how the machine is."""
        report = ReportRequest(
            stage=Stage.RENDERING, frame=frame, progress=progress, remaining_seconds=90.0, telemetry=telemetry
        )
        self._say("POST", f"leases/{self._lease_id}/report", report, ReportResponse)

    def fail(self, frame: int, message: str) -> None:
        """Say that a frame could not be rendered."""
        failure = FrameFailure(frame=frame, code="render_failed", message=message)
        report = ReportRequest(stage=Stage.RENDERING, frame=frame, failures=[failure])
        self._say("POST", f"leases/{self._lease_id}/report", report, ReportResponse)

    def finish(
        self, frame: int, disc: int | None = None, image: Image.Image | None = None, seconds: float = 1.5
    ) -> None:
        """Deliver a picture; ``disc`` has another one than the frame's usual, and ``image`` is one of one's own."""
        shown = picture(frame if disc is None else disc) if image is None else image
        self.deliver(frame, encoded(shown, "PNG"), encoded(shown, "JPEG"), seconds=seconds)

    def deliver(self, frame: int, output: bytes, preview: bytes, log: str = "", seconds: float = 1.5) -> None:
        """Deliver these files, and what Blender said."""
        result = FrameResult(
            output=self._upload(output),
            preview=self._upload(preview),
            seconds=seconds,
            peak_memory_bytes=300 * 1024**2,
            blender=BLENDER,
            log=log,
        )
        self._send("PUT", f"leases/{self._lease_id}/frames/{frame}", protocol.encode(result), protocol.CONTENT_TYPE)

    def leave(self) -> None:
        """Hand everything back and leave the farm."""
        self._send("POST", "leave", b"", protocol.CONTENT_TYPE)

    def render_all(self, count: int) -> None:
        """Take chunks and deliver their frames until ``count`` were delivered."""
        while count > 0:
            for frame in self.take_work().frames:
                self.finish(frame)
                count -= 1

    @property
    def _lease_id(self) -> str:
        assert self.grant is not None
        return self.grant.lease_id

    def _upload(self, content: bytes) -> StoredFile:
        sha256 = hashlib.sha256(content).hexdigest()
        self._send("PUT", f"leases/{self._lease_id}/blobs/{sha256}", content, "application/octet-stream")
        return StoredFile(sha256=sha256, size=len(content))

    def _say(self, method: str, path: str, message: msgspec.Struct, answer: type[T]) -> T:
        return protocol.decode(self._send(method, path, protocol.encode(message), protocol.CONTENT_TYPE), answer)

    def _send(self, method: str, path: str, body: bytes, content_type: str) -> bytes:
        return call(f"{self.url}/agent/v1/{path}", method, self.token, body, content_type)


def picture(frame: int) -> Image.Image:
    """Return a picture that tells its frame apart: a disc that moves to the right."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (30, 36, 52))
    x = 20 + frame * 7 % (WIDTH - 40)
    ImageDraw.Draw(image).ellipse((x - 14, HEIGHT / 2 - 14, x + 14, HEIGHT / 2 + 14), fill=(244, 150, 84))
    return image


def encoded(image: Image.Image, kind: str) -> bytes:
    """Return a picture as a file."""
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()
