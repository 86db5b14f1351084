"""Setting a scene up for a job: what the job overrides, the rest the scene's own."""

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import bpy

from agent.blender.inside.devices import use_device
from agent.blender.inside.errors import CommandError
from agent.blender.inside.overrides import Overrides
from agent.blender.inside.pictures import use_format
from agent.blender.inside.strips import strips_of
from agent.blender.inside.views import check_views


def find_scene(name: str | None) -> Any:
    """Return the scene of that name, the file's own before a linked one; without a name, the active one.

    Raises:
        CommandError: there is none.
    """
    if name is None:
        return bpy.context.scene
    scene = bpy.data.scenes.get((name, None)) or bpy.data.scenes.get(name)
    if scene is None:
        names = ", ".join(f'"{scene.name}"' for scene in bpy.data.scenes)
        raise CommandError("no_scene", f'The file has no scene "{name}"; its scenes are {names}.')
    return scene


def configure(
    scene: Any, render: Mapping[str, Any], file_format: str, device: str, threads: int | None, overrides: Overrides
) -> list[str]:
    """Set the scene up and return warnings for the job's owner.

    Args:
        scene: the scene to render.
        render: a RenderSpec; None leaves the scene's own value.
        file_format: ``PNG``, ``JPEG``, ``OPEN_EXR`` or ``OPEN_EXR_MULTILAYER``.
        device: ``CPU``, or a compute device type of Cycles with an optional index: ``OPTIX``, ``CUDA:1``.
        threads: processor threads to render with; None leaves the choice to the scene.
        overrides: takes note of every change; the changes of the job before have been undone.

    Raises:
        CommandError: the scene cannot be rendered like that.
    """
    check_views(scene.render)
    use_format(scene.render.image_settings, file_format, overrides)
    if render["camera"] is not None:
        _use_camera(scene, render["camera"], overrides)
    if render["view_layers"] is not None:
        _use_view_layers(scene, render["view_layers"], overrides)
    _use_engine(scene, render["engine"], overrides)
    warnings = [] if render["samples"] is None else _use_samples(scene, render["samples"], overrides)
    if render["resolution"] is not None:
        overrides.set(scene.render, "resolution_x", render["resolution"][0])
        overrides.set(scene.render, "resolution_y", render["resolution"][1])
    if render["percentage"] is not None:
        overrides.set(scene.render, "resolution_percentage", render["percentage"])
    if threads is not None:
        overrides.set(scene.render, "threads_mode", "FIXED")
        overrides.set(scene.render, "threads", threads)
    use_device("CPU" if render["processor"] else device)
    # Turning it off frees what was prepared under other settings.
    scene.render.use_persistent_data = False
    scene.render.use_persistent_data = render["persistent_data"]
    return warnings


def frame_size(scene: Any) -> tuple[int, int] | None:
    """Return the finished frame's width and height in pixels, or None where Blender decides only while rendering.

    The arithmetic is Blender's (``BKE_render_resolution``, and the border in ``render_init_from_main``): whole
    percents, then borders in single precision, each rounded down.
    """
    render = scene.render
    width = render.resolution_x * render.resolution_percentage // 100
    height = render.resolution_y * render.resolution_percentage // 100
    if render.use_multiview:
        return None
    if not (render.use_border and render.use_crop_to_border):
        return width, height
    if uses_sequencer(scene):
        return None
    left, right = (_edge(edge, width) for edge in (render.border_min_x, render.border_max_x))
    bottom, top = (_edge(edge, height) for edge in (render.border_min_y, render.border_max_y))
    return right - left, top - bottom


def uses_sequencer(scene: Any) -> bool:
    """Tell whether the picture comes from the scene's video sequencer."""
    return bool(scene.render.use_sequencer) and any(strip.type != "SOUND" for strip in strips_of(scene))


def _edge(border: float, pixels: int) -> int:
    return int(ctypes.c_float(border * pixels).value)


def _use_camera(scene: Any, name: str, overrides: Overrides) -> None:
    camera = scene.objects.get(name)
    if camera is None or camera.type != "CAMERA":
        cameras = ", ".join(f'"{item.name}"' for item in scene.objects if item.type == "CAMERA") or "none"
        raise CommandError("no_camera", f'The scene has no camera "{name}"; its cameras: {cameras}.')
    overrides.set(scene, "camera", camera)
    # A marker would bring its own camera back at its frame.
    for marker in scene.timeline_markers:
        if marker.camera is not None:
            overrides.set(marker, "camera", None)


def _use_view_layers(scene: Any, names: Sequence[str], overrides: Overrides) -> None:
    unknown = [name for name in names if name not in scene.view_layers]
    if unknown:
        layers = ", ".join(f'"{layer.name}"' for layer in scene.view_layers)
        raise CommandError("no_layer", f'The scene has no view layer "{unknown[0]}"; its view layers: {layers}.')
    for layer in scene.view_layers:
        overrides.set(layer, "use", layer.name in names)
    # Otherwise only the one that was shown last would be rendered.
    overrides.set(scene.render, "use_single_layer", False)


def _use_engine(scene: Any, wanted: str | None, overrides: Overrides) -> None:
    if wanted is None:
        return
    try:
        overrides.set(scene.render, "engine", _engine_id(wanted))
    except TypeError as error:
        raise CommandError("no_engine", f'This Blender has no render engine "{wanted}".') from error


def _engine_id(name: str) -> str:
    # EEVEE was renamed for 4.2 to 4.5 and has had its old name back since 5.0.
    eevee = "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0) else "BLENDER_EEVEE"
    short = {
        "EEVEE": eevee,
        "BLENDER_EEVEE": eevee,
        "BLENDER_EEVEE_NEXT": eevee,
        "WORKBENCH": "BLENDER_WORKBENCH",
    }
    return short.get(name.upper(), name.upper())


def _use_samples(scene: Any, samples: int, overrides: Overrides) -> list[str]:
    if scene.render.engine == "CYCLES":
        overrides.set(scene.cycles, "samples", samples)
    elif scene.render.engine.startswith("BLENDER_EEVEE"):
        overrides.set(scene.eevee, "taa_render_samples", samples)
    else:
        return [f"{samples} samples were asked for, but {scene.render.engine} has no sample count; it was left alone."]
    return []
