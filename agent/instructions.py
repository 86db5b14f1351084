"""What a slot is to do: the instructions that :class:`agent.state.Slot` gives and :mod:`agent.slot` carries out."""

from dataclasses import dataclass

from coordinator.protocol import JobSpec


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for work; answer with Granted or NoWork."""

    holds: tuple[str, ...]
    open_pack: str | None
    busy_seconds: float
    """How long the slot expects to be busy with what it holds; 0: it has nothing to render."""
    resting: str | None = None
    """Why it wants none just now: it only says that it is there."""


@dataclass(frozen=True, slots=True)
class StopAsking:
    """Give the request for work up."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Make the files of a lease's pack present; answer with Fetched or FetchFailed."""

    lease_id: str
    pack_id: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """Have a session with the job's pack open and its settings made; answer with WorkDone or WorkFailed."""

    lease_id: str
    job: JobSpec


@dataclass(frozen=True, slots=True)
class MixSound:
    """Mix the sound and see to its delivery; answer with WorkDone or WorkFailed, and Delivered later."""

    lease_id: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Render:
    """Render a frame and see to its delivery; answer with WorkDone or WorkFailed, and Delivered later."""

    lease_id: str
    job: JobSpec
    frame: int
    expected_seconds: float | None = None
    """What the slowest frame of the lease is expected to take."""


@dataclass(frozen=True, slots=True)
class Check:
    """Render the session's first frame once more and compare it; answer with Checked or WorkFailed."""

    lease_id: str
    job: JobSpec
    frame: int


@dataclass(frozen=True, slots=True)
class StopWork:
    """Kill the session at once; what it works on ends with WorkFailed."""


@dataclass(frozen=True, slots=True)
class Discard:
    """Drop all that waits to be delivered for a lease."""

    lease_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """Report; answer with Reported or LeaseLost."""

    urgent: bool = True
    """Now; what only tells of another frame may wait a little."""


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Close the session; work that comes after it waits until it is closed."""

    reason: str = ""
    """Why it is not used any longer, a sentence; empty when there is just no work for it."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait (seconds); answer with Rested."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The slot has nothing left to do and ends."""


Work = Prepare | MixSound | Render | Check
Instruction = Work | Ask | StopAsking | Fetch | StopWork | Discard | Report | CloseSession | Pause | Finish
