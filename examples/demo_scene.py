"""Makes the demo's scene: a still life in motion that loops, with a texture and a sound file beside the .blend.

Run it in Blender 4.2 or newer, as a module or an executable::

    python examples/demo_scene.py FOLDER
    blender -b --factory-startup --python-exit-code 1 -P examples/demo_scene.py -- FOLDER

Nothing in it needs the denoiser or a GPU, which not every Blender has.
"""

import math
import os
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

BLEND_NAME = "still_life.blend"
TEXTURE_NAME = "terrazzo.png"
SOUND_NAME = "chimes.wav"

FRAMES = 36
FPS = 24
BOUNCES = 3  # of the ball, over the whole loop; each sounds a chime
WIDTH, HEIGHT = 480, 270
SAMPLES = 16

Colour = tuple[float, float, float]
CREAM: Colour = (0.88, 0.80, 0.68)
CORAL: Colour = (0.90, 0.22, 0.13)
TEAL: Colour = (0.02, 0.30, 0.33)
NAVY: Colour = (0.03, 0.06, 0.22)
GOLD: Colour = (0.95, 0.58, 0.16)
BLUSH: Colour = (0.86, 0.47, 0.38)
LAMP: Colour = (1.0, 0.72, 0.42)


def write_texture(path: Path, size: int = 1024, chips: int = 420) -> None:
    """Write a terrazzo that tiles: chips of stone, each the inside of a few random half-planes."""
    random = np.random.default_rng(7)
    pixels = np.ones((size, size, 4), np.float32)
    pixels[:, :, :3] = (0.93, 0.89, 0.83)
    stones = np.array(
        [(0.80, 0.36, 0.26), (0.10, 0.38, 0.40), (0.86, 0.64, 0.30), (0.20, 0.22, 0.36), (0.99, 0.97, 0.93)]
    )
    for _ in range(chips):
        radius = int(random.integers(size // 90, size // 24))
        y, x = np.mgrid[-radius:radius, -radius:radius]
        inside = np.ones(x.shape, bool)
        for turn in range(6):
            angle = (turn + random.uniform(0, 0.8)) * math.tau / 6
            inside &= x * math.cos(angle) + y * math.sin(angle) < radius * random.uniform(0.45, 0.95)
        rows, columns = (y + random.integers(size)) % size, (x + random.integers(size)) % size
        pixels[rows[inside], columns[inside], :3] = random.choice(stones) * random.uniform(0.9, 1.05)
    image = bpy.data.images.new("terrazzo", size, size)
    image.pixels.foreach_set(np.clip(pixels, 0, 1).ravel())
    image.filepath_raw = str(path)
    image.file_format = "PNG"
    image.save()
    bpy.data.images.remove(image)


def write_sound(path: Path, rate: int = 48_000) -> None:
    """Write one chime for each bounce, exactly as long as the film."""
    length = FRAMES * rate // FPS
    time = np.arange(length) / rate
    sound = np.zeros(length)
    for bounce, pitch in enumerate((523.25, 659.25, 783.99)):  # C5, E5, G5
        start = round((bounce + 0.5) * length / BOUNCES)
        ring = time[: length - start]
        for partial, loudness in ((1, 0.6), (2.76, 0.25), (5.4, 0.1)):  # the first modes of a struck bar
            sound[start:] += loudness * np.exp(-ring * 5 * partial) * np.sin(math.tau * pitch * partial * ring)
    samples = (np.clip(sound * 0.5, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def material(
    name: str, colour: Colour, *, roughness: float = 0.5, metallic: float = 0.0, glow: float = 0.0
) -> bpy.types.Material:
    """Return a plain material; ``glow`` is its emission strength."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    inputs = made.node_tree.nodes["Principled BSDF"].inputs
    inputs["Base Color"].default_value = (*colour, 1)
    inputs["Roughness"].default_value = roughness
    inputs["Metallic"].default_value = metallic
    inputs["Emission Color"].default_value = (*colour, 1)
    inputs["Emission Strength"].default_value = glow
    return made


def terrazzo(texture: Path) -> bpy.types.Material:
    """Return the polished floor's material, textured by the file beside the .blend."""
    made = material("Terrazzo", CREAM, roughness=0.25)
    nodes, links = made.node_tree.nodes, made.node_tree.links
    picture = nodes.new("ShaderNodeTexImage")
    picture.image = bpy.data.images.load(str(texture))
    mapping = nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (0.22, 0.22, 0.22)
    place = nodes.new("ShaderNodeTexCoord")
    links.new(place.outputs["Object"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], picture.inputs["Vector"])
    links.new(picture.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return made


def finish(name: str, surface: bpy.types.Material, *, bevel: float = 0.0) -> Any:
    """Name the object just added, give it its material and round its edges or shade it smooth."""
    made = bpy.context.object
    made.name = name
    made.data.materials.append(surface)
    if bevel:
        rounded = made.modifiers.new("Bevel", "BEVEL")
        rounded.width, rounded.segments = bevel, 4
    bpy.ops.object.shade_smooth()
    return made


def animate(thing: Any, pose: Callable[[float], None]) -> None:
    """Key every frame of ``pose``, which places ``thing`` for a turn of 0–1 through the loop."""
    for frame in range(1, FRAMES + 1):
        pose((frame - 1) / FRAMES)
        for path in ("location", "rotation_euler", "scale"):
            thing.keyframe_insert(path, frame=frame)


def add_stage(texture: Path) -> None:
    """A round terrazzo floor with a plinth and two blocks."""
    bpy.ops.mesh.primitive_cylinder_add(radius=3.3, depth=0.3, vertices=128, location=(0, 0, -0.15))
    finish("Floor", terrazzo(texture), bevel=0.04)
    bpy.ops.mesh.primitive_cylinder_add(radius=1.0, depth=0.4, vertices=96, location=(0, 0, 0.2))
    finish("Plinth", material("Plinth", CREAM, roughness=0.6), bevel=0.05)
    for name, colour, place, size in (
        ("Block", TEAL, (1.35, 1.75, 0.55), 1.1),
        ("Step", NAVY, (-1.55, 1.45, 0.35), 0.7),
    ):
        bpy.ops.mesh.primitive_cube_add(size=size, location=place, rotation=(0, 0, 0.5))
        finish(name, material(name, colour, roughness=0.4), bevel=0.08)


def add_ball() -> None:
    """A coral ball that bounces on the plinth, squashed where it lands."""
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, segments=64, ring_count=32)
    ball = finish("Ball", material("Coral", CORAL, roughness=0.18))

    def pose(turn: float) -> None:
        height = abs(math.cos(math.pi * BOUNCES * turn))
        squash = 1 - 0.28 * max(0.0, 1 - height / 0.35) ** 2
        ball.scale = (squash**-0.5, squash**-0.5, squash)
        ball.location = (0, 0, 0.4 + 0.5 * squash + 1.1 * height)

    animate(ball, pose)


def add_rings() -> None:
    """Two golden rings that tumble round the ball."""
    gold = material("Gold", GOLD, roughness=0.22, metallic=1)
    for index, radius in enumerate((1.15, 1.35)):
        bpy.ops.mesh.primitive_torus_add(
            major_radius=radius, minor_radius=0.035, major_segments=128, minor_segments=16, location=(0, 0, 1.5)
        )
        ring = finish(f"Ring {index + 1}", gold)

        def pose(turn: float, ring: Any = ring, lean: float = 0.35 + 0.9 * index) -> None:
            ring.rotation_euler = (math.pi / 2 - lean, lean / 2, math.pi * turn)

        animate(ring, pose)


def add_lamps() -> None:
    """Three glowing lamps that circle the plinth."""
    glow = material("Lamp", LAMP, glow=9)
    for index in range(3):
        bpy.ops.mesh.primitive_uv_sphere_add(radius=0.14, segments=32, ring_count=16)
        lamp = finish(f"Lamp {index + 1}", glow)
        # Seen by the camera only: as lights they are so small that the few samples would leave sparkles.
        lamp.visible_diffuse = lamp.visible_glossy = False

        def pose(turn: float, lamp: Any = lamp, phase: float = index / 3) -> None:
            angle = math.tau * (turn / 3 + phase)  # a third of the way round looks like the whole
            lamp.location = (
                2.3 * math.cos(angle), 2.3 * math.sin(angle), 0.75 + 0.4 * math.sin(math.tau * (turn + phase))
            )  # fmt: skip

        animate(lamp, pose)


def add_light_and_camera(scene: Any) -> None:
    """A warm key light, a rosy sky all round, and a camera that sways a little."""
    lamp = bpy.data.lights.new("Key", "AREA")
    lamp.color, lamp.energy, lamp.size = (1.0, 0.86, 0.68), 480, 1.6
    light = bpy.data.objects.new("Key", lamp)
    light.location = (-3.4, -3.0, 5.2)
    look_at(light, (0, 0, 0.8))
    scene.collection.objects.link(light)
    world = bpy.data.worlds.new("Sky")
    world.use_nodes = True
    sky = world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value, sky["Strength"].default_value = (*BLUSH, 1), 0.85
    scene.world = world

    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 38
    scene.collection.objects.link(camera)
    scene.camera = camera

    def pose(turn: float) -> None:
        camera.location = (0.6 * math.sin(math.tau * turn), -7.2, 3.4 + 0.15 * math.cos(math.tau * turn))
        look_at(camera, (0, 0, 1.15))

    animate(camera, pose)


def look_at(thing: Any, point: tuple[float, float, float]) -> None:
    """Turn a camera or light towards a point."""
    away = thing.location - thing.location.__class__(point)
    thing.rotation_euler = away.to_track_quat("Z", "Y").to_euler()


def add_sound(scene: Any, sound: Path) -> None:
    """Put the sound into the sequencer, from the first frame on."""
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before Blender 4.4
    strips.new_sound("Chimes", str(sound), 1, 1)


def configure(scene: Any) -> None:
    """Set the film's length, size and quality."""
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.render.fps, scene.render.fps_base = FPS, 1
    scene.render.image_settings.file_format = "PNG"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.max_bounces = 3
    scene.cycles.use_light_tree = False
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.cycles.sample_clamp_indirect = 2  # fewer fireflies
    scene.view_settings.look = "AgX - Medium High Contrast"


def make(folder: Path) -> Path:
    """Make the scene and the files beside it in ``folder``; return the path of the .blend."""
    folder.mkdir(parents=True, exist_ok=True)
    blend, texture, sound = folder / BLEND_NAME, folder / TEXTURE_NAME, folder / SOUND_NAME
    write_texture(texture)
    write_sound(sound)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    configure(scene)
    add_stage(texture)
    add_ball()
    add_rings()
    add_lamps()
    add_light_and_camera(scene)
    add_sound(scene, sound)
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), relative_remap=True)
    return blend


if __name__ == "__main__":
    make(Path(sys.argv[-1]).resolve())
    sys.stdout.flush()
    os._exit(0)  # bpy may hang in the interpreter's own exit
