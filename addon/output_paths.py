"""The open scene's output path, made absolute and with its templates filled in.  Blender's main thread only."""

from pathlib import Path

import bpy

from .destinations import Destination
from .frame_names import fill_templates


def destination_of(scene: bpy.types.Scene, camera: str = "") -> Destination | None:
    """Return where Blender would write the scene's frames; None: only Blender knows, while it renders.

    ``camera`` is one of several that get a folder of their own each.
    """
    render = scene.render
    pattern = render.filepath
    if "{" in pattern and bpy.app.version >= (4, 5):
        filled = fill_templates(pattern, _templates(scene))
        if filled is None:
            return None
        pattern = filled
    if not pattern or (pattern.startswith("//") and not bpy.data.filepath):
        return None
    absolute = bpy.path.abspath(pattern)
    ends_with_slash = absolute.endswith(("/", "\\"))
    path = str(Path(absolute).absolute())
    return Destination(f"{path}/" if ends_with_slash else path, bool(render.use_file_extension), camera)


def _templates(scene: bpy.types.Scene) -> dict[str, str]:
    """Return what Blender fills in where no format is asked for (``BKE_build_template_variables_for_render_path``)."""
    render = scene.render
    values = {
        "resolution_x": str(render.resolution_x * render.resolution_percentage // 100),
        "resolution_y": str(render.resolution_y * render.resolution_percentage // 100),
        "scene_name": scene.name,
    }
    if bpy.data.filepath:
        values["blend_name"] = Path(bpy.data.filepath).stem
        values["blend_dir"] = str(Path(bpy.data.filepath).parent)
    if scene.camera is not None:
        values["camera_name"] = scene.camera.name
    return values
