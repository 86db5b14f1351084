"""What submitting costs: bytes that travel again after a small edit, seconds of a first upload, memory of both sides.

A real coordinator stores what the add-on's own uploader sends it over loopback:

- ``delta``: a scene of 130 MB was sent, then one object is moved, one mesh edited or one object added, in the Blender
  session that made the scene or in a new one: what travels, compressed, against the bytes of the file;
- ``first``: 2 GB that nobody can compress, with the seconds of the processor and the most memory of either side; then
  the same submission again.  Beside it two plain copies of the same file, both flushed: by one process from file to
  file, and by two through a loopback socket, which is what an upload cannot do without.  ``speed_against_…`` is the
  share of that copy's speed that the upload had;
- ``tiny``: 10,000 files of 20 to 2,000 bytes, then the same submission again.

Prints JSON lines.  Blender is the ``bpy`` module.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.bench_http import ADMIN, Process, coordinator
from benchmarks.plain_copies import copy_on_disk, copy_over_loopback, touch_memory
from benchmarks.upload_client import peak_of, submit

EDITS = ("object moved", "mesh edited", "object added")

#: Makes the scene and saves it, then each edit of it; or opens the scene first, as a new session does.
MAKE_SCENES = """
import os, sys, bpy
folder, again, objects, side = sys.argv[1], sys.argv[2] == "again", int(sys.argv[3]), int(sys.argv[4])

def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=f"{folder}/{name}.blend", copy=True, compress=False)

def add(name, seed):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=side, y_subdivisions=side)
    added = bpy.context.object
    added.name = added.data.name = name
    points = [0.0] * 3 * len(added.data.vertices)
    added.data.vertices.foreach_get("co", points)
    # No two meshes are alike.
    points[2::3] = [((index * 7919 + seed * 104729) % 1000) / 1000 for index in range(len(points) // 3)]
    added.data.vertices.foreach_set("co", points)
    added.location.x = 3.0 * seed
    return added

if again:
    bpy.ops.wm.open_mainfile(filepath=f"{folder}/scene.blend")
else:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for seed in range(objects):
        add(f"rock {seed}", seed)
    save("scene")
mark = "new session, " if again else ""
middle = bpy.data.objects[f"rock {objects // 2}"]
middle.location.z += 1.0
save(mark + "object moved")
middle.location.z -= 1.0
middle.data.vertices[len(middle.data.vertices) // 2].co.z += 1.0
save(mark + "mesh edited")
middle.data.vertices[len(middle.data.vertices) // 2].co.z -= 1.0
added = add("pebble", objects)
save(mark + "object added")
sys.stdout.flush()
os._exit(0)
"""


@contextmanager
def running(folder: Path) -> Iterator[Process]:
    """Run a coordinator that keeps everything in a folder."""
    folder.mkdir(exist_ok=True)
    with coordinator(f"sqlite:///{folder}/farm.sqlite", folder) as process:
        yield process


def delta(folder: Path, objects: int, side: int, sessions: Sequence[str]) -> None:
    """Measure what is sent again after each edit, to a coordinator that has the scene and nothing else."""
    for session in ("first", "again"):
        command = [sys.executable, "-c", MAKE_SCENES, str(folder), session, str(objects), str(side)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    scene = folder / "scene.blend"
    for name in [session + edit for session in sessions for edit in EDITS]:
        path = folder / f"{name}.blend"
        with tempfile.TemporaryDirectory() as data, running(Path(data)) as process:
            submit(process.url, ADMIN, {"scene.blend": str(scene)}, "scene.blend")
            sent, _ = submit(process.url, ADMIN, {"scene.blend": str(path)}, "scene.blend")
        size = path.stat().st_size
        tell("delta", edit=name, file_bytes=size, sent_bytes=sent, sent_share=round(sent / size, 5))


def first(folder: Path, size: int) -> None:
    """Measure a first upload, beside copies."""
    source = folder / "cache.blend"
    write_noise(source, size)
    copies: dict[str, float] = {}
    for name, copy in (("disk", copy_on_disk), ("loopback", copy_over_loopback)):
        touch_memory(size)
        copies[name] = copy(source, folder / "copy")
        (folder / "copy").unlink()
    with running(folder / "coordinator") as process:
        touch_memory(size)
        before = cpu_seconds_of(process.pid)
        upload = submit_apart(process.url, source)
        coordinator_cpu = cpu_seconds_of(process.pid) - before
        again = submit_apart(process.url, source)
        coordinator_peak = peak_of(process.pid)
    tell(
        "first",
        bytes=size,
        upload_seconds=upload["seconds"],
        **{f"{name}_copy_seconds": seconds for name, seconds in copies.items()},
        **{f"speed_against_{name}_copy": seconds / upload["seconds"] for name, seconds in copies.items()},
        again_seconds=again["seconds"],
        client_cpu_seconds=upload["cpu_seconds"],
        coordinator_cpu_seconds=coordinator_cpu,
        client_peak_bytes=int(upload["peak_bytes"]),
        coordinator_peak_bytes=coordinator_peak,
    )


def submit_apart(url: str, path: Path) -> dict[str, float]:
    """Submit a file in a process of its own; return what it tells."""
    command = [sys.executable, "-m", "benchmarks.upload_client", url, ADMIN, str(path)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    told: dict[str, float] = json.loads(answer.stdout)
    return told


def cpu_seconds_of(pid: int) -> float:
    """Return how long a process has kept processors busy."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def tiny(folder: Path, count: int) -> None:
    """Measure many small files."""
    noise = random.Random(1)
    files = {}
    for number in range(count):
        path = folder / f"{number}.txt"
        path.write_bytes(noise.randbytes(noise.randint(20, 2000)))
        files[f"tiny/{number}.txt"] = str(path)
    (folder / "main.blend").write_bytes(b"BLENDER")
    files["main.blend"] = str(folder / "main.blend")
    with running(folder / "coordinator") as process:
        _, seconds = submit(process.url, ADMIN, files, "main.blend", folder / "digests")
        _, again = submit(process.url, ADMIN, files, "main.blend", folder / "digests")
    tell("tiny", files=count, upload_seconds=seconds, again_seconds=again)


def write_noise(path: Path, size: int) -> None:
    """Write a file of bytes without any order."""
    noise = random.Random(1)
    with path.open("wb") as file:
        for _ in range(size // 2**20):
            file.write(noise.randbytes(2**20))


def tell(part: str, **figures: object) -> None:
    """Print a line."""
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
    print(json.dumps({"benchmark": "upload", "part": part, **rounded}), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not to measure")
    parser.add_argument("--part", choices=["delta", "first", "tiny"], help="only this one")
    options = parser.parse_args()
    quick = options.quick
    measures: dict[str, Callable[[Path], None]] = {
        "delta": lambda folder: delta(
            folder, *((4, 50, ["new session, "]) if quick else (60, 150, ["", "new session, "]))
        ),
        "first": lambda folder: first(folder, 2**24 if quick else 2**31),
        "tiny": lambda folder: tiny(folder, 100 if quick else 10_000),
    }
    for part, measure in measures.items():
        if options.part in (None, part):
            with tempfile.TemporaryDirectory() as folder:
                measure(Path(folder))


if __name__ == "__main__":
    main()
