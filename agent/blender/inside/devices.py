"""Choosing what Cycles computes on."""

from typing import Any

import bpy

from agent.blender.inside.errors import CommandError


def use_device(device: str) -> None:
    """Have every scene's Cycles compute on ``device``.

    Args:
        device: ``CPU``, or a compute device type with an optional index: ``OPTIX``, ``CUDA:1``.  Without an index all
            devices of the type are used together.

    Raises:
        CommandError: there is no such device.
    """
    kind, _, index = device.partition(":")
    if kind != "CPU":
        _enable(kind, int(index) if index else None)
    for scene in bpy.data.scenes:
        cycles = getattr(scene, "cycles", None)
        if cycles is not None:
            cycles.device = "CPU" if kind == "CPU" else "GPU"


def _enable(kind: str, index: int | None) -> None:
    preferences: Any = bpy.context.preferences.addons["cycles"].preferences
    try:
        preferences.compute_device_type = kind
    except TypeError as error:
        raise CommandError("no_device", f"This Blender cannot compute on {kind} devices.") from error
    preferences.refresh_devices()
    found = [entry for entry in preferences.devices if entry.type == kind]
    if index is not None and index >= len(found):
        raise CommandError("no_device", f"This machine has {len(found)} {kind} device(s); there is no {kind}:{index}.")
    if not found:
        raise CommandError("no_device", f"This machine has no {kind} device, or its driver is not installed.")
    chosen = found if index is None else [found[index]]
    for entry in preferences.devices:
        entry.use = entry in chosen
