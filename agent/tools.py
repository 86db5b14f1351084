"""What the slots of an agent share."""

from dataclasses import dataclass
from pathlib import Path

from agent.blender.locate import Blender
from agent.blender.session import Limits
from agent.frame_upload import Outbox
from agent.inputs import Inputs
from agent.link import Link
from agent.tasks import Tasks
from coordinator.protocol import RegisterResponse


@dataclass(frozen=True, slots=True)
class Tools:
    """Made once when the agent has joined."""

    link: Link
    inputs: Inputs
    outbox: Outbox
    tasks: Tasks
    blender: Blender
    limits: Limits
    threads: int | None
    logs: Path
    timing: RegisterResponse
