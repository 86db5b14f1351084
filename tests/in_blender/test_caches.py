"""Baked simulations render from the pack as they do at home: their folders travel with the scene."""

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from addon.blend_header import BlendHeader
from addon.inspection import find_blender, inspect
from addon.pack_plan import plan_pack
from tests.in_blender.blender import in_blender

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dependencies")]

#: Makes a scene whose shape at frame 5 only its baked simulation knows, renders that, and saves the scene.
MAKE = """
home, kind = Path(arguments["home"]), arguments["kind"]
home.mkdir(parents=True)
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.wm.save_as_mainfile(filepath=str(home / "shot.blend"))
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
scene.render.resolution_x = scene.render.resolution_y = 48
scene.frame_end = 6
bpy.ops.object.light_add(type="SUN", location=(0, 0, 5))
bpy.ops.object.camera_add(location=(0, -8, 2), rotation=(1.33, 0, 0))
scene.camera = bpy.context.object
bpy.ops.mesh.primitive_grid_add(x_subdivisions=8, y_subdivisions=8, size=3)
cloth = bpy.context.object
if kind == "cloth":
    cloth.rotation_euler.x = 0.5
    cache = cloth.modifiers.new("Cloth", "CLOTH").point_cache
    cache.use_disk_cache, cache.frame_end = True, 6
    bpy.ops.wm.save_mainfile()
    with bpy.context.temp_override(point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)
elif kind == "particles":
    system = cloth.modifiers.new("Dust", "PARTICLE_SYSTEM").particle_system
    system.settings.count, system.settings.frame_end, system.settings.particle_size = 50, 2, 0.3
    system.point_cache.use_disk_cache, system.point_cache.frame_end = True, 6
    bpy.ops.mesh.primitive_cube_add(size=1, location=(0, 50, 0))
    system.settings.render_type, system.settings.instance_object = "OBJECT", bpy.context.object
    bpy.ops.wm.save_mainfile()
    with bpy.context.temp_override(point_cache=system.point_cache):
        bpy.ops.ptcache.bake(bake=True)
elif kind.startswith("ocean"):
    ocean = cloth.modifiers.new("Ocean", "OCEAN")
    ocean.resolution, ocean.frame_end, ocean.time, ocean.wave_scale = 4, 6, 3.0, 3.0
    ocean.filepath = "//sea/" if kind == "ocean" else str(home.parent / "elsewhere" / "sea") + "/"
    bpy.ops.object.ocean_bake(modifier="Ocean")
scene.frame_set(5)
scene.render.filepath = arguments["picture"]
bpy.ops.render.render(write_still=True)
bpy.ops.wm.save_mainfile()
answer = True
"""

RENDER = """
from agent.blender.inside.remap import remap_files
folder = Path(arguments["folder"])
bpy.ops.wm.open_mainfile(filepath=str(folder / arguments["main"]), use_scripts=False)
remap_files({source: str(folder / target) for source, target in arguments["remap"].items()})
scene = bpy.context.scene
scene.frame_set(5)
scene.render.filepath = arguments["picture"]
bpy.ops.render.render(write_still=True)
answer = [len(list(Path(bpy.path.abspath(modifier.filepath)).glob("*.exr")))
          for item in bpy.data.objects for modifier in item.modifiers if modifier.type == "OCEAN"]
"""


def same(one: Path, other: Path) -> bool:
    """Tell whether two pictures have the same pixels."""
    with Image.open(one) as first, Image.open(other) as second:
        return ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None


@pytest.mark.parametrize("kind", ["cloth", "particles", "ocean", "ocean elsewhere"])
def test_a_baked_simulation_travels_with_the_scene(kind: str, tmp_path: Path) -> None:
    artist = tmp_path / "artist"
    in_blender(MAKE, tmp_path, home=str(artist / "proj"), kind=kind, picture=str(tmp_path / "home.png"))
    found = inspect(artist / "proj/shot.blend", BlendHeader((4, 2)), None, find_blender(None))
    [cache] = found.dependencies
    assert cache.is_folder
    assert len(cache.files) >= 5
    plan = plan_pack(found.snapshot.blend_path, found.snapshot.blend_path, found.dependencies)
    packs = {"with": tmp_path / "with", "without": tmp_path / "without"}
    for place, path in plan.files.items():
        for name, folder in packs.items():
            if name == "with" or place == plan.main:
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / place)
    artist.rename(tmp_path / "gone")  # the agent has nothing of the artist's computer
    waves = {}
    for name, folder in packs.items():
        picture = tmp_path / f"{name}.png"
        remap = plan.remap if name == "with" else {}
        waves[name] = in_blender(
            RENDER, tmp_path, folder=str(folder), main=plan.main, remap=remap, picture=str(picture)
        )
    assert same(tmp_path / "home.png", tmp_path / "with.png")
    if kind.startswith("ocean"):
        # Without a window Blender does not take note that it has baked an ocean, and calculates it anew.
        assert waves == {"with": [6], "without": [0]}
    else:
        assert not same(tmp_path / "home.png", tmp_path / "without.png"), "the cache makes no difference"
