"""How long Blender's thread is held while a scene's files are looked for: the longest step of the dependency walk.

The scene has 30,000 objects and needs 100,000 files: half are the steps of a volume, half the pictures of strips.
Tells for each of several walks, in milliseconds, the longest step by the clock and by the processor's time of that
thread, with the sum of all steps; and the files that were found.

Prints JSON lines.  Blender is the ``bpy`` module: python -m benchmarks.bench_dependencies
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

#: Makes the scene, walks, and prints what each walk took.
WALK = """
import json, os, sys, time
from pathlib import Path
import bpy
from addon.dependencies import walk_dependencies

top, objects, files, walks = Path(sys.argv[1]), *map(int, sys.argv[2:5])
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.wm.save_as_mainfile(filepath=str(top / "large.blend"))
for folder in ("smoke", "pictures"):
    (top / folder).mkdir()
for number in range(files // 2):
    (top / "smoke" / f"{number}.vdb").touch()
    (top / "pictures" / f"{number}.png").touch()
mesh = bpy.data.meshes.new("rock")
for number in range(objects):
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(f"rock {number:06}", mesh))
volume = bpy.data.volumes.new("smoke")
volume.filepath, volume.is_sequence, volume.use_fake_user = "//smoke/0.vdb", True, True
editor = bpy.context.scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
for first in range(0, files // 2, 500):  # Blender copies a strip's pictures for each that is added.
    pictures = strips.new_image("pictures", str(top / f"pictures/{first}.png"), 1, 1 + first)
    for number in range(first + 1, min(first + 500, files // 2)):
        pictures.elements.append(f"{number}.png")
for number in range(walks):
    clock, processor, walk, found = [], [], walk_dependencies(), None
    while found is None:
        began, cpu = time.perf_counter(), time.thread_time()
        try:
            next(walk)
        except StopIteration as end:
            found = end.value
        clock.append(time.perf_counter() - began)
        processor.append(time.thread_time() - cpu)
    print(json.dumps({
        "benchmark": "dependencies",
        "blender": bpy.app.version_string,
        "objects": objects,
        "files": sum(len(each.files) for each in found),
        "steps": len(clock),
        "longest_ms": round(max(clock) * 1000, 1),
        "longest_cpu_ms": round(max(processor) * 1000, 1),
        "all_ms": round(sum(clock) * 1000),
        "all_cpu_ms": round(sum(processor) * 1000),
    }))
sys.stdout.flush()
os._exit(0)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=30_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--walks", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = [str(number) for number in (options.objects, options.files, options.walks)]
        subprocess.run([sys.executable, "-c", WALK, folder, *sizes], cwd=PROJECT, check=True)


if __name__ == "__main__":
    main()
