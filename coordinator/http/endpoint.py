"""Typed handlers: path, query and body come in checked, and what a handler returns goes out encoded.

A handler is an async function whose signature says it all::

    async def show(request: web.Request, job_id: int) -> JobDetail: ...
    async def create(request: web.Request, body: JobRequest) -> Answer[JobDetail]: ...
    async def index(request: web.Request, query: JobQuery) -> Page[JobView]: ...

``body`` and ``query`` are msgspec Structs, ``caller`` is who sent the request; every other parameter is a part of the
path.  The same signatures make the OpenAPI document (:mod:`coordinator.http.openapi`).
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from aiohttp import web

from coordinator import protocol
from coordinator.http.envelope import AGENT_PREFIX
from coordinator.protocol import ErrorCode
from coordinator.services.errors import Refused

T = TypeVar("T")

#: Messages above this many bytes are decoded in a thread, so that no one else waits for it.
_LARGE_MESSAGE = 256 * 1024

#: Answers above this many bytes are compressed for who takes that, and above the second one in a thread.
_WORTH_COMPRESSING = 4096
_COMPRESSED_IN_THREAD = 32 * 1024

_JSON = "application/json"

_MISSING = re.compile("missing required field `(.+)`")

_NOT_IN_PATH = ("caller", "query", "body")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A message with a status of its own, or with headers."""

    body: T
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Shape:
    """What a handler takes and gives, as its signature says."""

    path: Mapping[str, type]
    caller: bool
    """It wants to know who is calling."""
    body: type[msgspec.Struct] | None
    query: type[msgspec.Struct] | None
    answer: Any
    """The message's type; None for no content; a StreamResponse class where the handler answers by itself."""

    @classmethod
    def of(cls, handler: Callable[..., Awaitable[object]]) -> "Shape":
        """Read a handler's signature."""
        hints = get_type_hints(handler, include_extras=True)
        answer = hints.pop("return")
        if get_origin(answer) is Answer:
            answer = get_args(answer)[0]
        parameters = list(inspect.signature(handler).parameters)[1:]
        return cls(
            path={name: hints[name] for name in parameters if name not in _NOT_IN_PATH},
            caller="caller" in parameters,
            body=hints.get("body"),
            query=hints.get("query"),
            answer=None if answer is type(None) else answer,
        )

    async def arguments(self, request: web.Request, max_body: int) -> dict[str, object]:
        """Return the handler's arguments as the request has them.

        Raises:
            Refused: something is missing, too large, or not of its type.
        """
        arguments: dict[str, object] = {name: kind(request.match_info[name]) for name, kind in self.path.items()}
        if self.query is not None:
            arguments["query"] = _query(request, self.query)
        if self.body is not None:
            arguments["body"] = await _body(request, self.body, max_body)
        return arguments


def respond(request: web.Request, answer: object) -> web.StreamResponse:
    """Return what a handler answered as a response."""
    if isinstance(answer, web.StreamResponse):
        return answer
    status, headers = 200, {}
    if isinstance(answer, Answer):
        status, headers, answer = answer.status, dict(answer.headers), answer.body
    if answer is None:
        return web.Response(status=204 if status == 200 else status, headers=headers)
    if request.path.startswith(AGENT_PREFIX):
        assert isinstance(answer, msgspec.Struct)  # noqa: S101 - agent handlers answer with messages
        return web.Response(
            status=status, body=protocol.encode(answer), content_type=protocol.CONTENT_TYPE, headers=headers
        )
    body = msgspec.json.encode(answer)
    response = web.Response(
        status=status, body=body, content_type=_JSON, headers=headers, zlib_executor_size=_COMPRESSED_IN_THREAD
    )
    # Only what is read: no answer that has a new token in it.
    if request.method == "GET" and len(body) > _WORTH_COMPRESSING:
        response.headers["Vary"] = "Accept-Encoding"
        response.enable_compression()
    return response


def _query(request: web.Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise Refused(ErrorCode.INVALID, f"The query names {name} more than once.", {name: "given twice"})
    try:
        return msgspec.convert(dict(request.query), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid("The query", error) from error


async def _body(request: web.Request, kind: type[msgspec.Struct], max_body: int) -> msgspec.Struct:
    wanted = protocol.CONTENT_TYPE if request.path.startswith(AGENT_PREFIX) else _JSON
    # A web page of another site can send a form or plain text without asking the browser, but not this.
    if request.content_type != wanted:
        raise Refused(ErrorCode.BAD_REQUEST, f"The body must be {wanted}, not {request.content_type}.")
    data = await read_limited(request, max_body)
    decode = _decode_msgpack if wanted == protocol.CONTENT_TYPE else _decode_json
    if len(data) > _LARGE_MESSAGE:
        return await asyncio.to_thread(decode, data, kind)
    return decode(data, kind)


async def read_limited(request: web.Request, limit: int) -> bytes:
    """Return the request's body.

    Raises:
        Refused: it has more than ``limit`` bytes.
    """
    refusal = Refused(ErrorCode.TOO_LARGE, f"The body has more than {limit} bytes, which is too large for this call.")
    if (request.content_length or 0) > limit:
        raise refusal
    data = bytearray()
    async for piece in request.content.iter_any():
        data += piece
        if len(data) > limit:
            raise refusal
    return bytes(data)


def _decode_json(data: bytes, kind: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid("The body", error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(ErrorCode.BAD_REQUEST, f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise Refused(ErrorCode.BAD_REQUEST, "The body is nested too deeply for any message of this API.") from error


def _decode_msgpack(data: bytes, kind: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        return protocol.decode(data, kind)
    except protocol.DecodeError as error:
        raise Refused(ErrorCode.BAD_REQUEST, f"The message cannot be read: {error}.") from error


def _invalid(where: str, error: msgspec.ValidationError) -> Refused:
    """Turn msgspec's "Expected … - at `$.field`" into a refusal that names the field."""
    text, _, place = str(error).partition(" - at `")
    name = place.rstrip("`").removeprefix("$").removeprefix(".")
    if missing := _MISSING.search(text):
        name = f"{name}.{missing[1]}" if name else missing[1]
    sentence = f"{where} is not acceptable: {name + ': ' if name else ''}{text[:1].lower()}{text[1:]}."
    return Refused(ErrorCode.INVALID, sentence, {name: text} if name else {})
