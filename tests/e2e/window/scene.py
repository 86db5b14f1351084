"""Makes the artist's scene and takes the splash screen away.  Debian's Blender has no denoiser: none is used."""

import hashlib
from math import tau
from pathlib import Path

import bpy

scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples = 64
scene.cycles.use_denoising = False
scene.render.resolution_x, scene.render.resolution_y = 160, 90
scene.render.filepath = "//render/beauty_###"
scene.frame_start, scene.frame_end = 1, 24
cube = bpy.data.objects["Cube"]
cube.keyframe_insert("rotation_euler", frame=1)
cube.rotation_euler.z = tau / 4
cube.keyframe_insert("rotation_euler", frame=24)
Path("shots").mkdir()
blend = Path("shots/010.blend").absolute()
bpy.ops.wm.save_as_mainfile(filepath=str(blend))
Path("digest").write_text(hashlib.sha256(blend.read_bytes()).hexdigest())
bpy.context.preferences.view.show_splash = False
bpy.ops.wm.save_userpref()
