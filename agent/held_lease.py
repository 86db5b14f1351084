"""A lease that a slot holds, and what is left of it to do."""

from collections import deque
from dataclasses import dataclass, field
from typing import Self

import msgspec

from agent.events import Progressed
from agent.instructions import MixSound, Prepare, Render, Work
from coordinator.protocol import FrameFailure, LeaseGrant, ReportRequest, Stage

#: The protocol's limits for a failure's message and a warning (characters).
MAX_FAILURE, MAX_WARNING = 4000, 1000


@dataclass(slots=True)
class HeldLease:
    """A lease and what is left of it."""

    grant: LeaseGrant
    todo: deque[int]
    """Frames not begun, in order."""
    sound: bool
    """The sound is still to be mixed."""
    fetched: bool = False
    undelivered: set[int | None] = field(default_factory=set)
    """Frames (``None``: the sound) that are rendered and on their way to the coordinator."""
    failures: list[FrameFailure] = field(default_factory=list)
    """Not yet reported."""
    warnings: list[str] = field(default_factory=list)
    giving_back: bool = False
    """No more of it is begun here; it is released once all that is rendered has been delivered."""

    @classmethod
    def of(cls, grant: LeaseGrant) -> Self:
        """Begin with a lease that was granted."""
        return cls(grant, deque(grant.frames), sound=grant.mix_sound and grant.sound_range is not None)

    @property
    def pending(self) -> bool:
        """Whether anything of it is still to be begun, delivered or told."""
        return self.has_work or bool(self.undelivered or self.failures) or self.giving_back

    @property
    def has_work(self) -> bool:
        """Whether anything of it is still to be begun here."""
        return not self.giving_back and (self.sound or bool(self.todo))

    def give_back(self) -> None:
        """Begin nothing more of it."""
        self.giving_back = True
        self.sound = False
        self.todo.clear()

    def end_at(self, last_frame: int | None) -> None:
        """Begin no frame past this one; None: none at all."""
        self.todo = deque(frame for frame in self.todo if last_frame is not None and frame <= last_frame)

    def turn_to_processor(self) -> bool:
        """Have what is left rendered on the processor; tell whether that is new."""
        job = self.grant.job
        if job.render.processor:
            return False
        render = msgspec.structs.replace(job.render, processor=True)
        # How long a frame takes there is not known.
        self.grant = msgspec.structs.replace(
            self.grant, job=msgspec.structs.replace(job, render=render), expected_seconds=None
        )
        return True

    def warn(self, warning: str) -> None:
        """Have the job's owner told of something."""
        self.warnings.append(warning[:MAX_WARNING])

    def fail(self, frame: int | None, code: str, message: str) -> None:
        """Have a failure told, of a frame or (None) of the whole job, of which nothing more is begun then."""
        self.failures.append(FrameFailure(frame=frame, code=code, message=message[:MAX_FAILURE]))
        if frame is None:
            self.give_back()

    def report(self, work: Work | None, progress: Progressed) -> ReportRequest:
        """Return what there is to report; ``work`` is what the slot does just now, if it is of this lease."""
        failures, warnings = list(self.failures), list(self.warnings)
        if work is None:
            stage = Stage.UPLOADING if self.undelivered and not self.has_work else Stage.FETCHING
            release = self.giving_back and not self.undelivered
            return ReportRequest(stage=stage, failures=failures, warnings=warnings, release=release)
        return ReportRequest(
            stage=_STAGES.get(type(work), Stage.RENDERING),
            frame=work.frame if isinstance(work, Render) else None,
            progress=progress.progress,
            remaining_seconds=progress.remaining_seconds,
            memory_bytes=progress.memory_bytes,
            failures=failures,
            warnings=warnings,
        )


_STAGES = {Prepare: Stage.OPENING, MixSound: Stage.MIXING}
