"""Choosing what Cycles computes on."""

import re
from typing import Any

import bpy

from agent.blender.inside.errors import CommandError

#: The compute device types that the farm knows, by Cycles' identifiers.
KINDS = ("CPU", "CUDA", "OPTIX", "HIP", "METAL", "ONEAPI")

#: Cycles writes a device's place on the bus into its id; integrated and Apple's ones have none.
_PLACE = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}")


def list_devices() -> list[Any]:
    """Return the devices that Cycles finds, as its preferences show them, those of a kind by their places on the bus.

    Cycles itself puts a card that drives a display last, which would give it another number than the driver's tools do.
    """
    cycles: Any = bpy.context.preferences.addons.get("cycles")
    if cycles is None:
        return []
    cycles.preferences.refresh_devices()
    known = [entry for entry in cycles.preferences.devices if entry.type in KINDS]
    return sorted(known, key=lambda entry: (KINDS.index(entry.type), _place(entry)))


def use_device(device: str) -> None:
    """Have every scene's Cycles compute on ``device``.

    Args:
        device: ``CPU``, or a compute device type with the numbers of its devices: ``OPTIX``, ``CUDA:1``, ``HIP:0,2``.
            Without numbers all devices of the type are used together.

    Raises:
        CommandError: there is no such device.
    """
    kind, _, numbers = device.partition(":")
    if kind != "CPU":
        _enable(kind, [int(number) for number in numbers.split(",")] if numbers else None)
    for scene in bpy.data.scenes:
        cycles = getattr(scene, "cycles", None)
        if cycles is not None:
            cycles.device = "CPU" if kind == "CPU" else "GPU"


def _enable(kind: str, numbers: list[int] | None) -> None:
    preferences: Any = bpy.context.preferences.addons["cycles"].preferences
    try:
        preferences.compute_device_type = kind
    except TypeError as error:
        raise CommandError("no_device", f"This Blender cannot compute on {kind} devices.") from error
    found = [entry for entry in list_devices() if entry.type == kind]
    absent = [number for number in numbers or () if number >= len(found)]
    if absent:
        raise CommandError(
            "no_device", f"This machine has {len(found)} {kind} device(s); there is no {kind}:{absent[0]}."
        )
    if not found:
        raise CommandError("no_device", f"This machine has no {kind} device, or its driver is not installed.")
    chosen = found if numbers is None else [found[number] for number in numbers]
    for entry in preferences.devices:
        entry.use = entry in chosen


def _place(entry: Any) -> str:
    found = _PLACE.search(entry.id)
    return found.group() if found else ""
