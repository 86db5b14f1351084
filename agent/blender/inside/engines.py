"""The render engine that a scene was saved with.

Where its add-on is not there Blender renders with another one, and RNA shows that one only (docs/FACTS.md).  What was
saved stays in the scene's own memory.
"""

import ctypes
from typing import Any

import bpy

#: Every Blender has it.
_PROBE = "BLENDER_WORKBENCH"

#: The settings of a render, of which the name is a part, are within a scene and at least this long (bytes).
_SETTINGS_BYTES = 6000
_STEP = 64
_NAME_BYTES = 32


def engine_place() -> int | None:
    """Return where in the memory of render settings the engine's name is (bytes); None: it cannot be told."""
    render: Any = bpy.context.scene.render
    before = render.engine
    render.engine = _PROBE
    try:
        start, name = render.as_pointer(), _PROBE.encode() + b"\0"
        # No further than it must be: what follows may not be ours.
        for end in range(_STEP, _SETTINGS_BYTES, _STEP):
            place = ctypes.string_at(start, end).find(name)
            if place >= 0:
                return place
        return None
    finally:
        render.engine = before


def lost_engines(place: int | None) -> dict[str, str]:
    """Return the engines that scenes were saved with and this Blender does not have, by the scenes' full names."""
    if place is None:
        return {}
    saved = {scene: _read(scene.render.as_pointer() + place) for scene in bpy.data.scenes}
    return {scene.name_full: name for scene, name in saved.items() if name and name != scene.render.engine}


def _read(address: int) -> str:
    return ctypes.string_at(address, _NAME_BYTES).partition(b"\0")[0].decode(errors="replace")
