"""A submission's steps in Blender's main thread, a few milliseconds at a time.

What the artist changes meanwhile is seen: then the scene is looked at anew, so that the copy that is sent and what was
found out about it are of one moment.
"""

import time
from collections.abc import Generator

import bpy

from .client import FarmError
from .connection import Connection
from .farm_facts import FarmFacts
from .preflight import Severity
from .sending import Change, CheckedScene, SceneSubmission, checking, prepare

#: Seconds that Blender is kept from drawing at a time, as long as one step is no longer.
SLICE_SECONDS = 0.012

#: A scene that changes again and again (it plays, or a script runs) is looked at in one go in the end.
_MOST_BEGINNINGS = 3

#: What tells that the scene is not what it was, by Blender's names of its handlers.
_CHANGES = ("depsgraph_update_post", "undo_post", "redo_post", "load_post")


class Preparation:
    """One look at a scene, and what is sent of it if it is to be sent.

    Call :meth:`advance` until it is no longer ``active``; with ``farm`` None the scene is only looked at.
    """

    def __init__(
        self, scene: bpy.types.Scene, change: Change | None, facts: FarmFacts, farm: Connection | None
    ) -> None:
        self.message = "Reading the scene"
        self.checked: CheckedScene | None = None
        """What was found, once that is known."""
        self.asking = False
        """It waits for the artist to say whether to submit in spite of warnings."""
        self.error = ""
        """Why nothing is sent, in the artist's words."""
        self.submission: SceneSubmission | None = None
        """It is ready to start."""
        self.active = True
        self._scene, self._change, self._facts, self._farm = scene.name, change, facts, farm
        self._blend = bpy.data.filepath
        self._confirmed = False
        self._changed = False
        self._beginnings = 0
        self._steps: Generator[str, None, CheckedScene] | None = None
        for name in _CHANGES:
            getattr(bpy.app.handlers, name).append(self._notice)

    def advance(self, seconds: float = SLICE_SECONDS) -> None:
        """Take steps for about so many seconds, one at least."""
        until = time.monotonic() + seconds
        while self.active and not self.asking:
            self._step()
            if time.monotonic() >= until:
                return

    def finish(self) -> None:
        """Take all steps at once; warnings are no reason to ask."""
        self._confirmed = True
        while self.active:
            self.advance(60.0)

    def confirm(self) -> None:
        """Submit in spite of warnings."""
        self._confirmed, self.asking = True, False

    def cancel(self) -> None:
        """Give it up."""
        self._end()

    def _step(self) -> None:
        if self._changed and self._beginnings < _MOST_BEGINNINGS:
            self._steps = self.checked = None
        try:
            if self._steps is None and self.checked is None:
                self._begin()
            elif self.checked is None:
                self._look()
            else:
                self._decide(self.checked)
        except (FarmError, RuntimeError, OSError, ReferenceError) as error:
            self._fail(str(error).removeprefix("Error: ").strip())

    def _begin(self) -> None:
        scene = bpy.data.scenes.get(self._scene)
        if scene is None or bpy.data.filepath != self._blend:
            self._fail("Another file was opened; nothing was sent.")
            return
        self._changed = False
        self._beginnings += 1
        self._steps = checking(scene, self._change, self._facts)

    def _look(self) -> None:
        assert self._steps is not None  # noqa: S101 - _step() has seen to that
        try:
            self.message = next(self._steps)
            while self._beginnings >= _MOST_BEGINNINGS:
                self.message = next(self._steps)
        except StopIteration as end:
            self.checked = end.value

    def _decide(self, checked: CheckedScene) -> None:
        if self._farm is None:
            self._end()
        elif errors := checked.problems_of(Severity.ERROR):
            self._fail(str(errors[0]))
        elif checked.problems_of(Severity.WARNING) and not self._confirmed:
            self.asking = True
        else:
            self.message = "Saving a copy"
            self.submission = prepare(checked, self._farm)
            self._end()

    def _fail(self, sentence: str) -> None:
        self.error = sentence
        self._end()

    def _end(self) -> None:
        self.active = self.asking = False
        self._steps = None
        for name in _CHANGES:
            handlers = getattr(bpy.app.handlers, name)
            if self._notice in handlers:
                handlers.remove(self._notice)

    def _notice(self, *_: object) -> None:
        self._changed = True
