"""How long Blender's window stands still while a scene is submitted: the longest gap between two ticks of a timer.

A Blender with a window (deploy/window_root.sh; Debian's 4.3.2 with software rendering) opens a scene of 200 MB with
500 pictures, presses Submit as an artist would, and lets a timer tick as often as Blender does.  Blender's own saving
of the copy, which nobody can cut, is told apart: the gap in which it falls, and what it takes alone.  What a tick of
the extension's own timer takes while jobs are shown is told as well, and whether it stops when nothing shows them.

Run it on a machine that does nothing else: python -m benchmarks.bench_freeze
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bench_http import ADMIN, coordinator
from coordinator.extension import build_extension

PROJECT = Path(__file__).resolve().parent.parent
WINDOW_ROOT = PROJECT / "deploy" / "window_root.sh"

#: Runs inside the root: installs the extension, makes the scene, starts Blender on a screen of its own.
DESK = """
set -eu
blender -b --command extension install-file -r user_default -e renderfarm.zip >install.log
blender -b --python-exit-code 1 --python scene.py >scene.log
Xvfb :0 -screen 0 1280x1000x24 -nolisten tcp -nolisten local 2>xvfb.log &
until [ -S /tmp/.X11-unix/X0 ]; do sleep 0.05; done
export DISPLAY=:0
blender --window-geometry 0 0 1280 1000 -noaudio --python-exit-code 1 shot.blend --python artist.py >artist.log
"""

SCENE = """
import json, os, random
from pathlib import Path
import bpy
plan = json.loads(Path("plan.json").read_text())
bpy.ops.wm.read_homefile(use_empty=True)
scene = bpy.context.scene
scene.render.engine = "CYCLES"
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
scene.collection.objects.link(camera)
scene.camera = camera
Path("textures").mkdir()
noise = random.Random(1)
for number in range(plan["images"]):
    image = bpy.data.images.new("small", 4, 4)
    image.filepath_raw, image.file_format = str(Path("textures", f"{number}.png").absolute()), "PNG"
    image.save()
    bpy.data.images.remove(image)
    with open(f"textures/{number}.png", "ab") as file:
        file.write(noise.randbytes(plan["image_bytes"]))
for number in range(plan["meshes"]):
    mesh = bpy.data.meshes.new(f"rock {number}")
    side = plan["side"]
    points = [noise.uniform(-1, 1) for _ in range(3 * side * side)]
    mesh.vertices.add(side * side)
    mesh.vertices.foreach_set("co", points)
    scene.collection.objects.link(bpy.data.objects.new(f"rock {number}", mesh))
bpy.ops.wm.save_as_mainfile(filepath=str(Path("shot.blend").absolute()), compress=False)
for number in range(plan["images"]):
    image = bpy.data.images.load(f"//textures/{number}.png")
    material = bpy.data.materials.new(f"cloth {number}")
    material.use_nodes = True
    material.node_tree.nodes.new("ShaderNodeTexImage").image = image
    material.use_fake_user = True
bpy.ops.wm.save_mainfile(compress=False)
bpy.context.preferences.view.show_splash = False
bpy.ops.wm.save_userpref()
"""

ARTIST = """
import json, sys, time
from pathlib import Path
import bpy
EXTENSION = "bl_ext.user_default.renderfarm"
plan = json.loads(Path("plan.json").read_text())
preferences = bpy.context.preferences.addons[EXTENSION].preferences
preferences.address, preferences.token = plan["url"], plan["token"]
window = bpy.context.window_manager.windows[0]
area = next(area for area in window.screen.areas if area.type == "PROPERTIES")
area.spaces.active.context = "OUTPUT"
for other in window.screen.areas:
    if other.type == "VIEW_3D":
        other.ui_type = "INFO"  # software rendering takes seconds for seven million points, whoever has them drawn
state = sys.modules[f"{EXTENSION}.state"].current
sending_module = sys.modules[f"{EXTENSION}.sending"]
refresh = sys.modules[f"{EXTENSION}.refresh"]
prepare, saves, ticks, gaps, told = sending_module.prepare, [], [], [], {}

def timed_prepare(*arguments):
    began = time.perf_counter()
    try:
        return prepare(*arguments)
    finally:
        saves.append((began, time.perf_counter()))

