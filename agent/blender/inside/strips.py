"""The strips of a scene's video sequencer, whatever this Blender calls them."""

from collections.abc import Iterable
from typing import Any


def strips_of(scene: Any) -> Iterable[Any]:
    """Return every strip of the scene, those inside meta strips too."""
    editor = scene.sequence_editor
    if editor is None:
        return ()
    # Blender 4.4 renamed sequences to strips; 5.0 dropped the old name.
    strips: Iterable[Any] = editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all
    return strips
