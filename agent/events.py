"""What happens to a slot: the events that :class:`agent.state.Slot` takes in."""

from dataclasses import dataclass

from coordinator.protocol import FrameAnswer, LeaseGrant, ReportRequest


@dataclass(frozen=True, slots=True)
class Granted:
    """The request for work was answered with a lease."""

    grant: LeaseGrant


@dataclass(frozen=True, slots=True)
class NoWork:
    """The request for work was answered without one."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of a lease's pack are here."""

    lease_id: str


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """They cannot be had; ``code`` tells whose fault it is."""

    lease_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class WorkDone:
    """The instruction being worked on is carried out."""

    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    """What it took."""
    memory_bytes: int = 0
    """What Blender holds after a frame."""
    render_seconds: float = 0.0
    """What Blender took for a frame."""
    fading: bool = False
    """The scene that was set up is one of which frames may take longer in a warm session than in a new Blender."""
    cold: bool = False
    """Its first frame takes what later sessions' will not: shaders are compiled."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The frame that was rendered once more came out as before, or not."""

    same: bool


@dataclass(frozen=True, slots=True)
class WorkFailed:
    """The instruction being worked on failed, and the session is gone."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """The frame being rendered is so far."""

    progress: float
    remaining_seconds: float | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The coordinator has a frame (``None``: the sound), or has refused it for good."""

    lease_id: str
    frame: int | None
    answer: FrameAnswer | None = None
    """What it answered to a frame that it took."""


@dataclass(frozen=True, slots=True)
class FrameSpoilt:
    """A rendered frame's file is no good, and was not delivered."""

    lease_id: str
    frame: int
    message: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A report was answered."""

    lease_id: str
    report: ReportRequest
    last_frame: int | None
    processor: bool = False
    """The job is rendered on processors by now."""


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The lease has ended without us; nothing more of it may be delivered."""

    lease_id: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Finish the frame being rendered, hand the rest back, and end."""


@dataclass(frozen=True, slots=True)
class SentToRest:
    """Others need the machine: take no work until Woken; said again when the reason changes."""

    reason: str
    """A sentence for people."""
    at_once: bool = False
    """Drop the frame being rendered instead of finishing it."""


@dataclass(frozen=True, slots=True)
class Woken:
    """Take work again."""


@dataclass(frozen=True, slots=True)
class Rested:
    """The pause is over."""


LeaseEvent = Fetched | FetchFailed | Delivered | FrameSpoilt | Reported | LeaseLost
SlotEvent = (
    Granted | NoWork | WorkDone | Checked | WorkFailed | Progressed | StopRequested | SentToRest | Woken | Rested
)
Event = LeaseEvent | SlotEvent

LEASE_EVENTS = (Fetched, FetchFailed, Delivered, FrameSpoilt, Reported, LeaseLost)
