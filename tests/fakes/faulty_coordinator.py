"""The public API as far as a submission uses it, in memory, with faults on demand.

The real coordinator does not break its connections or answer nonsense when a test wants it to: this does.
"""

import hashlib
import json
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import zstandard

TOKEN = "rf_admin_test"  # noqa: S105 - opens nothing but this fake

#: What a fault does with a request instead of answering it.
Fault = Callable[["Handler"], None]


class FaultyCoordinator:
    """What the fake holds, and what it will do wrong next."""

    def __init__(self) -> None:
        self.url = ""
        self.blobs: dict[str, bytes] = {}
        self.batches: list[list[str]] = []
        """The digests in each batch that arrived."""
        self.manifests: list[dict[str, Any]] = []
        self.jobs: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        """What GET answers below ``/api/v1/``, by path, beside what is made here."""
        self.requests: list[str] = []
        """Method and path of every request, in order."""
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._lock = threading.Lock()

    def fail(self, request: str, *faults: Fault) -> None:
        """Do these things, one each, with the next requests that start with ``request`` (such as ``PUT /api``)."""
        self._faults[request] += faults

    def mend(self) -> None:
        """Do nothing wrong any more."""
        with self._lock:
            self._faults.clear()

    def next_fault(self, request: str) -> Fault | None:
        """Note a request; return what to do wrong with it."""
        with self._lock:
            self.requests.append(request)
            # The longest start that fits says best which request is meant.
            for start in sorted(self._faults, key=len, reverse=True):
                if request.startswith(start) and self._faults[start]:
                    return self._faults[start].pop(0)
        return None


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    state: FaultyCoordinator
    body = b""

    def answer(self, status: int, body: bytes | dict[str, Any], **headers: str) -> None:
        """Answer with JSON or bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def make_job(self) -> dict[str, Any]:
        """Make the job that was asked for, unless the same submission has made it, and return it."""
        asked = json.loads(self.body)
        for job in self.state.jobs:
            if asked.get("submission") is not None and job["submission"] == asked["submission"]:
                return job
        self.state.jobs.append({"id": len(self.state.jobs) + 1, "state": "queued", "warnings": [], **asked})
        return self.state.jobs[-1]

    def refuse(self, status: int, code: str, message: str, **fields: Any) -> None:
        """Answer with the error envelope."""
        self.answer(status, {"error": {"code": code, "message": message, "fields": fields}})

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        fault = self.state.next_fault(f"{self.command} {self.path}")
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        if len(self.body) < length:
            self.close_connection = True  # The other side has given up.
        elif fault is not None:
            fault(self)
        elif self.path == "/api/v1/health":
            self.answer(200, {"status": "ok", "version": "0", "database": "sqlite"})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.refuse(401, "token_wrong", "there is no such admin token")
        else:
            self.carry_out()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - http.server's names

    def carry_out(self) -> None:
        """Answer as a coordinator does."""
        state, path = self.state, self.path.removeprefix("/api/v1/")
        if path == "session":
            self.answer(200, {"kind": "admin", "name": "test"})
        elif path == "notifications":
            self.answer(200, {"email": False, "webhooks": 0})
        elif path.partition("?")[0] in ("users", "agents") and path not in state.files:
            self.answer(200, {"items": [], "next": None})
        elif path == "packs":
            manifest = json.loads(self.body)
            state.manifests.append(manifest)
            missing = {
                blob["sha256"]: blob
                for file in manifest["files"]
                for blob in file["blobs"]
                if blob["sha256"] not in state.blobs
            }
            self.answer(200, {"id": hashlib.sha256(self.body).hexdigest(), "missing": list(missing.values())})
        elif path == "missing-blobs":
            asked = json.loads(self.body)["sha256"]
            self.answer(200, {"missing": [sha256 for sha256 in asked if sha256 not in state.blobs]})
        elif path == "blobs":
            batch = dict(read_batch(self.body))
            state.batches.append(list(batch))
            if any(hashlib.sha256(data).hexdigest() != sha256 for sha256, data in batch.items()):
                self.refuse(422, "digest_mismatch", "these are other bytes")
            else:
                state.blobs.update(batch)
                self.answer(200, {"blobs": len(batch)})
        elif path == "jobs" and self.command == "POST":
            self.answer(201, self.make_job())
        elif path in state.files:
            self.answer(200, state.files[path], ETag=f'"{hashlib.sha256(state.files[path]).hexdigest()}"')
        else:
            self.refuse(404, "not_found", f"there is no {path}")


def read_batch(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield digest and bytes of the blobs in a batch."""
    while body:
        sha256, packed, size, sent = struct.unpack_from(">32sBII", body)
        data, body = body[41 : 41 + sent], body[41 + sent :]
        yield sha256.hex(), zstandard.ZstdDecompressor().decompress(data) if packed else data
        assert packed or size == sent


def status(code: int, body: bytes | dict[str, Any] = b"oops") -> Fault:
    """Answer with a status and a body."""
    return lambda handler: handler.answer(code, body)


def hang_up(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def lose_the_answer(handler: Handler) -> None:
    """Make the job, then close the connection without an answer."""
    handler.make_job()
    handler.close_connection = True


def cut_short(handler: Handler) -> None:
    """Promise more bytes than are sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


@contextmanager
def faulty_coordinator() -> Iterator[FaultyCoordinator]:
    """Run one on a free port of this machine."""
    state = FaultyCoordinator()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
