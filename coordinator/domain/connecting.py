"""Programs on people's computers that ask to be let in: a person approves them by a code that both have."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

#: How long a request can be approved.
TERM = timedelta(minutes=10)
#: Wrong codes after which a request is refused for good.
MOST_WRONG_CODES = 5
#: Requests that may wait at a time, whoever made them.
MOST_WAITING = 100


class ConnectState(enum.StrEnum):
    """What became of a request.  One that still waits when its term is over is ``expired``, which is not stored."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """One who asks to be let in."""

    id: int
    name: str
    """What its token is to be called, and so its user."""
    state: ConnectState
    code_digest: str
    """Of the code that the person must type."""
    token_digest: str
    """Of the token that it will have: it made it, and nobody else knows it."""
    wrong_codes: int
    created_at: datetime
    expires_at: datetime
