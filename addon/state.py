"""What the extension knows at the moment.

Nothing of it is saved: it begins when the extension is enabled and ends when it is disabled.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .background import BackgroundTask
from .farm_job import FarmJob
from .jobs_feed import JobsFeed
from .results import Download

if TYPE_CHECKING:  # they show what is known here
    from .connecting import Connecting
    from .finding import Finding
    from .preparing import Preparation
    from .sending import CheckedScene, SceneSubmission

#: Seconds to wait for a thread when the extension is disabled; one that waits for the network ends when it can.
_PATIENCE = 2.0

#: Seconds for which the end of a job is told at the foot of the window.
_NOTICE_SECONDS = 60.0


@dataclass
class State:
    """The one object that lives as long as the extension is enabled."""

    feed: JobsFeed = field(default_factory=JobsFeed)
    checked: "CheckedScene | None" = None
    """The scene that was looked at last."""
    preparing: "Preparation | None" = None
    """The look at a scene that is under way, or the last one."""
    sending: "SceneSubmission | None" = None
    """The submission under way, or the last one."""
    download: Download | None = None
    """Likewise."""
    connecting: "Connecting | None" = None
    """Likewise, of being let in by the farm."""
    finding: "Finding | None" = None
    """Likewise, of looking for farms."""
    listed: "SceneSubmission | None" = None
    """The last submission whose job was seen in the list."""
    trouble: str = ""
    """Why the last thing that the artist wanted was not done; empty when it was."""
    notice: str = ""
    """What the foot of the window tells until it is read; empty: nothing."""
    notice_is_bad: bool = False
    notice_until: float = 0.0
    """By ``time.monotonic()``."""
    watched: set[int] = field(default_factory=set)
    """Jobs of this session that have not ended yet: the artist is told when they do."""
    shown: tuple[object, ...] = ()
    """What the window was last drawn from."""

    @property
    def is_preparing(self) -> bool:
        """A scene is being looked at."""
        return self.preparing is not None and self.preparing.active

    @property
    def is_sending(self) -> bool:
        """A submission is under way."""
        return self.sending is not None and not self.sending.wait(0)

    @property
    def is_downloading(self) -> bool:
        """A download is under way."""
        return self.download is not None and not self.download.wait(0)

    @property
    def unlisted_job(self) -> int | None:
        """The id of the job that was just made, until it is seen in the list."""
        if self.sending is None or self.sending is self.listed or self.sending.job is None:
            return None
        return int(self.sending.job["id"])

    def tell(self, sentence: str, *, bad: bool) -> None:
        """Have the foot of the window tell something for a while."""
        self.notice, self.notice_is_bad = sentence, bad
        self.notice_until = time.monotonic() + _NOTICE_SECONDS

    def forget_old_notice(self) -> None:
        """Let it go when it was there for long enough."""
        if self.notice and time.monotonic() > self.notice_until:
            self.notice = ""

    def job(self, job_id: int) -> FarmJob | None:
        """Return what was last heard of a job."""
        return next((job for job in self.feed.latest().jobs if job.id == job_id), None)

    def works(self) -> Iterator[BackgroundTask]:
        """Yield what goes on in threads, or went on last."""
        for work in (self.sending, self.download, self.connecting, self.finding):
            if work is not None:
                yield work

    def end(self) -> None:
        """End the threads; what is being sent or fetched is given up."""
        if self.preparing is not None:
            self.preparing.cancel()
        self.feed.stop(_PATIENCE)
        for work in self.works():
            work.cancel()
        for work in self.works():
            work.wait(_PATIENCE)


_state: State | None = None


def start() -> None:
    """Begin, with nothing known."""
    global _state  # noqa: PLW0603 - Blender makes the panels and operators itself: they can only meet in a module
    _state = State()


def stop() -> None:
    """End all that was begun."""
    global _state
    ended, _state = _state, None
    if ended is not None:
        ended.end()


def current() -> State:
    """Return what is known; only while the extension is enabled."""
    if _state is None:
        raise RuntimeError("the render farm extension is not enabled")
    return _state
