"""What the doctor says."""

import enum
from dataclasses import dataclass


class State(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """The agent works, but less well than the machine could."""
    FAIL = "fail"
    """The agent does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    check: str
    """What was looked at, in a word."""
    state: State
    message: str
    """What is so, a sentence."""
    mend: str | None = None
    """The command that mends it, or what a person must do."""


def ok(check: str, message: str) -> Finding:
    """Return that all is well."""
    return Finding(check, State.OK, message)


def warn(check: str, message: str, mend: str) -> Finding:
    """Return that something could be better."""
    return Finding(check, State.WARN, message, mend)


def fail(check: str, message: str, mend: str) -> Finding:
    """Return that an agent would not work."""
    return Finding(check, State.FAIL, message, mend)
