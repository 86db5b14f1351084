"""Letting geometry nodes read the bakes that a scene keeps on disk.

Blender looks for a bake when it opens the file, and never again where it found none or could not read it; a copy of the
modifier that was not evaluated yet does look.  And Blender opens what is baked for writing too, which a pack does not
let it: then it reads a copy.  Both were seen with 4.5.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy


def move_bakes(find: Callable[[str, Any], str | None]) -> list[str]:
    """Have geometry nodes read their bakes from where ``find`` says (stored path, library → path, None: as stored).

    Returns:
        a warning for each object whose bakes cannot be read.
    """
    copies: dict[str, str | None] = {}

    def place(stored: str, library: Any) -> str | None:
        folder = find(stored, library)
        there = folder or _absolute(stored, library)
        if there not in copies:
            copies[there] = _writable(there)
        return copies[there] or folder

    warnings = []
    for item in list(bpy.data.objects):
        for modifier in [modifier for modifier in item.modifiers if modifier.type == "NODES"]:
            shared = place(modifier.bake_directory, item.library) if modifier.bake_directory else None
            own = {
                bake.bake_id: place(bake.directory, item.library)
                for bake in modifier.bakes
                if bake.use_custom_path and bake.directory
            }
            if (shared is not None or any(own.values())) and not _move(item, modifier, shared, own):
                warnings.append(
                    f"The bakes of “{item.name}” cannot be read, as it is linked from a library; make it local, or "
                    "bake it into its .blend."
                )
    return warnings


def _move(item: Any, modifier: Any, shared: str | None, own: dict[int, str | None]) -> bool:
    """Put a copy that reads its bakes elsewhere in a modifier's place; tell whether that was possible."""
    name, visible, directory = modifier.name, modifier.show_viewport, modifier.bake_directory
    known = {each.name for each in item.modifiers}
    if item.library is not None:
        return False
    modifier.show_viewport = False  # so that the copy is not evaluated before it knows where to look
    with suppress(RuntimeError), bpy.context.temp_override(object=item, active_object=item):
        bpy.ops.object.modifier_copy(modifier=name)
    copy = next((each for each in item.modifiers if each.name not in known), None)
    if copy is None:
        modifier.show_viewport = visible
        return False
    copy.bake_directory = shared or directory
    for bake in copy.bakes:
        bake.directory = own.get(bake.bake_id) or bake.directory
    item.modifiers.remove(modifier)
    copy.name, copy.show_viewport = name, visible
    return True


def _writable(folder: str) -> str | None:
    """Return a copy of a folder of bakes that Blender can write to, None where it can already or there is none."""
    names = [os.path.join(inner, name) for inner, _, names in os.walk(folder) for name in names]  # noqa: PTH118 - thousands of plain names
    if all(os.access(name, os.W_OK) for name in names):
        return None
    copy = tempfile.mkdtemp(prefix="bakes-", dir=bpy.app.tempdir)
    for name in names:
        target = Path(copy, os.path.relpath(name, folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(name, target)
    return copy


def _absolute(stored: str, library: Any) -> str:
    return os.path.normpath(str(bpy.path.abspath(stored, library=library)))
