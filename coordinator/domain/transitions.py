"""Every state change there is, in one table.  docs/STATES.md draws it; a test compares the two.

What is not in the table raises :class:`IllegalTransition` with the object's history.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from coordinator.domain.inspections import InspectionState
from coordinator.domain.model import AgentState, ChunkState, FrameState, JobState, LeaseState, SoundState

Subject = Literal["job", "sound", "chunk", "lease", "frame", "agent", "inspection"]

NEW = "(new)"
"""The state of what does not exist yet."""
OPEN = "(open)"
"""The state of a frame that has not ended: it is in a chunk and has no row of its own."""
GONE = "(gone)"
"""The state of a chunk that has no frame left, and of a frame that its job has not got any more."""

TRANSITIONS: dict[tuple[Subject, str, str], str] = {
    # job
    ("job", NEW, JobState.QUEUED): "submitted",
    ("job", NEW, JobState.BLOCKED): "submitted, and a job that it waits for is not completed",
    ("job", JobState.BLOCKED, JobState.QUEUED): "the jobs it waits for are completed",
    ("job", JobState.BLOCKED, JobState.CANCELLED): "a person cancelled it",
    ("job", JobState.QUEUED, JobState.RUNNING): "a lease was granted",
    ("job", JobState.QUEUED, JobState.PAUSED): "a person paused it",
    ("job", JobState.QUEUED, JobState.STITCHING): "a person cut its range to frames that are all finished",
    ("job", JobState.QUEUED, JobState.COMPLETED): "a person cut its range to frames that are all finished",
    ("job", JobState.QUEUED, JobState.FAILED): "a person cut its range to frames that have all ended",
    ("job", JobState.QUEUED, JobState.CANCELLED): "a person cancelled it",
    ("job", JobState.RUNNING, JobState.PAUSED): "a person paused it",
    ("job", JobState.RUNNING, JobState.STITCHING): "every frame is finished and it wants a video",
    ("job", JobState.RUNNING, JobState.COMPLETED): "every frame is finished",
    ("job", JobState.RUNNING, JobState.FAILED): "a frame or the sound failed for good, or it cannot be rendered",
    ("job", JobState.RUNNING, JobState.CANCELLED): "a person cancelled it",
    ("job", JobState.PAUSED, JobState.QUEUED): "a person resumed it, and no slot works on it",
    ("job", JobState.PAUSED, JobState.RUNNING): "a person resumed it, and slots still work on it",
    ("job", JobState.PAUSED, JobState.STITCHING): "its last frame was under way, and it wants a video",
    ("job", JobState.PAUSED, JobState.COMPLETED): "its last frame was under way",
    ("job", JobState.PAUSED, JobState.FAILED): "what was under way failed for good",
    ("job", JobState.PAUSED, JobState.CANCELLED): "a person cancelled it",
    ("job", JobState.STITCHING, JobState.COMPLETED): "the video is checked and stored",
    ("job", JobState.STITCHING, JobState.FAILED): "no video could be made",
    ("job", JobState.STITCHING, JobState.CANCELLED): "a person cancelled it",
    ("job", JobState.COMPLETED, JobState.QUEUED): "a person requeued frames of it, or changed its range",
    ("job", JobState.FAILED, JobState.QUEUED): "a person requeued frames of it, or changed its range",
    ("job", JobState.CANCELLED, JobState.QUEUED): "a person requeued frames of it, or changed its range",
    ("job", JobState.CANCELLED, JobState.BLOCKED): "a person had it go on, and it still waits for others",
    # the sound of a job
    ("sound", SoundState.WANTED, SoundState.READY): "a lease delivered it",
    ("sound", SoundState.WANTED, SoundState.FAILED): "it could not be mixed, time and again",
    ("sound", SoundState.READY, SoundState.WANTED): "a person changed the range of its job",
    ("sound", SoundState.FAILED, SoundState.WANTED): "a person requeued frames of its job, or added some",
    # chunk
    ("chunk", NEW, ChunkState.PENDING): "its job was submitted, a chunk was split, or frames were requeued or added",
    ("chunk", NEW, ChunkState.LEASED): "a lease carved it off, or a leased chunk was split",
    ("chunk", NEW, ChunkState.HELD): "its job waits for others, or a leased chunk of a paused one was split",
    ("chunk", ChunkState.PENDING, ChunkState.LEASED): "a lease took it whole",
    ("chunk", ChunkState.PENDING, ChunkState.HELD): "its job ended or was paused",
    ("chunk", ChunkState.PENDING, GONE): "a person cut its frames off the job's range",
    (
        "chunk",
        ChunkState.LEASED,
        ChunkState.PENDING,
    ): "its lease ended, it is to be tried again, or its agent was drained or set aside",
    ("chunk", ChunkState.LEASED, ChunkState.HELD): "its job ended or was paused",
    ("chunk", ChunkState.LEASED, GONE): "its last frame ended, or was cut off the job's range",
    ("chunk", ChunkState.HELD, ChunkState.PENDING): "its job goes on",
    ("chunk", ChunkState.HELD, GONE): "a person cut its frames off the job's range",
    # lease
    ("lease", NEW, LeaseState.LIVE): "granted",
    ("lease", LeaseState.LIVE, LeaseState.ENDED): "its frames ended or went to others, it expired, or its job ended",
    # frame
    ("frame", OPEN, FrameState.FINISHED): "its verified files are stored",
    ("frame", OPEN, FrameState.FAILED): "its retries are used up, or two agents failed on it the same way",
    ("frame", FrameState.FINISHED, OPEN): "a person requeued it",
    ("frame", FrameState.FAILED, OPEN): "a person requeued it",
    ("frame", FrameState.FINISHED, GONE): "a person cut it off its job's range",
    ("frame", FrameState.FAILED, GONE): "a person cut it off its job's range",
    # agent
    ("agent", NEW, AgentState.ONLINE): "registered for the first time",
    ("agent", AgentState.ONLINE, AgentState.OFFLINE): "was not heard of for too long",
    ("agent", AgentState.ONLINE, AgentState.LEFT): "said goodbye, or a person revoked its token",
    ("agent", AgentState.OFFLINE, AgentState.ONLINE): "is heard of again",
    ("agent", AgentState.OFFLINE, AgentState.LEFT): "said goodbye, or a person revoked its token or gave it up",
    ("agent", AgentState.LEFT, AgentState.ONLINE): "registered again",
    # inspection
    ("inspection", NEW, InspectionState.WAITING): "someone wants to know what is in the pack",
    ("inspection", InspectionState.WAITING, InspectionState.RUNNING): "an agent took it",
    ("inspection", InspectionState.RUNNING, InspectionState.WAITING): "its agent was lost, left, or did not manage",
    ("inspection", InspectionState.RUNNING, InspectionState.DONE): "the agent told what is in the file",
    ("inspection", InspectionState.RUNNING, InspectionState.FAILED): "the file cannot be read, or no agent managed",
    ("inspection", InspectionState.FAILED, InspectionState.WAITING): "someone asked again",
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
