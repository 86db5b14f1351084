"""What the terminal has a Blender without a window do: open a .blend and tell what is in it.

It runs in a process of its own and writes one JSON file, since Blender itself prints what it likes, and a damaged
.blend can take the whole process down.  Nothing on disk is changed, and no script of the .blend is run.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import bpy

from .dependencies import find_dependencies
from .scene_reader import read_scene
from .snapshot import to_plain


def main(blend: str, scene: str | None, answer: str) -> NoReturn:
    """Write what is in ``blend`` to the file ``answer``, and end the process.

    The answer is ``{"snapshot", "dependencies"}``, ``{"error": "no_scene", "scenes"}`` or
    ``{"error": "cannot_open", "blender"}``.
    """
    target = Path(answer)
    try:
        # Written before the file is opened: that may be the last thing this process does.
        target.write_text(json.dumps({"error": "cannot_open", "blender": bpy.app.version[:2]}), encoding="utf-8")
        found = _inspect(blend, scene)
        if found is not None:
            target.write_text(json.dumps(found), encoding="utf-8")
    finally:
        # Blender may hang in its own clean-up.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _inspect(blend: str, scene: str | None) -> dict[str, Any] | None:
    """Return the answer, or None when Blender cannot open the file."""
    # Blender also raises for what does not keep it from opening the file, such as a library that is not there.
    with suppress(RuntimeError):
        bpy.ops.wm.open_mainfile(filepath=blend, load_ui=False, use_scripts=False)
    if not _is_open(blend):
        return None
    if scene is not None and scene not in bpy.data.scenes:
        return {"error": "no_scene", "scenes": [item.name for item in bpy.data.scenes]}
    # Without a window the context's scene is the one that was active when the file was saved.
    snapshot = read_scene(bpy.data.scenes[scene] if scene is not None else bpy.context.scene)
    return {
        "snapshot": to_plain(snapshot),
        "dependencies": [to_plain(dependency) for dependency in find_dependencies()],
    }


def _is_open(blend: str) -> bool:
    try:
        return os.path.samefile(bpy.data.filepath, blend)  # noqa: PTH121 - Path("") would be the current folder
    except OSError:
        return False
