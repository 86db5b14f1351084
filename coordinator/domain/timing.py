"""The farm's terms, in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take; tests and settings shorten them."""

    lease_seconds: float = 30.0
    """A lease lives this long past its last report."""
    report_seconds: float = 5.0
    """Agents report at least this often."""
    poll_seconds: float = 25.0
    """A lease request is held open this long when there is no work."""
    offline_seconds: float = 60.0
    """An agent not heard of for this long is offline; more than ``poll_seconds``, since idle agents only poll."""
    stitch_seconds: float = 120.0
    """A stitcher's claim on a job lives this long past its last sign of life."""
