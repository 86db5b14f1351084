"""Changes to an opened scene that can be taken back, so that a setting left to the scene is the scene's own again."""

from collections.abc import Callable
from functools import partial
from typing import Any


class Overrides:
    """Settings changed for a job; :meth:`undo` puts the scene's own values back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute of a Blender object and remember what it was."""
        before = getattr(owner, name)
        if before != value:
            setattr(owner, name, value)
            self._undo.append(partial(setattr, owner, name, before))

    def add(self, undo: Callable[[], None]) -> None:
        """Remember how to take back a change that was made elsewhere."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Take back every change, the last one first."""
        while self._undo:
            self._undo.pop()()
