"""Renders the little scenes that the pictures of the page show: ``python -m docs.shots FOLDER``, in Blender's module.

Each scene is made of what Blender brings, and of nothing else.
"""

import math
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from examples.demo_scene import material

WIDTH, HEIGHT = 240, 135
SAMPLES = 12
#: Of each; the camera moves from one to the next.
FRAMES = 1

Colour = tuple[float, float, float]


def look(add: Callable[..., object], surface: bpy.types.Material, *, smooth: bool = False, **options: object) -> None:
    """Add a mesh with a material."""
    add(**options)
    mesh = bpy.context.object
    mesh.data.materials.append(surface)
    if smooth:
        mesh.data.shade_smooth()


def light(kind: str, place: Sequence[float], energy: float, size: float, colour: Colour = (1, 1, 1)) -> None:
    """Add a lamp that shines at the middle."""
    lamp = bpy.data.lights.new("lamp", kind)
    lamp.energy, lamp.color = energy, colour
    if kind == "AREA":
        lamp.size = size
    else:
        lamp.angle = size
    holder = bpy.data.objects.new("lamp", lamp)
    holder.location = place
    aim(holder)
    bpy.context.collection.objects.link(holder)


def aim(holder: bpy.types.Object, at: Sequence[float] = (0, 0, 0)) -> None:
    """Turn a lamp or a camera towards a point."""
    towards = [there - here for there, here in zip(at, holder.location, strict=True)]
    holder.rotation_euler = (math.atan2(math.hypot(*towards[:2]), -towards[2]), 0, math.atan2(-towards[0], towards[1]))


