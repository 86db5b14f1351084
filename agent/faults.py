"""What a failure says: of the job, of this machine, or of nothing but the frame (pure)."""

from agent.blender.gpu_faults import GPU_ERROR, GPU_LOST

#: Failures that every frame of the job would meet.
JOB_FAILURES = frozenset(
    {"cannot_open", "no_scene", "no_camera", "no_layer", "no_engine", "unsupported", "wrong_size", "missing_files"}
)

#: Failures that say nothing about the job: another agent may well render it.
AGENT_FAULTS = frozenset({"not_started", "no_device", "no_room", GPU_LOST})

#: How long (seconds) a slot rests after a fault of its own machine, after several of them on end at most.
SHORTEST_REST = 30.0
LONGEST_REST = 600.0

#: A card on which so many frames break off one after the other is broken, whatever it says.
GPU_ERRORS = 2


class Faults:
    """Remembers what failed on one slot since it last rendered a frame."""

    def __init__(self) -> None:
        self._rests = 0
        self._gpu_errors = 0

    def rendered(self) -> None:
        """A frame was rendered: all is well."""
        self._rests = self._gpu_errors = 0

    def is_own(self, code: str) -> bool:
        """Take note of a failure; return whether it is this machine's fault."""
        if code == GPU_ERROR:
            self._gpu_errors += 1
            return self._gpu_errors >= GPU_ERRORS
        return code in AGENT_FAULTS

    def rest(self) -> float:
        """Return for how long (seconds) to rest after a fault, longer each time in a row."""
        seconds = min(SHORTEST_REST * 2.0**self._rests, LONGEST_REST)
        self._rests = min(self._rests + 1, 10)  # far beyond the longest
        return seconds
