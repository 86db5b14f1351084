"""A lease that a slot holds, and what is left of it to do."""

from collections import deque
from dataclasses import dataclass, field

from coordinator.protocol import FrameFailure, LeaseGrant


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

    @property
    def has_work(self) -> bool:
        """Whether anything of it is still to be begun here."""
        return not self.giving_back and (self.sound or bool(self.todo))

    def give_back(self) -> None:
        """Begin nothing more of it."""
        self.giving_back = True
        self.sound = False
        self.todo.clear()
