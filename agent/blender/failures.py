"""What Blender's words say of the machine it runs on (pure)."""

import re

from agent.blender.gpu_faults import gpu_failure
from agent.blender.memory import memory_failure

NO_ROOM = "no_room"
"""The code of a failure for want of room on the disk."""

#: What the system's own message for it is (ENOSPC, EDQUOT), which Blender and Python pass on.
_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


def machine_failure(text: str) -> str | None:
    """Return the code of a message, or of a log's end, that tells of too little memory, too little room or a card that
    failed; None for other words."""
    return memory_failure(text) or gpu_failure(text) or (NO_ROOM if _DISK_FULL.search(text) else None)
