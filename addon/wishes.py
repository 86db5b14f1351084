"""What the artist has set for the farm in the panel → :class:`Overrides`."""

from typing import Any

import bpy

from .chosen_farm import preferences_of
from .farm_facts import FarmFacts
from .submission import Overrides

_GB = 1024**3


def read_wishes(scene: bpy.types.Scene, facts: FarmFacts | None = None) -> Overrides:
    """Return what is wanted otherwise than the scene has it.  Blender's main thread only.

    ``facts`` is what the farm can do, when it has told: it refuses to write to people if it cannot.
    """
    settings = scene.renderfarm
    layers = tuple(layer.name for layer in scene.view_layers if layer.renderfarm.wanted)
    return Overrides(
        name=settings.job_name.strip() or None,
        frames=settings.frames.strip() or None,
        camera=settings.camera if settings.cameras == "ONE" else None,
        view_layers=layers if settings.use_view_layers else None,
        engine=settings.engine if settings.use_engine else None,
        samples=settings.samples if settings.use_samples else None,
        resolution=(settings.resolution[0], settings.resolution[1]) if settings.use_resolution else None,
        percentage=settings.percentage if settings.use_percentage else None,
        format=None if settings.file_format == "SCENE" else settings.file_format,
        # Left open, a single frame makes no video, and a scene without sound a silent one.
        video=None if settings.video else False,
        sound=None if settings.sound else False,
        priority=settings.priority,
        max_retries=settings.max_retries,
        persistent_data=settings.persistent_data,
        allow_scripts=settings.scripts,
        farm={**_farm(settings), "notify": _notified(facts or FarmFacts())},
    )


def cameras_to_render(scene: bpy.types.Scene) -> tuple[str, ...]:
    """Return the cameras that get a job of their own each; none where a single job is wanted."""
    if scene.renderfarm.cameras != "EACH":
        return ()
    return tuple(sorted(item.name for item in scene.objects if item.type == "CAMERA"))


def _notified(facts: FarmFacts) -> list[str]:
    address = preferences_of(bpy.context).email.strip()
    return [address] if address and (facts.sends_mail or not facts.version) else []


def _farm(settings: bpy.types.PropertyGroup) -> dict[str, Any]:
    return {
        "needs": {
            "tags": [tag for name in settings.tags.split(",") if (tag := name.strip())],
            "pool": settings.pool.strip() or None,
            "device": None if settings.device == "ANY" else settings.device,
            "vram_bytes": int(settings.vram_gb * _GB),
        },
        "max_slots": settings.max_slots or None,
        "chunk_frames": settings.chunk_frames if settings.use_chunk else None,
        "target_seconds": settings.target_seconds,
        "first_look": settings.first_look,
        "hedge": settings.hedge,
        "cpu_fallback": settings.cpu_fallback,
        "stop_on_missing": settings.stop_on_missing,
    }
