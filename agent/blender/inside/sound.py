"""Mixing a scene's sound into one file."""

from pathlib import Path
from typing import Any

import bpy

from agent.blender.inside.errors import CommandError
from agent.blender.inside.overrides import Overrides
from agent.blender.inside.strips import strips_of


def mix_sound(scene: Any, output: str, first: int, last: int) -> None:
    """Write the scene's sound from the first to the last frame, both included, as FLAC.

    Raises:
        CommandError: the scene has no sound, or Blender could not mix it.
    """
    if not _has_sound(scene):
        raise CommandError("no_sound", f'The scene "{scene.name}" has no sound strip and no speaker.')
    if not bpy.app.build_options.audaspace:
        raise CommandError("no_sound", "The agent's Blender was built without sound; the bpy module of 4.2 is.")
    overrides = Overrides()
    try:
        # Blender keeps the start at or before the end: widen first, then set both.
        overrides.set(scene, "frame_end", max(scene.frame_end, last))
        overrides.set(scene, "frame_start", first)
        overrides.set(scene, "frame_end", last)
        with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            bpy.ops.sound.mixdown(filepath=output, container="FLAC", codec="FLAC", format="S16")
    except RuntimeError as error:
        raise CommandError("no_sound", f"Blender could not mix the sound: {str(error).strip()}") from error
    finally:
        overrides.undo()
    if not Path(output).is_file() or Path(output).stat().st_size == 0:
        raise CommandError("no_sound", "Blender reported success but wrote no sound file.")


def _has_sound(scene: Any) -> bool:
    return any(strip.type == "SOUND" for strip in strips_of(scene)) or any(
        item.type == "SPEAKER" for item in scene.objects
    )
