"""What mends what the preflight finds, at a push of a button: one operator, and Blender's own where it has one."""

from collections.abc import Callable, Mapping

import bpy
from bpy.props import StringProperty

from . import state
from .preparing import Preparation
from .scene_reader import read_scene
from .submission import Overrides, output_format


def _use_camera(scene: bpy.types.Scene) -> None:
    scene.camera = min((item for item in scene.objects if item.type == "CAMERA"), key=lambda item: item.name)
    scene.renderfarm.cameras = "SCENE"


def _add_camera(scene: bpy.types.Scene) -> None:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    # Where Blender's own first scene has it.
    camera.location, camera.rotation_euler = (7.36, -6.93, 4.96), (1.109, 0.0, 0.815)
    scene.collection.objects.link(camera)
    scene.camera = camera


def _use_layers(scene: bpy.types.Scene) -> None:
    for layer in scene.view_layers:
        layer.use = True


def _swap_range(scene: bpy.types.Scene) -> None:
    scene.frame_start, scene.frame_end = scene.frame_end, scene.frame_start


def _set(**values: object) -> Callable[[bpy.types.Scene], None]:
    """Return what changes settings of the farm's panel."""

    def change(scene: bpy.types.Scene) -> None:
        for name, value in values.items():
            setattr(scene.renderfarm, name, value)

    return change


def _stereo(scene: bpy.types.Scene) -> None:
    scene.render.image_settings.views_format = "STEREO_3D"


def _choose_format(scene: bpy.types.Scene) -> None:
    snapshot = read_scene(scene)
    scene.renderfarm.file_format = output_format(snapshot, Overrides())


def _open_image_denoise(scene: bpy.types.Scene) -> None:
    scene.cycles.denoiser = "OPENIMAGEDENOISE"


def _no_denoiser(scene: bpy.types.Scene) -> None:
    scene.cycles.use_denoising = False


#: By :attr:`Problem.fix`: what the button says, and what it does.
_FIXES: Mapping[str, tuple[str, Callable[[bpy.types.Scene], None]]] = {
    "use_camera": ("Use the Scene's Camera", _use_camera),
    "add_camera": ("Add a Camera", _add_camera),
    "scene_camera": ("Use the Scene's Camera", _set(cameras="SCENE")),
    "use_layers": ("Render All View Layers", _use_layers),
    "all_layers": ("Render as in the Scene", _set(use_view_layers=False)),
    "swap_range": ("Swap Start and End", _swap_range),
    "scene_frames": ("Use the Scene's Range", _set(frames="")),
    "no_sound": ("Leave the Sound Out", _set(sound=False)),
    "allow_scripts": ("Run Python", _set(scripts=True)),
    "no_scripts": ("Do Not Run Python", _set(scripts=False)),
    "choose_format": ("Accept This Format", _choose_format),
    "stereo_3d": ("Use Stereo 3D", _stereo),
    "any_device": ("Use Any Device", _set(device="ANY")),
    "any_pool": ("Use All Agents", _set(pool="")),
    "open_image_denoise": ("Use OpenImageDenoise", _open_image_denoise),
    "no_denoiser": ("Turn Denoising Off", _no_denoiser),
}

#: Blender's own operators.
_BLENDERS = {
    "find_files": ("Find Missing Files…", "file.find_missing_files", {}),
    "bake": ("Bake All Dynamics", "ptcache.bake_all", {"bake": True}),
}


class RENDERFARM_OT_fix(bpy.types.Operator):
    """Mend this, and look at the scene again"""

    bl_idname = "renderfarm.fix"
    bl_label = "Fix"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads it from the class

    fix: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Mend it."""
        if self.fix not in _FIXES:
            return {"CANCELLED"}
        _FIXES[self.fix][1](context.scene)
        now = state.current()
        preparing = Preparation(context.scene, None, now.feed.latest().facts, None)
        preparing.finish()
        now.checked, now.trouble = preparing.checked, ""
        return {"FINISHED"}


def draw_fix(layout: bpy.types.UILayout, fix: str) -> None:
    """Draw the button that mends a finding, if there is one."""
    if fix in _FIXES:
        layout.operator("renderfarm.fix", text=_FIXES[fix][0]).fix = fix
    elif fix in _BLENDERS:
        label, operator, values = _BLENDERS[fix]
        layout.operator_context = "INVOKE_DEFAULT"
        button = layout.operator(operator, text=label)
        for name, value in values.items():
            setattr(button, name, value)


CLASSES = (RENDERFARM_OT_fix,)