sys.modules[f"{EXTENSION}.preparing"].prepare = timed_prepare
own_tick = refresh._tick
last, stage, since = time.perf_counter(), "settle", time.perf_counter()

def tick():
    global last, stage, since
    now = time.perf_counter()
    if stage == "send":
        gaps.append((now - last, last, now, state().sending.progress().stage if state().sending else "preparing"))
    if stage == "settle" and now - since > 3:
        told["idle_gap_ms"] = max(told.get("idle_gap_ms", 0.0), (now - last) * 1000)
    last = now
    if stage == "settle" and now - since > 5 and state().feed.latest().answered:
        with bpy.context.temp_override(window=window, area=area):
            bpy.ops.renderfarm.submit("INVOKE_DEFAULT")
        stage, since, last = "send", time.perf_counter(), time.perf_counter()
    elif stage == "send" and state().sending is not None and not state().is_sending and state().unlisted_job is None:
        stage, since = "watch", now
        told["seconds"] = now - told_at(0)
    elif stage == "send" and (state().trouble or now - since > 300):
        raise SystemExit(state().trouble or "it took too long")
    elif stage == "watch":
        began = time.perf_counter()
        own_tick()
        ticks.append(time.perf_counter() - began)
        if len(ticks) == 50:
            area.ui_type = "OUTLINER"
            state().watched.clear()
            stage, since = "unseen", now
    elif stage == "unseen" and (not bpy.app.timers.is_registered(own_tick) or now - since > 10):
        finish()
        return None
    return 0.0

def told_at(number):
    return gaps[number][1]

def finish():
    saved = saves[0]
    apart = [gap for gap in gaps if not (gap[1] <= saved[1] and gap[2] >= saved[0])]
    longest = sorted(apart)[-3:]
    with_save = max((gap[0] for gap in gaps if gap[1] <= saved[1] and gap[2] >= saved[0]), default=0.0)
    Path("told.json").write_text(json.dumps({
        **told,
        "stage": state().sending.progress().stage,
        "longest_gap_ms": longest[-1][0] * 1000,
        "in": longest[-1][3],
        "next_gaps_ms": [gap[0] * 1000 for gap in longest[:-1]],
        "gap_with_save_ms": with_save * 1000,
        "save_alone_ms": (saved[1] - saved[0]) * 1000,
        "ticks": len(gaps),
        "own_tick_ms": sorted(ticks)[len(ticks) // 2] * 1000,
        "own_tick_longest_ms": max(ticks) * 1000,
        "timer_stops_when_unseen": not bpy.app.timers.is_registered(own_tick),
    }))
    bpy.ops.wm.quit_blender()

bpy.app.timers.register(tick)
"""


def measure(folder: Path, url: str, images: int, megabytes: int) -> dict[str, object]:
    """Return what an artist's Blender saw while it submitted a scene of so many pictures to the farm at ``url``."""
    desk = folder / "desk"
    desk.mkdir()
    side, meshes = 600, 20
    in_meshes = meshes * side * side * 12
    plan = {
        "url": url,
        "token": ADMIN,
        "images": images,
        "image_bytes": max(1000, (megabytes * 1_000_000 - in_meshes) // images),
        "meshes": meshes,
        "side": side,
    }
    for name, text in (
        ("plan.json", json.dumps(plan)),
        ("desk.sh", DESK),
        ("scene.py", SCENE),
        ("artist.py", ARTIST),
    ):
        (desk / name).write_text(text)
    (desk / "renderfarm.zip").write_bytes(build_extension().data)
    command: list[str | Path] = [WINDOW_ROOT, "run", desk, "sh", "desk.sh"]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode or not (desk / "told.json").exists():
        logs = "\n".join(path.read_text() for path in sorted(desk.glob("*.log")))
        raise SystemExit(f"Blender ended with {done.returncode}\n{logs}")
    found: dict[str, object] = json.loads((desk / "told.json").read_text())
    return found


def main() -> None:
    """Measure, and print a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--megabytes", type=int, default=200, help="of meshes and pictures together")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "farm").mkdir()
        processor = min(os.sched_getaffinity(0))
        with coordinator(f"sqlite:///{folder}/farm/farm.sqlite", folder / "farm", processor) as process:
            found = measure(folder, process.url, options.images, options.megabytes)
    print(json.dumps({"benchmark": "freeze", "images": options.images, "megabytes": options.megabytes, **found}))


if __name__ == "__main__":
    main()
