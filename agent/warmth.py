"""Whether a warm session of a scene that renders ever more slowly is worth it (pure).

EEVEE without a graphics card takes longer for each frame after a Blender's first one, where lights cast shadows, and
twice as long is not rare (docs/FACTS.md).  Then a new Blender for every frame is quicker, though it opens the scene
each time.  Which it is shows in the times alone: of the frames of a session, and of the first one of the next.
"""

from collections import defaultdict
from dataclasses import dataclass, field

#: A new Blender must be quicker by this factor, its start included: times differ from frame to frame.
MARGIN = 1.25

#: So many frames of a session on end must be slow before a new Blender is tried.
SLOW = 2

#: And so many where the session's first frame compiled shaders, and so tells nothing of a new Blender's.
UNKNOWN = 8

#: After that many frames in Blenders of their own a session is kept for one more: the scene may have changed.
MOST_ALONE = 32


@dataclass(slots=True)
class _Scene:
    """What is known of a job."""

    load: float = 0.0
    """What starting a Blender and opening the scene took last (seconds)."""
    first: float = 0.0
    """The session's first frame."""
    cold: bool = False
    """In which shaders were compiled."""
    warm: list[float] = field(default_factory=list)
    """The session's other frames."""
    slow: float | None = None
    """What a frame took in the session before, which was ended to see whether a new Blender is quicker."""
    alone: int = 0
    """So many frames are to be rendered in Blenders of their own."""
    streak: int = 1
    """And so many the next time that this turns out to be quicker."""
    hopeless: bool = False
    """A new Blender was no quicker."""


class Warmth:
    """Of one slot."""

    def __init__(self) -> None:
        self._scenes: defaultdict[int, _Scene] = defaultdict(_Scene)

    def opened(self, job_id: int, seconds: float, *, cold: bool = False) -> None:
        """A new Blender has opened a job's scene in so many seconds, its start included.

        It is ``cold`` when its first frame takes what later Blenders' will not: shaders are compiled.
        """
        scene = self._scenes[job_id]
        scene.load, scene.first, scene.cold = seconds, 0.0, cold
        scene.warm.clear()

    def rendered(self, job_id: int, seconds: float) -> str | None:
        """Take note of a frame; return why the next one shall have a new Blender, a sentence for the agent's log."""
        scene = self._scenes[job_id]
        if not scene.first:
            scene.first = seconds
            return self._judge(scene)
        scene.warm.append(seconds)
        slow, fresh = min(scene.warm[-SLOW:]), scene.load + (0.0 if scene.cold else scene.first)
        # Once it has shown to be so, a single frame tells.
        enough = UNKNOWN if scene.cold else 1 if scene.streak > 1 else SLOW
        if scene.hopeless or len(scene.warm) < enough or slow <= MARGIN * fresh:
            return None
        scene.slow = slow
        return (
            f"Frames take {slow:.1f} s after the session's first one, which took {scene.first:.1f} s: a new Blender"
            f" may be quicker, though opening the scene takes {scene.load:.1f} s."
        )

    def _judge(self, scene: _Scene) -> str | None:
        """Return why a session ends with its first frame."""
        slow, scene.slow = scene.slow, None
        if slow is not None:
            scene.hopeless = slow <= MARGIN * (scene.load + scene.first)
            scene.alone = 0 if scene.hopeless else scene.streak
            scene.streak = min(2 * scene.streak, MOST_ALONE)
        if not scene.alone:
            return None
        scene.alone -= 1
        return "It is quicker with a new Blender for each frame."
