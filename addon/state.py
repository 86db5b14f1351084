"""What the extension knows at the moment.

Nothing of it is saved: it begins when the extension is enabled and ends when it is disabled.
"""

from dataclasses import dataclass, field

from .farm_job import FarmJob
from .jobs_feed import JobsFeed
from .results import Download
from .sending import CheckedScene
from .uploader import Submission

#: Seconds to wait for a thread when the extension is disabled; one that waits for the network ends when it can.
_PATIENCE = 2.0


@dataclass
class State:
    """The one object that lives as long as the extension is enabled."""

    feed: JobsFeed = field(default_factory=JobsFeed)
    checked: CheckedScene | None = None
    """The scene that was looked at last."""
    sending: Submission | None = None
    """The submission under way, or the last one."""
    download: Download | None = None
    """Likewise."""
    listed: Submission | None = None
    """The last submission whose job was seen in the list."""
    shown: tuple[object, ...] = ()
    """What the window was last drawn from."""

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

    def job(self, job_id: int) -> FarmJob | None:
        """Return what was last heard of a job."""
        return next((job for job in self.feed.latest().jobs if job.id == job_id), None)

    def end(self) -> None:
        """End the threads; what is being sent or fetched is given up."""
        self.feed.stop(_PATIENCE)
        for work in (self.sending, self.download):
            if work is not None:
                work.cancel()
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
