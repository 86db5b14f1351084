"""Every state change there is, in one table.  docs/STATES.md draws it; a test compares the two.

What is not in the table raises :class:`IllegalTransition` with the object's history.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from coordinator.domain.model import AgentState, ChunkState, FrameState, JobState, LeaseState, SoundState

Subject = Literal["job", "sound", "chunk", "lease", "frame", "agent"]

NEW = "(new)"
"""The state of what does not exist yet."""
OPEN = "(open)"
"""The state of a frame that has not ended: it is in a chunk and has no row of its own."""
GONE = "(gone)"
"""The state of a chunk whose last frame ended."""

TRANSITIONS: dict[tuple[Subject, str, str], str] = {
    # job
    ("job", NEW, JobState.QUEUED): "submitted",
    ("job", JobState.QUEUED, JobState.RUNNING): "its first lease was granted",
    ("job", JobState.QUEUED, JobState.CANCELLED): "a person cancelled it",
    ("job", JobState.RUNNING, JobState.STITCHING): "every frame is finished and it wants a video",
    ("job", JobState.RUNNING, JobState.COMPLETED): "every frame is finished",
    ("job", JobState.RUNNING, JobState.FAILED): "a frame or the sound failed for good, or no agent can render it",
    ("job", JobState.RUNNING, JobState.CANCELLED): "a person cancelled it",
    ("job", JobState.STITCHING, JobState.COMPLETED): "the video is checked and stored",
    ("job", JobState.STITCHING, JobState.FAILED): "no video could be made",
    ("job", JobState.STITCHING, JobState.CANCELLED): "a person cancelled it",
    # the sound of a job
    ("sound", SoundState.WANTED, SoundState.READY): "a lease delivered it",
    ("sound", SoundState.WANTED, SoundState.FAILED): "it could not be mixed, time and again",
    # chunk
    ("chunk", NEW, ChunkState.PENDING): "the job was submitted, or a chunk was split",
    ("chunk", NEW, ChunkState.LEASED): "a lease carved it off, or a leased chunk was split",
    ("chunk", ChunkState.PENDING, ChunkState.LEASED): "a lease took it whole",
    ("chunk", ChunkState.PENDING, ChunkState.HELD): "its job ended",
    ("chunk", ChunkState.LEASED, ChunkState.PENDING): "its lease ended, or its frame is to be tried again",
    ("chunk", ChunkState.LEASED, ChunkState.HELD): "its job ended",
    ("chunk", ChunkState.LEASED, GONE): "its last frame ended",
    # lease
    ("lease", NEW, LeaseState.LIVE): "granted",
    ("lease", LeaseState.LIVE, LeaseState.ENDED): "its frames ended, it was given up, it expired, or its job ended",
    # frame
    ("frame", OPEN, FrameState.FINISHED): "its verified files are stored",
    ("frame", OPEN, FrameState.FAILED): "its retries are used up",
    # agent
    ("agent", NEW, AgentState.ONLINE): "registered for the first time",
    ("agent", AgentState.ONLINE, AgentState.OFFLINE): "was not heard of for too long",
    ("agent", AgentState.ONLINE, AgentState.LEFT): "said goodbye",
    ("agent", AgentState.OFFLINE, AgentState.ONLINE): "is heard of again",
    ("agent", AgentState.OFFLINE, AgentState.LEFT): "said goodbye",
    ("agent", AgentState.LEFT, AgentState.ONLINE): "registered again",
}


class IllegalTransition(RuntimeError):
    """A state change that is not in the table: a defect, not a refusal."""

    def __init__(self, subject: Subject, identity: object, old: str, new: str, history: Sequence[str]) -> None:
        """Name the object, the change and what happened to the object before."""
        past = "; ".join(history) or "none"
        super().__init__(f"{subject} {identity} cannot go from {old} to {new}; its history: {past}")
        self.subject = subject
        self.old = old
        self.new = new
        self.history = tuple(history)


def check(subject: Subject, identity: object, old: str, new: str, history: Callable[[], Sequence[str]]) -> None:
    """Raise IllegalTransition unless the table has the change; ``history`` is asked only then."""
    if (subject, old, new) not in TRANSITIONS:
        raise IllegalTransition(subject, identity, old, new, history())
