"""Inspections: an agent's look into the .blend of a pack, for people who are about to submit it."""

import enum
from dataclasses import dataclass
from datetime import datetime

#: So many agents try; then it has failed until someone asks again.
MAX_ATTEMPTS = 3


class InspectionState(enum.StrEnum):
    """Where an inspection is; docs/STATES.md has the transitions."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One row of the table."""

    pack_id: str
    state: InspectionState
    min_blender: int
    """The oldest Blender that can look into it (:func:`coordinator.domain.versions.blender_number`); 0: any."""
    attempts: int
    """How many agents have taken it since someone asked."""
    asked_at: datetime
    """When someone last asked for it."""
    agent_id: int | None
    """The agent that looks into it, or did last."""
    claim: str | None
    """Fences the agent's reports while it is running."""
    expires_at: datetime | None
    stage: str | None
    findings: bytes | None
    """In JSON."""
    reason: str | None
    """Why it failed, a sentence."""


def goes_on(attempts: int) -> bool:
    """Tell whether another agent is to try after so many that did not manage."""
    return attempts < MAX_ATTEMPTS
