"""Error codes and the envelope they travel in, the same for the agent protocol and the public API."""

import enum

import msgspec


class ErrorCode(enum.StrEnum):
    """What went wrong, for programs.  The HTTP status says what to do; docs/PROTOCOL.md lists both."""

    BAD_REQUEST = "bad_request"
    """400: the request cannot be read (not JSON or msgpack; an agent's message of another shape)."""
    TOKEN_MISSING = "token_missing"  # noqa: S105 - an error code, not a secret
    TOKEN_WRONG = "token_wrong"  # noqa: S105 - likewise
    """401: no such token, or it was revoked or has expired."""
    FORBIDDEN = "forbidden"
    """403: the token is good, but not for this."""
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    LEASE_LOST = "lease_lost"
    """409: the lease has ended; drop the chunk."""
    FRAME_LOST = "frame_lost"
    """409: the lease goes on, but this frame is not its own any more; drop the frame."""
    CONFLICT = "conflict"
    """409: the object is in a state that does not allow this."""
    AGENT_GONE = "agent_gone"
    """410: the coordinator no longer knows this agent; register again."""
    FILES_GONE = "files_gone"
    """410: the files of a job that has ended were removed; the job is there as a record."""
    LENGTH_REQUIRED = "length_required"
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    """422: readable, but its content is refused; ``fields`` says which and why."""
    DIGEST_MISMATCH = "digest_mismatch"
    """422: the bytes received are not those that were named."""
    BAD_FRAME = "bad_frame"
    """422: the rendered file does not decode, is empty or has the wrong size."""
    MISSING_BLOBS = "missing_blobs"
    """409: files of the pack have not been uploaded yet; ``fields["missing"]`` lists their digests."""
    UPGRADE_REQUIRED = "upgrade_required"
    """426: this coordinator does not speak the agent's protocol version."""
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    TRY_AGAIN = "try_again"
    """503: something else was at it at this very moment; the same call again succeeds."""
    DISK_FULL = "disk_full"
    """507: no room for the bytes; wait and try again."""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """One error: a code for programs, a message for people, and details by field."""

    code: str
    message: str
    fields: dict[str, object] = {}


class ErrorEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    error: ErrorBody
