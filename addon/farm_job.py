"""A job as the farm tells of it, checked on arrival and put into words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .client import FarmError
from .wording import counted

#: States in which a job can still be cancelled, and those in which it can be paused.
UNDER_WAY = frozenset({"blocked", "queued", "running", "paused", "stitching"})
PAUSABLE = frozenset({"blocked", "queued", "running"})


@dataclass(frozen=True)
class FarmJob:
    """One line of the list of jobs."""

    id: int
    name: str
    state: str
    """One of docs/STATES.md's, or one that a newer coordinator has."""
    reason: str
    """Why it failed; empty otherwise."""
    waiting: str
    """Why nothing renders it though it has not ended; empty otherwise."""
    frame_count: int
    finished: int
    progress: float
    """0-1."""
    eta_seconds: float | None
    video_ready: bool
    failed: int = 0
    """Frames."""
    doubtful: int = 0
    """Finished frames that may not be what the artist meant."""
    priority: int = 50
    user: str = ""
    frames: str = ""
    """As ascending runs."""
    latest_frame: int | None = None
    """The frame that was finished last."""
    file_format: str = ""
    """Of the frames, by Blender's identifier."""
    has_sound: bool = False
    """Of the video."""

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        """Return the job in the public API's answer.

        Raises:
            FarmError: the answer is no job.
        """
        try:
            eta, latest = answer["eta_seconds"], answer.get("latest_frame")
            output = answer.get("output") or {}
            return cls(
                id=int(answer["id"]),
                name=str(answer["name"]),
                state=str(answer["state"]),
                reason=str(answer["reason"] or ""),
                # A coordinator of an older version does not say.
                waiting=str(answer.get("waiting") or ""),
                frame_count=int(answer["frame_count"]),
                finished=int(answer["finished"]),
                progress=min(max(float(answer["progress"]), 0.0), 1.0),
                eta_seconds=None if eta is None else float(eta),
                video_ready=bool(answer["video_ready"]),
                failed=int(answer.get("failed") or 0),
                doubtful=int(answer.get("doubtful") or 0),
                priority=int(answer.get("priority", 50)),
                user=str(answer.get("user") or ""),
                frames=str(answer.get("frames") or ""),
                latest_frame=None if latest is None else int(latest),
                file_format=str(output.get("format") or ""),
                has_sound=answer.get("sound_state") == "ready",
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FarmError(
                "not_a_coordinator",
                f"The coordinator's list of jobs cannot be read ({error}).",
                "Is the extension older or newer than the coordinator?  Install the one that came with it.",
            ) from error

    @property
    def under_way(self) -> bool:
        """It has not ended yet."""
        return self.state in UNDER_WAY

    @property
    def picture_version(self) -> str:
        """Changes with every picture that comes in."""
        return f"{self.latest_frame}-{self.finished}"

    @property
    def ending(self) -> str:
        """What became of it, as a sentence."""
        match self.state:
            case "completed":
                doubt = f"  {counted(self.doubtful, 'frame')} may be wrong." if self.doubtful else ""
                return f"“{self.name}” is rendered: {counted(self.finished, 'frame')}.{doubt}"
            case "failed":
                return f"“{self.name}” failed.  {self.reason}".strip()
            case _:
                return f"“{self.name}” is {self.state}."

    @property
    def details(self) -> str:
        """All that is known, for whoever is asked for help."""
        lines = (
            f"Job {self.id} “{self.name}” of {self.user or 'someone'}: {self.state}",
            f"Frames: {self.frames or self.frame_count} ({self.finished} finished, {self.failed} failed)",
            self.reason,
            self.waiting,
        )
        return "\n".join(line for line in lines if line)

    @property
    def detail(self) -> str:
        """How far it is, in a few characters."""
        match self.state:
            case "running":
                share = f"{self.progress:.0%}"
                return share if self.eta_seconds is None else f"{share} · {duration(self.eta_seconds)}"
            case "stitching":
                return "Making the video"
            case "completed":
                return "Done"
            case "queued":
                return "Waiting"
            case "blocked":
                return "After other jobs"
            case _:
                return self.state.capitalize()


def duration(seconds: float) -> str:
    """Return a length of time as people say it: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
