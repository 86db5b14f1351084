"""Every file that a real scene needs is found, finds a place in the pack, and is found there by the agent's Blender."""

import shutil
from pathlib import Path

import pytest

from addon.blend_header import BlendHeader
from addon.inspection import Inspection, find_blender, inspect
from addon.pack_plan import plan_pack
from tests.in_blender.blender import in_blender

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dependencies")]

MAKE_SCENES = """
import shutil, wave

top = Path(arguments["top"])
def place(name):
    path = top / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)

def picture(name):
    image = bpy.data.images.new("new", 4, 4)
    image.filepath_raw, image.file_format = place(name), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return place(name)

def use(image):
    image.use_fake_user = True
    return image

def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=place(name), relative_remap=False)

def start(name):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    save(name)

def library(name, texture):
    start(name)
    material = bpy.data.materials.new("of " + Path(name).stem)
    material.use_nodes = True
    material.node_tree.nodes.new("ShaderNodeTexImage").image = bpy.data.images.load(texture)
    material.use_fake_user = True
    save(name)

def link(name, relative):
    with bpy.data.libraries.load(place(name), link=True, relative=relative) as (there, here):
        here.materials = there.materials
    mesh = bpy.data.meshes.new("user of " + name)
    for material in here.materials:
        mesh.materials.append(material)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(mesh.name, mesh))

picture("proj/lib/maps/oak.png")
picture("ext/maps/kit.png")
library("proj/lib/props.blend", "//maps/oak.png")
library("ext/kit/kit.blend", "//../maps/kit.png")

start("proj/shots/main.blend")
scene = bpy.context.scene
picture("proj/tex/wood.png")
use(bpy.data.images.load("//../tex/wood.png"))
use(bpy.data.images.load(picture("ext/abs/rust.png")))
for number in (1001, 1002, 1011):
    picture(f"ext/udim/wall.{number}.png")
tiled = use(bpy.data.images.load(place("ext/udim/wall.1001.png")))
tiled.source = "TILED"
tiled.filepath = place("ext/udim/wall.<UDIM>.png")
for number in (1002, 1011):
    tiled.tiles.new(number)
for number in (8, 9, 10, 11):
    picture(f"proj/shots/seq/f_{number:03}.png")
picture("proj/shots/seq/g_009.png")
picture("proj/shots/seq/f_9.png")
use(bpy.data.images.load("//seq/f_009.png")).source = "SEQUENCE"
use(bpy.data.images.load(picture("proj/tex/packed.png"))).pack()
use(bpy.data.images.new("generated", 4, 4))
use(bpy.data.images.load("//../tex/wood.png")).filepath = "//../tex/lost.png"
bpy.data.images.load(picture("proj/tex/unused.png")).user_clear()

with wave.open(place("proj/shots/sound/tone.wav"), "wb") as tone:
    tone.setnchannels(1); tone.setsampwidth(2); tone.setframerate(8000); tone.writeframes(bytes(16000))
editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
strips.new_sound("tone", "//sound/tone.wav", 1, 1)
shutil.copy(place("proj/shots/sound/tone.wav"), place("proj/shots/sound/packed.wav"))
strips.new_sound("packed", "//sound/packed.wav", 2, 1).sound.pack()
Path(place("proj/shots/sound/packed.wav")).unlink()
for name in ("a.png", "b.png"):
    picture("ext/strip/" + name)
strips.new_image("pictures", place("ext/strip/a.png"), 2, 1).elements.append("b.png")

fonts = Path(bpy.utils.system_resource("DATAFILES", path="fonts"))
font = next(path for path in sorted(fonts.iterdir()) if path.suffix in (".woff2", ".ttf"))
shutil.copy(font, place("proj/fonts/" + font.name))
letters = bpy.data.fonts.load("//../fonts/" + font.name)
letters.name, letters.use_fake_user = "letters", True
bpy.data.fonts.load("<builtin>").use_fake_user = True
for number in (1, 2):
    Path(place(f"proj/vdb/smoke_{number:04}.vdb")).write_bytes(b"smoke")
volume = bpy.data.volumes.new("smoke")
volume.filepath, volume.is_sequence, volume.use_fake_user = "//../vdb/smoke_0001.vdb", True, True
script = bpy.data.texts.new("notes")
script.filepath = "/elsewhere/notes.py"

mesh = bpy.data.meshes.new("sea")
sea = bpy.data.objects.new("sea", mesh)
scene.collection.objects.link(sea)
sea.modifiers.new("never baked", "OCEAN").filepath = "//ocean/"
Path(place("proj/shots/baked/0001.exr")).write_bytes(b"waves")
sea.modifiers.new("baked", "OCEAN").filepath = "//baked/"

link("proj/lib/props.blend", True)
link("ext/kit/kit.blend", False)
save("proj/shots/main.blend")
answer = font.name
"""

