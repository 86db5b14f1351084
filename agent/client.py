"""The agent protocol's calls (docs/PROTOCOL.md).  Errors are named by what the agent must do about them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from coordinator.protocol import (
    CONTENT_TYPE,
    BlobRef,
    BlobsRequest,
    DecodeError,
    ErrorBody,
    ErrorCode,
    ErrorEnvelope,
    FrameAnswer,
    FrameResult,
    InspectionGrant,
    InspectionReport,
    InspectionRequest,
    InspectionResult,
    LeaseGrant,
    LeaseRequest,
    Manifest,
    RegisterRequest,
    RegisterResponse,
    ReportRequest,
    ReportResponse,
    SoundResult,
    StoredFile,
    Welcome,
    decode,
    encode,
)
from coordinator.protocol.codec import MAX_MESSAGE_BYTES

T = TypeVar("T")

#: Seconds for a call with a small body; one that waits for work may take that much longer.  A report that got lost can
#: be repeated before its lease ends.
CALL_TIMEOUT = 10.0

#: Seconds for a call that has the coordinator decode what was uploaded.
CHECK_TIMEOUT = 120.0

#: A transfer fails when nothing moves for this long (seconds), however long it takes as a whole.
STALL_TIMEOUT = 60.0

CHUNK_BYTES = 1024 * 1024

#: The content type of what is no message.
BINARY = "application/octet-stream"


class CallError(Exception):
    """A call was not answered with success; the text is for people."""


class RetryError(CallError):
    """Wait and repeat the call: the coordinator is away, busy, or out of disk space."""

    def __init__(self, message: str, *, progressed: bool = False) -> None:
        """Tell whether the call got further than the one before: then the next need not wait longer."""
        super().__init__(message)
        self.progressed = progressed


class DropLeaseError(CallError):
    """The lease has ended: drop its frames, deliver nothing more of them."""


class RegisterAgainError(CallError):
    """The coordinator does not know this agent any more."""


class StopAgentError(CallError):
    """Nothing this agent does will be accepted before a person has changed something."""


class RefusedError(CallError):
    """What was sent was refused, and would be again; the lease goes on."""

    def __init__(self, code: str, message: str, fields: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields or {}
        """What is wrong with which field."""


class CoordinatorClient:
    """Calls on one coordinator, with one token."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self.token = ""
        """Sent with every call but :meth:`register`."""

    async def hello(self, token: str) -> Welcome:
        """Return who is there, if it takes the token; nothing changes by it."""
        return await self._call("GET", "hello", Welcome, token=token)

    async def register(self, request: RegisterRequest, token: str) -> RegisterResponse:
        """Introduce the agent, with the join token or its own."""
        return await self._call("POST", "register", RegisterResponse, request, token=token)

    async def ask(self, request: LeaseRequest) -> LeaseGrant | None:
        """Ask for work and wait for it up to ``request.wait_seconds``."""
        return await self._call_optional("POST", "leases", LeaseGrant, request, CALL_TIMEOUT + request.wait_seconds)

    async def report(self, lease_id: str, request: ReportRequest) -> ReportResponse:
        """Report on a lease."""
        return await self._call("POST", f"leases/{lease_id}/report", ReportResponse, request)

    async def put_frame(self, lease_id: str, frame: int, result: FrameResult) -> FrameAnswer:
        """Hand in a frame whose files have been uploaded.

        Raises:
            RefusedError: among others with FRAME_LOST, when the frame is not the lease's own any more.
        """
        return await self._call("PUT", f"leases/{lease_id}/frames/{frame}", FrameAnswer, result, limit=CHECK_TIMEOUT)

    async def put_parcel(self, lease_id: str, frame: int, parcel: bytes) -> FrameAnswer:
        """Hand in a frame together with its files; as :meth:`put_frame`."""
        path = f"leases/{lease_id}/frames/{frame}/parcel"
        return await self._call("PUT", path, FrameAnswer, parcel, limit=CHECK_TIMEOUT)

    async def put_sound(self, lease_id: str, result: SoundResult) -> None:
        """Hand in the sound, or say why there is none."""
        await self._send("PUT", f"leases/{lease_id}/sound", result, CHECK_TIMEOUT)

    async def take_inspection(self, request: InspectionRequest) -> InspectionGrant | None:
        """Ask for a pack to look into, and wait for one up to ``request.wait_seconds``."""
        limit = CALL_TIMEOUT + request.wait_seconds
        return await self._call_optional("POST", "inspections", InspectionGrant, request, limit)

    async def report_inspection(self, claim: str, report: InspectionReport) -> None:
        """Say that the agent is looking."""
        await self._send("POST", f"inspections/{claim}/report", report, CALL_TIMEOUT)

    async def put_inspection(self, claim: str, result: InspectionResult) -> None:
        """Tell what was found, or why nothing was."""
        await self._send("PUT", f"inspections/{claim}", result, CALL_TIMEOUT)

    async def leave(self) -> None:
        """Say good-bye: every lease of this agent ends."""
        await self._send("POST", "leave", None, CALL_TIMEOUT)

    async def manifest(self, pack_id: str) -> Manifest:
        """Return a pack's manifest, not validated yet."""
        return await self._call("GET", f"packs/{pack_id}", Manifest, limit=CHECK_TIMEOUT)

    async def put_blob(self, lease_id: str, path: Path, file: StoredFile) -> None:
        """Upload a file's bytes."""
        with await asyncio.to_thread(path.open, "rb") as data:
            await self._send_body(
                f"leases/{lease_id}/blobs/{file.sha256}",
                data,
                {"Content-Length": str(file.size), "Content-Type": BINARY},
            )

    async def get_blobs(self, pack_id: str, blobs: Sequence[BlobRef]) -> AsyncIterator[bytes]:
        """Yield the bytes of short blobs of a pack, one after the other; nothing is verified here.

        Raises:
            RefusedError: the coordinator does not have all of them.
        """
        body = encode(BlobsRequest(sha256=[blob.sha256 for blob in blobs]))
        headers = {"Content-Type": CONTENT_TYPE}
        try:
            async with self._request("POST", f"packs/{pack_id}/blobs", body, headers, None) as response:
                await _check(response)
                for blob in blobs:
                    yield await response.content.readexactly(blob.size)
        except asyncio.IncompleteReadError as error:
            raise RetryError("The coordinator ended a file early.") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    async def get_blob(self, sha256: str, offset: int) -> AsyncIterator[bytes]:
        """Yield a blob's bytes from ``offset`` on, in pieces; nothing is verified here.

        Raises:
            RefusedError: the coordinator has no such blob, or no such offset.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            async with self._request("GET", f"blobs/{sha256}", None, headers, None) as response:
                await _check(response)
                if offset and response.status != 206:
                    raise RefusedError(ErrorCode.INVALID, "the coordinator does not resume downloads")
                async for piece in response.content.iter_chunked(CHUNK_BYTES):
                    yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    # ── Plumbing ──

    async def _call(
        self,
        method: str,
        path: str,
        kind: type[T],
        message: msgspec.Struct | bytes | None = None,
        *,
        token: str | None = None,
        limit: float = CALL_TIMEOUT,
    ) -> T:
        answer = await self._call_optional(method, path, kind, message, limit, token)
        if answer is None:
            raise RetryError(f"The coordinator at {self._base} answered {path} with nothing.")
        return answer

    async def _call_optional(
        self,
        method: str,
        path: str,
        kind: type[T],
        message: msgspec.Struct | bytes | None,
        limit: float,
        token: str | None = None,
    ) -> T | None:
        status, body = await self._exchange(method, path, message, limit, token)
        if status == 204:
            return None
        try:
            return decode(body, kind)
        except DecodeError as error:
            raise RetryError(f"The coordinator at {self._base} answered {path} with something else: {error}") from error

    async def _send(self, method: str, path: str, message: msgspec.Struct | None, limit: float) -> None:
        await self._exchange(method, path, message, limit, None)

    async def _exchange(
        self, method: str, path: str, message: msgspec.Struct | bytes | None, limit: float, token: str | None
    ) -> tuple[int, bytes]:
        body = encode(message) if isinstance(message, msgspec.Struct) else message
        kind = BINARY if isinstance(message, bytes) else CONTENT_TYPE
        headers = {} if message is None else {"Content-Type": kind}
        try:
            async with self._request(method, path, body, headers, limit, token) as response:
                await _check(response)
                return response.status, await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    async def _send_body(self, path: str, body: object, headers: dict[str, str]) -> None:
        try:
            async with self._request("PUT", path, body, headers, None) as response:
                await _check(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    def _request(
        self,
        method: str,
        path: str,
        body: object,
        headers: dict[str, str],
        limit: float | None,
        token: str | None = None,
    ) -> "aiohttp.client._RequestContextManager":
        timeout = aiohttp.ClientTimeout(total=limit, sock_connect=10.0, sock_read=limit or STALL_TIMEOUT)
        return self._http.request(
            method,
            f"{self._base}/agent/v1/{path}",
            data=body,
            headers={"Authorization": f"Bearer {self.token if token is None else token}", **headers},
            timeout=timeout,
            allow_redirects=False,
        )

    def _unreachable(self, error: Exception) -> RetryError:
        # aiohttp's text for a connection that ends within an answer is the answer's raw headers.
        hung_up = isinstance(error, aiohttp.ServerDisconnectedError)
        reason = "it hung up" if hung_up else str(error) or type(error).__name__
        return RetryError(f"The coordinator at {self._base} cannot be reached ({reason}).")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; one that is too long is cut, and then does not decode."""
    body = bytearray()
    async for piece in response.content.iter_chunked(CHUNK_BYTES):
        body += piece
        if len(body) > MAX_MESSAGE_BYTES:
            break
    return bytes(body)


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise what an answer other than success means."""
    status = response.status
    if status in (200, 201, 204, 206):
        return
    error = await _error_of(response)
    if error is None and status != 413:
        # A proxy without its coordinator, a page to sign in at, another program at this address: it may pass.
        raise RetryError(
            f"{response.url.origin()} answered {status} {response.reason}, and not as a coordinator does; "
            "if this goes on, check the address."
        )
    if error is None:
        # No coordinator's words, but they will not change: a proxy's limit on the length of uploads.
        raise RefusedError(ErrorCode.TOO_LARGE, "a proxy before the coordinator takes no file of this length")
    match status:
        case 401 | 403 | 426:
            raise StopAgentError(error.message)
        case 410:
            raise RegisterAgainError(error.message)
        case 409 if error.code not in (ErrorCode.MISSING_BLOBS, ErrorCode.FRAME_LOST):
            raise DropLeaseError(error.message)
        case 429:
            raise RetryError(error.message)
        case _ if status >= 500:
            raise RetryError(error.message)
        case _:
            raise RefusedError(error.code, error.message, error.fields)


async def _error_of(response: aiohttp.ClientResponse) -> ErrorBody | None:
    """Return what a coordinator says is wrong; None if it was not one that answered."""
    try:
        return decode(await _read(response), ErrorEnvelope).error
    except DecodeError:
        return None
