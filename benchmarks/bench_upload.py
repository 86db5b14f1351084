"""What submitting costs: bytes that travel again after a small edit, seconds of a first upload, memory of both sides.

A real coordinator stores what the add-on's own uploader sends it over loopback:

- ``delta``: a scene of 130 MB was sent, then one object is moved, one mesh edited or one object added, in the Blender
  session that made the scene or in a new one: what travels, compressed, against the bytes of the file;
- ``first``: 2 GB that nobody can compress, beside a copy of the same file that is flushed to the disk, with the most
  memory either side held; then the same submission again;
- ``tiny``: 10,000 files of 20 to 2,000 bytes, then the same submission again.

Prints JSON lines.  Blender is the ``bpy`` module.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from addon.client import FarmClient
from addon.pack_plan import PackPlan
from addon.uploader import Submission
from benchmarks.bench_http import ADMIN, Process, coordinator

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


@dataclass
class Sent:
    """What travelled in the batches of one submission."""

    bytes: int = 0


class CountingClient(FarmClient):
    """Counts what it uploads, and what its clones do."""

    def __init__(self, url: str, token: str, sent: Sent) -> None:
        """Add what is uploaded to ``sent``."""
        super().__init__(url, token)
        self._sent = sent

    def clone(self) -> "CountingClient":
        """Return a client that counts into the same place."""
        return CountingClient(self.base_url, ADMIN, self._sent)

    def put_blobs(self, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Upload a batch."""
        self._sent.bytes += size
        super().put_blobs(size, pieces)


@contextmanager
def running(folder: Path) -> Iterator[Process]:
    """Run a coordinator that keeps everything in a folder."""
    folder.mkdir(exist_ok=True)
    with coordinator(f"sqlite:///{folder}/farm.sqlite", folder) as process:
        yield process


def submit(url: str, files: Mapping[str, str], main: str, digests: Path | None) -> tuple[int, float]:
    """Submit files; return the bytes that travelled and the seconds it took."""
    sent = Sent()
    request: dict[str, Any] = {
        "name": "benchmark",
        "frames": "1",
        "blender": [4, 2],
        "render": {"scene": "Scene"},
        "output": {"format": "PNG"},
    }
    submission = Submission(CountingClient(url, ADMIN, sent), PackPlan(main, dict(files), {}), request, digests=digests)
    began = time.perf_counter()
    submission.start()
    submission.wait()
    assert submission.job is not None, submission.error
    return sent.bytes, time.perf_counter() - began


def delta(folder: Path, objects: int, side: int, sessions: Sequence[str]) -> None:
    """Measure what is sent again after each edit, to a coordinator that has the scene and nothing else."""
    for session in ("first", "again"):
        command = [sys.executable, "-c", MAKE_SCENES, str(folder), session, str(objects), str(side)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    scene = folder / "scene.blend"
    for name in [session + edit for session in sessions for edit in EDITS]:
        path = folder / f"{name}.blend"
        with tempfile.TemporaryDirectory() as data, running(Path(data)) as process:
            submit(process.url, {"scene.blend": str(scene)}, "scene.blend", None)
            sent, _ = submit(process.url, {"scene.blend": str(path)}, "scene.blend", None)
        size = path.stat().st_size
        tell("delta", edit=name, file_bytes=size, sent_bytes=sent, sent_share=round(sent / size, 5))


def first(folder: Path, size: int) -> None:
    """Measure a first upload, beside a copy."""
    source = folder / "cache.blend"
    write_noise(source, size)
    began = time.perf_counter()
    shutil.copyfile(source, folder / "copy")
    with (folder / "copy").open("rb+") as file:
        os.fsync(file.fileno())
    copy_seconds = time.perf_counter() - began
    (folder / "copy").unlink()
    with running(folder / "coordinator") as process:
        upload, again = (submit_apart(process.url, source) for _ in range(2))
        coordinator_peak = peak_of(process.pid)
    tell(
        "first",
        bytes=size,
        upload_seconds=upload["seconds"],
        copy_seconds=copy_seconds,
        speed_against_copy=copy_seconds / upload["seconds"],
        again_seconds=again["seconds"],
        client_peak_bytes=int(upload["peak_bytes"]),
        coordinator_peak_bytes=coordinator_peak,
    )


def submit_apart(url: str, path: Path) -> dict[str, float]:
    """Submit a file in a process of its own; return the seconds it took, and the most memory it held."""
    command = [sys.executable, "-m", "benchmarks.bench_upload", "--submit", url, str(path)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    told: dict[str, float] = json.loads(answer.stdout)
    return told


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
        _, seconds = submit(process.url, files, "main.blend", folder / "digests")
        _, again = submit(process.url, files, "main.blend", folder / "digests")
    tell("tiny", files=count, upload_seconds=seconds, again_seconds=again)


def write_noise(path: Path, size: int) -> None:
    """Write a file of bytes without any order."""
    noise = random.Random(1)
    with path.open("wb") as file:
        for _ in range(size // 2**20):
            file.write(noise.randbytes(2**20))


def peak_of(pid: int) -> int:
    """Return the most memory (bytes) that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def tell(part: str, **figures: object) -> None:
    """Print a line."""
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
    print(json.dumps({"benchmark": "upload", "part": part, **rounded}), flush=True)


def submit_and_tell(url: str, path: Path) -> None:
    """Submit a file and print what it took."""
    _, seconds = submit(url, {path.name: str(path)}, path.name, None)
    print(json.dumps({"seconds": seconds, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not to measure")
    parser.add_argument("--submit", nargs=2, metavar=("URL", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.submit:
        submit_and_tell(options.submit[0], Path(options.submit[1]))
        return
    quick = options.quick
    with tempfile.TemporaryDirectory() as folder:
        delta(Path(folder), *((4, 50, ["new session, "]) if quick else (60, 150, ["", "new session, "])))
    with tempfile.TemporaryDirectory() as folder:
        first(Path(folder), 2**24 if quick else 2**31)
    with tempfile.TemporaryDirectory() as folder:
        tiny(Path(folder), 100 if quick else 10_000)


if __name__ == "__main__":
    main()
