"""What this Blender can do on this machine."""

from typing import Any

import bpy

from agent.blender.inside.devices import list_devices

#: The farm's names of Blender's own engines, and Blender's: EEVEE's changed with 4.2 and back with 5.0.
_ENGINES = {
    "CYCLES": ("CYCLES",),
    "EEVEE": ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE"),
    "WORKBENCH": ("BLENDER_WORKBENCH",),
}


def abilities(look_for_devices: bool) -> dict[str, list[Any]]:
    """Return the engines that render, the denoisers of Cycles, and the devices it computes on.

    Args:
        look_for_devices: without it none are told, and no driver is asked: a broken one can end the process.
    """
    found = list_devices() if look_for_devices else []
    devices = [{"type": entry.type, "name": entry.name, "id": entry.id} for entry in found]
    return {"engines": _engines(), "denoisers": _denoisers(devices), "devices": devices}


def _engines() -> list[str]:
    render: Any = bpy.context.scene.render
    before = render.engine
    try:
        return [name for name, identifiers in _ENGINES.items() if any(_takes(render, one) for one in identifiers)]
    finally:
        render.engine = before


def _takes(render: Any, engine: str) -> bool:
    try:
        render.engine = engine
    except TypeError:
        return False
    return True


def _denoisers(devices: list[dict[str, str]]) -> list[str]:
    try:
        import _cycles
    except ImportError:
        return []  # built without Cycles
    with_oidn = ["OPENIMAGEDENOISE"] if getattr(_cycles, "with_openimagedenoise", False) else []
    return with_oidn + (["OPTIX"] if any(device["type"] == "OPTIX" for device in devices) else [])
