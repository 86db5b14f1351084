"""What it costs to download all frames of a long job in a ZIP: bytes a second, CPU and memory of the coordinator.

A job has 10,000 frames of 100 kB.  All of them are downloaded by one browser and by three at once; and a client leaves
again and again after the first bytes.  Beside that, how fast a program reads the same files by itself.  Prints JSON
lines.
"""

import argparse
import hashlib
import json
import random
import sqlite3
import tempfile
import time
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path

from benchmarks.bench_http import Process
from benchmarks.bench_page import prepare
from tests.e2e.farm import ADMIN_TOKEN, Farm, running_farm

FRAMES = 10_000
KILOBYTES = 100
LEAVING = 50
PIECE = 1024 * 1024


def write_frames(store: Path, frames: int, size: int) -> list[tuple[int, float, str]]:
    """Put a file for each frame but the first into a store; return number, time and digest of each."""
    body = random.Random(7).randbytes(size - 8)
    rows = []
    for number in range(2, frames + 1):
        content = number.to_bytes(8, "big") + body
        digest = hashlib.sha256(content).hexdigest()
        path = store / digest[:2] / digest
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        rows.append((number, 1.0, digest))
    return rows


def resize(farm: Farm, size: int) -> None:
    """Have the database say how large the frames' files are."""
    with sqlite3.connect(farm.database.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE frames SET output_size = ? WHERE frame > 1", (size,))
        made = "SELECT output_sha256 FROM frames WHERE frame > 1"
        database.execute(f"UPDATE blobs SET size = ? WHERE sha256 IN ({made})", (size,))  # noqa: S608 - our own words


def read_by_oneself(store: Path, rows: list[tuple[int, float, str]]) -> float:
    """Return how long reading the same files and checking their sums takes, in seconds."""
    began = time.perf_counter()
    for _, _, digest in rows:
        zlib.crc32((store / digest[:2] / digest).read_bytes())
    return time.perf_counter() - began


def open_zip(farm: Farm, job: int) -> HTTPResponse:
    """Begin to download a job's frames."""
    url = f"{farm.url}/api/v1/jobs/{job}/frames.zip"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})  # noqa: S310 - our own
    answer: HTTPResponse = urllib.request.urlopen(request)  # noqa: S310 - likewise
    return answer


def download(farm: Farm, job: int) -> tuple[int, float]:
    """Download all frames; return the bytes and how long the first of them took, in seconds."""
    began = time.perf_counter()
    count, first = 0, 0.0
    with open_zip(farm, job) as answer:
        while piece := answer.read(PIECE):
            first = first or time.perf_counter() - began
            count += len(piece)
    return count, first


def peak_memory(process: Process) -> int:
    """Return the most memory (bytes) that a process has held since it was asked last."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def measure(farm: Farm, job: int, process: Process, clients: int) -> None:
    """Measure so many downloads at once."""
    before = peak_memory(process)
    cpu, began = process.cpu_seconds(), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        done = list(pool.map(lambda _: download(farm, job), range(clients)))
    seconds = time.perf_counter() - began
    tell(
        "download",
        clients=clients,
        mb_per_second=round(sum(count for count, _ in done) / seconds / 1e6, 1),
        first_byte_ms=round(1000 * max(first for _, first in done), 1),
        coordinator_cpu_seconds=round(process.cpu_seconds() - cpu, 2),
        seconds=round(seconds, 2),
        memory_mb=round((peak_memory(process) - before) / 1e6, 1),
    )


def leave(farm: Farm, job: int, process: Process, times: int) -> None:
    """Measure what clients cost that leave after the first bytes, one after the other."""
    before = peak_memory(process)
    opened = open_files(process)
    cpu = process.cpu_seconds()
    for _ in range(times):
        with open_zip(farm, job) as answer:
            answer.read(1000)
    tell(
        "leave",
        clients=times,
        coordinator_cpu_ms_each=round(1000 * (process.cpu_seconds() - cpu) / times, 1),
        memory_mb=round((peak_memory(process) - before) / 1e6, 1),
        open_files_more=open_files(process) - opened,
    )


def open_files(process: Process) -> int:
    """Return how many files and connections a process has open."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def tell(part: str, **values: object) -> None:
    """Print a line."""
    print(json.dumps({"benchmark": "zip", "part": part, **values}), flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--kilobytes", type=int, default=KILOBYTES)
    arguments = parser.parse_args()
    size = 1000 * arguments.kilobytes
    with tempfile.TemporaryDirectory() as folder, running_farm(Path(folder)) as farm:
        store = farm.folder / "coordinator" / "blobs"
        rows = write_frames(store, arguments.frames, size)
        job = prepare(farm, arguments.frames, rows)
        resize(farm, size)
        farm.start_coordinator()
        assert farm.coordinator is not None
        process = Process(farm.url, farm.coordinator.pid)
        alone = read_by_oneself(store, rows)
        tell("files", frames=arguments.frames, mb_per_second=round(len(rows) * size / alone / 1e6, 1))
        for clients in (1, 3):
            measure(farm, job, process, clients)
        leave(farm, job, process, LEAVING)


if __name__ == "__main__":
    main()