def begin(sky: Colour, strength: float) -> None:
    """Start an empty scene under a plain sky."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    background = world.node_tree.nodes["Background"].inputs
    background["Color"].default_value = (*sky, 1.0)
    background["Strength"].default_value = strength
    bpy.context.scene.world = world


def city(chance: random.Random) -> None:
    """Towers at dusk, some windows lit."""
    begin((0.10, 0.13, 0.30), 0.7)
    look(bpy.ops.mesh.primitive_plane_add, material("shot", (0.03, 0.03, 0.05), roughness=0.25), size=80)
    stone, lit = material("shot", (0.16, 0.17, 0.24), roughness=0.6), material("shot", (1.0, 0.55, 0.22), glow=5)
    for x in range(-6, 7):
        for y in range(-6, 7):
            height = 0.5 + chance.random() ** 3 * 4.5
            look(bpy.ops.mesh.primitive_cube_add, stone, size=1, location=(x, y, height / 2), scale=(0.7, 0.7, height))
            for _ in range(3 if height > 1.2 else 1):
                place = (x - 0.2 + chance.random() * 0.4, y - 0.36, chance.random() * height * 0.9)
                look(bpy.ops.mesh.primitive_cube_add, lit, size=1, location=place, scale=(0.09, 0.02, 0.12))
    light("SUN", (-6, 4, 3), 2.2, 0.02, (1.0, 0.45, 0.3))


def marbles(chance: random.Random) -> None:
    """Balls of all colours on a light floor."""
    begin((0.9, 0.92, 1.0), 0.35)
    look(bpy.ops.mesh.primitive_plane_add, material("shot", (0.75, 0.72, 0.68), roughness=0.35), size=60)
    colours: list[Colour] = [
        (0.9, 0.2, 0.12),
        (0.02, 0.3, 0.35),
        (0.95, 0.6, 0.15),
        (0.05, 0.08, 0.3),
        (0.9, 0.5, 0.45),
    ]
    for number in range(70):
        size = 0.2 + chance.random() * 0.45
        place = (chance.uniform(-5, 5), chance.uniform(-5, 5), size)
        surface = material(
            "shot",
            colours[number % len(colours)],
            roughness=chance.choice([0.08, 0.4]),
            metallic=float(number % 4 == 0),
        )
        look(bpy.ops.mesh.primitive_uv_sphere_add, surface, radius=size, location=place, smooth=True)
    light("AREA", (4, -4, 7), 900, 4)


def head(_: random.Random) -> None:
    """A portrait of Suzanne before a coloured wall."""
    begin((0.2, 0.08, 0.25), 0.4)
    look(
        bpy.ops.mesh.primitive_plane_add,
        material("shot", (0.35, 0.08, 0.3)),
        size=40,
        location=(0, 6, 0),
        rotation=(math.pi / 2, 0, 0),
    )
    look(
        bpy.ops.mesh.primitive_monkey_add,
        material("shot", (0.9, 0.62, 0.3), roughness=0.25, metallic=0.9),
        size=4.4,
        smooth=True,
    )
    bpy.context.object.modifiers.new("smooth", "SUBSURF").render_levels = 2
    light("AREA", (-5, -6, 5), 900, 3, (1.0, 0.8, 0.6))
    light("AREA", (6, -2, 1), 600, 2, (0.35, 0.5, 1.0))


def hills(chance: random.Random) -> None:
    """Low hills with trees in the morning."""
    begin((0.55, 0.75, 1.0), 0.9)
    grass, trunk, leaves = (
        material("shot", (0.16, 0.3, 0.06)),
        material("shot", (0.12, 0.06, 0.03)),
        material("shot", (0.06, 0.2, 0.05)),
    )
    for _ in range(14):
        place = (chance.uniform(-9, 9), chance.uniform(-6, 10), -3.2)
        look(bpy.ops.mesh.primitive_uv_sphere_add, grass, radius=chance.uniform(3.2, 4.2), location=place, smooth=True)
    look(bpy.ops.mesh.primitive_plane_add, grass, size=80)
    for _ in range(40):
        x, y = chance.uniform(-8, 8), chance.uniform(-5, 9)
        look(bpy.ops.mesh.primitive_cylinder_add, trunk, radius=0.08, depth=1.4, location=(x, y, 0.8))
        look(bpy.ops.mesh.primitive_cone_add, leaves, radius1=0.55, depth=1.7, location=(x, y, 2.0))
    light("SUN", (-7, -3, 4), 4, 0.02, (1.0, 0.85, 0.6))


def rings(_: random.Random) -> None:
    """Rings of metal that float above a dark floor."""
    begin((0.02, 0.04, 0.06), 1.0)
    look(
        bpy.ops.mesh.primitive_plane_add,
        material("shot", (0.02, 0.03, 0.04), roughness=0.15),
        size=60,
        location=(0, 0, -2.4),
    )
    for number in range(7):
        turn = (number * 0.5, number * 0.8, number * 0.3)
        surface = material("shot", (0.95, 0.55 - number * 0.05, 0.2 + number * 0.1), roughness=0.15, metallic=1.0)
        size = 0.7 + number * 0.35
        look(
            bpy.ops.mesh.primitive_torus_add, surface, major_radius=size, minor_radius=0.09, rotation=turn, smooth=True
        )
    look(bpy.ops.mesh.primitive_uv_sphere_add, material("shot", (0.3, 0.9, 1.0), glow=8), radius=0.4)
    light("AREA", (5, -6, 6), 700, 3)


#: Each scene with where its camera stands and what that looks at.
SHOTS: dict[str, tuple[Callable[[random.Random], None], Sequence[float], Sequence[float]]] = {
    "city": (city, (7.5, -9, 4.2), (0, 0, 1.0)),
    "marbles": (marbles, (4, -8, 3.6), (0, 0, 0.3)),
    "head": (head, (1.8, -9, 1.2), (0, 0, 0)),
    "hills": (hills, (0, -13, 3.2), (0, 0, 1.4)),
    "rings": (rings, (3, -9, 2), (0, 0, -0.2)),
}


def render(name: str, folder: Path) -> None:
    """Render a few frames of a scene as NAME-1.png…"""
    make, stand, at = SHOTS[name]
    make(random.Random(name))  # noqa: S311 - for a picture
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens = 38
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = True
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.image_settings.file_format = "PNG"
    for frame in range(1, FRAMES + 1):
        camera.location = [stand[0] - frame * 0.8, stand[1], stand[2]]
        aim(camera, at)
        scene.render.filepath = str(folder / f"{name}-{frame}.png")
        bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    for shot in SHOTS:
        render(shot, Path(sys.argv[1]))