LOOK_INTO_PACK = """
from contextlib import suppress
from agent.blender.inside.remap import remap_files

folder = Path(arguments["folder"])
with suppress(RuntimeError):  # Libraries by absolute paths are not found before they are remapped.
    bpy.ops.wm.open_mainfile(filepath=str(folder / arguments["main"]), use_scripts=False)
remap_files({source: str(folder / target) for source, target in arguments["remap"].items()})
editor = bpy.context.scene.sequence_editor
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
answer = {
    "images": [image.name for image in bpy.data.images if image.source in ("FILE", "TILED") and image.size[0]],
    "sequence": Path(bpy.path.abspath(bpy.data.images["f_009.png"].filepath)).is_file(),
    "missing libraries": [item.name for item in bpy.data.libraries if item.is_missing],
    "sounds": {sound.name: sound.packed_file is not None or Path(bpy.path.abspath(sound.filepath)).is_file()
               for sound in bpy.data.sounds},
    "volumes": [Path(bpy.path.abspath(volume.filepath)).is_file() for volume in bpy.data.volumes],
    "strip": [Path(bpy.path.abspath(strip.directory), element.filename).is_file()
              for strip in strips if strip.type == "IMAGE" for element in strip.elements],
}
"""


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artist")


@pytest.fixture(scope="module")
def font(top: Path) -> str:
    """Make the scenes; return the name of the font file that one uses."""
    return str(in_blender(MAKE_SCENES, top, top=str(top)))


@pytest.fixture(scope="module")
def found(top: Path, font: str) -> Inspection:
    assert (top / "proj" / "fonts" / font).is_file()
    before = contents(top)
    inspection = inspect(top / "proj/shots/main.blend", BlendHeader((4, 2)), None, find_blender(None))
    assert contents(top) == before, "looking at a file must not change anything"
    return inspection


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_found_and_nothing_else(top: Path, font: str, found: Inspection) -> None:
    files = {
        dependency.user: sorted(str(Path(file).relative_to(top)) for file in dependency.files)
        for dependency in found.dependencies
    }
    lost = files.pop("wood.png.001")
    assert lost == []
    assert files == {
        "wood.png": ["proj/tex/wood.png"],
        "rust.png": ["ext/abs/rust.png"],
        "wall.1001.png": [f"ext/udim/wall.{number}.png" for number in (1001, 1002, 1011)],
        "f_009.png": [f"proj/shots/seq/f_{number}.png" for number in ("008", "009", "010", "011")],
        "oak.png": ["proj/lib/maps/oak.png"],
        "kit.png": ["ext/maps/kit.png"],
        "props.blend": ["proj/lib/props.blend"],
        "kit.blend": ["ext/kit/kit.blend"],
        "tone.wav": ["proj/shots/sound/tone.wav"],
        "letters": [f"proj/fonts/{font}"],
        "smoke": ["proj/vdb/smoke_0001.vdb", "proj/vdb/smoke_0002.vdb"],
        "sea": ["proj/shots/baked/0001.exr"],
        "pictures": ["ext/strip/a.png", "ext/strip/b.png"],
    }
    [baked] = [dependency for dependency in found.dependencies if dependency.user == "sea"]
    assert baked.is_folder
    assert baked.refused is None


def test_libraries_own_their_textures(top: Path, found: Inspection) -> None:
    owners = {dependency.user: dependency.owner for dependency in found.dependencies if dependency.kind == "image"}
    assert owners["oak.png"] == str(top / "proj" / "lib" / "props.blend")
    assert owners["kit.png"] == str(top / "ext" / "kit" / "kit.blend")
    assert owners["wood.png"] is None


def test_the_agents_blender_finds_every_file_in_the_pack(top: Path, found: Inspection, tmp_path: Path) -> None:
    blend = found.snapshot.blend_path
    plan = plan_pack(blend, blend, found.dependencies)
    folder = tmp_path / "agent" / "pack"
    for place, path in plan.files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / place)
    away = top.rename(top.with_name("gone"))  # The agent has nothing of the artist's computer.
    try:
        seen = in_blender(LOOK_INTO_PACK, tmp_path, folder=str(folder), main=plan.main, remap=plan.remap)
    finally:
        away.rename(top)
    assert set(seen["images"]) == {"wood.png", "rust.png", "wall.1001.png", "oak.png", "kit.png", "packed.png"}
    assert seen["sequence"]
    assert seen["missing libraries"] == []
    assert seen["sounds"] == {"tone.wav": True, "packed.wav": True}
    assert seen["volumes"] == [True]
    assert seen["strip"] == [True, True]
