"""What the slots of an agent share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.blender.locate import Blender
from agent.blender.sandbox import Sandbox
from agent.blender.session import Limits
from agent.card_meter import CardMeter
from agent.frame_upload import Outbox
from agent.inputs import Inputs
from agent.link import Link
from agent.shaders import Shaders
from agent.tasks import Tasks
from agent.telemetry import Telemeter
from coordinator.protocol import RegisterResponse


@dataclass(frozen=True, slots=True)
class Tools:
    """Made once when the agent has joined."""

    link: Link
    inputs: Inputs
    outbox: Outbox
    tasks: Tasks
    blender: Blender
    sandbox: Sandbox | None
    """None: Blender runs as the agent does."""
    shaders: Shaders | None
    """None: its drivers keep them by themselves."""
    limits: Limits
    threads: int | None
    logs: Path
    sessions: Path
    """Where sessions write, each in a folder of its own."""
    timing: RegisterResponse
    telemeter: Telemeter
    card_meters: Sequence[CardMeter]
    """Of each slot."""
    memory_bytes: float = math.inf
    """Main memory that each slot may use."""
    unkept: set[int] = field(default_factory=set)
    """Jobs of which Blender is to keep nothing between frames."""
    resting: set[int] = field(default_factory=set)
    """The slots that take no work just now."""
