"""Dependencies are found in small steps, between which Blender may change anything."""

from pathlib import Path

import pytest

from tests.in_blender.blender import in_blender

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dependencies")]

MAKE_SCENE = """
import gc, sys
from addon.dependencies import find_dependencies, walk_dependencies

top = Path(arguments["top"])
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.wm.save_as_mainfile(filepath=str(top / "large.blend"))
(top / "smoke").mkdir()
for number in range(5_000):
    (top / "smoke" / f"{number}.vdb").touch()
def image(name):
    new = bpy.data.images.new(name, 1, 1)
    new.source, new.filepath, new.use_fake_user = "FILE", f"//{name}.png", True
for number in range(300):
    image(f"picture {number:03}")
mesh = bpy.data.meshes.new("rock")
for number in range(4_000):
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(f"rock {number}", mesh))
volume = bpy.data.volumes.new("smoke")
volume.filepath, volume.is_sequence, volume.use_fake_user = "//smoke/7.vdb", True, True
editor = bpy.context.scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
pictures = strips.new_image("pictures", str(top / "p/0.png"), 1, 1)
for number in range(1, 10_000):
    pictures.elements.append(f"{number}.png")
"""

WALK = (
    MAKE_SCENE
    + """
whole = find_dependencies()
steps, walk = [], walk_dependencies()
calls = 0
def count_call(frame, event, called):
    global calls
    calls += event in ("call", "c_call")
while True:
    calls = 0
    sys.setprofile(count_call)
    try:
        next(walk)
    except StopIteration as end:
        sliced = end.value
        break
    finally:
        sys.setprofile(None)
        steps.append(calls)
answer = {
    "same": whole == sliced,
    "kinds": sorted({item.kind for item in whole}),
    "smoke": [len(item.files) for item in whole if item.kind == "volume"],
    "pictures": sum(len(item.missing) for item in whole if item.kind == "image strip"),
    "steps": len(steps),
    "share of the longest": max(steps) / sum(steps),
}
walk, count = walk_dependencies(), 0
while True:
    try:
        next(walk)
    except StopIteration as end:
        found = end.value
        break
    count += 1
    if count == 2:
        image("a first one")  # comes before what was read
        image("z last one")
        for number in range(0, 300, 2):
            bpy.data.images.remove(bpy.data.images[f"picture {number:03}"])
    if count == 30:
        for number in range(0, 4_000, 3):
            bpy.data.objects.remove(bpy.data.objects[f"rock {number}"])
        gc.collect()
given_up = walk_dependencies()
next(given_up)
given_up.close()
answer["images"] = [item.user for item in found if item.kind == "image"]
"""
)


def test_small_steps_find_the_same_whatever_changes_meanwhile(tmp_path: Path) -> None:
    seen = in_blender(WALK, tmp_path, top=str(tmp_path))
    assert seen["same"]
    assert seen["kinds"] == ["image", "image strip", "volume"]
    assert (seen["smoke"], seen["pictures"]) == ([5_000], 10_000)
    assert seen["steps"] > 30
    # Counted in calls, which no busy machine changes: no step does most of the work.
    assert seen["share of the longest"] < 0.3
    # What comes before that which was read already, and what was not removed.
    assert {"a first one", "z last one"} <= set(seen["images"])
    assert {f"picture {number:03}" for number in range(1, 300, 2)} <= set(seen["images"])
