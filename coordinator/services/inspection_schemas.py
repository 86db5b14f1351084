"""What the public API says of inspections (docs/PROTOCOL.md)."""

import msgspec

from coordinator.domain.inspections import InspectionState
from coordinator.protocol import Findings
from coordinator.protocol.packs import Sha256
from coordinator.services.schemas import Version


class InspectionAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have an agent look into a pack."""

    blender: Version | None = None
    """The Blender that saved the file, where the caller can tell: older ones are not bothered with it."""


class InspectionView(msgspec.Struct, frozen=True, kw_only=True):
    """How far an agent's look into a pack is."""

    pack: Sha256
    main: str
    """The path of the .blend."""
    state: InspectionState
    stage: str | None
    """What the agent does: ``fetching`` or ``opening``."""
    agent: str | None
    """Who looks into it, or did last."""
    reason: str | None
    """Why it failed, a sentence."""
    problem: str | None
    """Why no job of it would be accepted, a sentence."""
    findings: Findings | None
