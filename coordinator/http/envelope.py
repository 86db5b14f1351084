"""Errors as answers: which status each code has, and one middleware that renders what handlers raise."""

import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web

from coordinator import protocol
from coordinator.db.engine import DatabaseFull
from coordinator.protocol import ErrorBody, ErrorCode, ErrorEnvelope
from coordinator.services.errors import Refused
from coordinator.store import BlobMissing, ContentMismatch, StoreError, StoreFull

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AGENT_PREFIX = "/agent/"

STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.TOKEN_MISSING: 401,
    ErrorCode.TOKEN_WRONG: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.LEASE_LOST: 409,
    ErrorCode.FRAME_LOST: 409,
    ErrorCode.CONFLICT: 409,
    ErrorCode.MISSING_BLOBS: 409,
    ErrorCode.AGENT_GONE: 410,
    ErrorCode.FILES_GONE: 410,
    ErrorCode.LENGTH_REQUIRED: 411,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.INVALID: 422,
    ErrorCode.DIGEST_MISMATCH: 422,
    ErrorCode.BAD_FRAME: 422,
    ErrorCode.UPGRADE_REQUIRED: 426,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.INTERNAL: 500,
    ErrorCode.TRY_AGAIN: 503,
    ErrorCode.DISK_FULL: 507,
}

_HTTP_CODES = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED, 413: ErrorCode.TOO_LARGE}


def error_response(request: web.Request, refusal: Refused) -> web.Response:
    """Return the envelope of a refusal in the encoding of the protocol that was addressed."""
    envelope = ErrorEnvelope(
        error=ErrorBody(code=refusal.code.value, message=_sentence(refusal.message), fields=refusal.fields)
    )
    headers = {}
    if "retry_after" in refusal.fields:
        headers["Retry-After"] = str(refusal.fields["retry_after"])
    if STATUS[refusal.code] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if request.path.startswith(AGENT_PREFIX):
        body, kind = protocol.encode(envelope), protocol.CONTENT_TYPE
    else:
        body, kind = msgspec.json.encode(envelope), "application/json"
    return web.Response(status=STATUS[refusal.code], body=body, content_type=kind, headers=headers)


def _sentence(text: str) -> str:
    """Return a refusal's words, which the domain leaves open to be joined with others, as a sentence of their own."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


@web.middleware
async def render_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with the envelope; what no one foresaw is logged and becomes ``internal``."""
    try:
        return await handler(request)
    except Refused as refusal:
        return error_response(request, refusal)
    except StoreError as error:
        return error_response(request, _store_refusal(error))
    except DatabaseFull as error:
        log.error("%s", error)  # noqa: TRY400 - where it happened says nothing
        return error_response(request, Refused(ErrorCode.DISK_FULL, str(error), {"retry_after": 10}))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = _HTTP_CODES.get(error.status, ErrorCode.BAD_REQUEST)
        return error_response(request, Refused(code, _http_message(request, error)))
    except web.RequestPayloadError as error:
        message = "The body does not arrive as its headers say (its length, or its compression); send it again."
        log.info("%s %s: %s", request.method, request.path, error)
        return error_response(request, Refused(ErrorCode.BAD_REQUEST, message))
    except ConnectionResetError:
        # The client hung up; there is no one to answer.
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        message = "The coordinator made a mistake; it is in its log. Trying again may help."
        return error_response(request, Refused(ErrorCode.INTERNAL, message))


def _store_refusal(error: StoreError) -> Refused:
    match error:
        case StoreFull():
            return Refused(ErrorCode.DISK_FULL, str(error), {"retry_after": 10})
        case ContentMismatch():
            return Refused(ErrorCode.DIGEST_MISMATCH, str(error))
        case BlobMissing():
            return Refused(ErrorCode.NOT_FOUND, str(error))
    log.error("%s", error)
    return Refused(ErrorCode.INTERNAL, str(error))


def _http_message(request: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.path} knows {', '.join(sorted(error.allowed_methods))}, not {request.method}."
    if error.status == 404:
        return f"There is nothing at {request.path}."
    return f"{error.reason}."
