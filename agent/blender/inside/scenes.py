"""What the scenes of an open file are set to, for people who are about to submit it."""

from typing import Any

import bpy

from agent.blender.inside.configure import uses_sequencer
from agent.blender.inside.strips import strips_of


def scenes() -> list[dict[str, Any]]:
    """Return the file's own scenes, as coordinator.protocol's ``SceneFacts`` names their values."""
    return [_facts(scene) for scene in bpy.data.scenes if scene.library is None]


def active_scene() -> str:
    """Return the scene that was active when the file was saved."""
    return str(bpy.context.scene.name)


def _facts(scene: Any) -> dict[str, Any]:
    render = scene.render
    cropped = render.use_border and render.use_crop_to_border
    return {
        "name": scene.name,
        "camera": scene.camera.name if scene.camera is not None else None,
        "cameras": sorted(item.name for item in scene.objects if item.type == "CAMERA"),
        "camera_changes": any(marker.camera is not None for marker in scene.timeline_markers),
        "view_layers": [layer.name for layer in scene.view_layers if layer.use],
        "frame_start": scene.frame_start,
        "frame_end": scene.frame_end,
        "frame_step": scene.frame_step,
        "frame_current": scene.frame_current,
        "fps": render.fps / render.fps_base,
        "resolution": [render.resolution_x, render.resolution_y],
        "percentage": render.resolution_percentage,
        "plain_size": not (cropped or render.use_multiview),
        "engine": render.engine,
        "samples": None if uses_sequencer(scene) else _samples(scene),
        "format": render.image_settings.file_format,
        "sound": _has_sound(scene),
    }


def _samples(scene: Any) -> int | None:
    if scene.render.engine == "CYCLES":
        return int(scene.cycles.samples)
    if scene.render.engine.startswith("BLENDER_EEVEE"):
        return int(scene.eevee.taa_render_samples)
    return None


def _has_sound(scene: Any) -> bool:
    if any(strip.type == "SOUND" and not strip.mute for strip in strips_of(scene)):
        return True
    return any(item.type == "SPEAKER" and not item.data.muted for item in scene.objects)
