"""Submits files as the add-on does, for bench_upload: by itself it imports nothing but the add-on, as Blender would.

``python -m benchmarks.upload_client URL TOKEN FILE`` submits a file and prints a JSON line: the seconds it took, the
seconds of the processor, and the most memory this process held (bytes).
"""

import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from addon.client import FarmClient
from addon.pack_plan import PackPlan
from addon.uploader import Submission


@dataclass
class Sent:
    """What travelled in the batches of one submission."""

    bytes: int = 0


class CountingClient(FarmClient):
    """Counts what it uploads, and what its clones do."""

    def __init__(self, url: str, token: str, sent: Sent) -> None:
        """Add what is uploaded to ``sent``."""
        super().__init__(url, token)
        self._token = token
        self._sent = sent

    def clone(self) -> "CountingClient":
        """Return a client that counts into the same place."""
        return CountingClient(self.base_url, self._token, self._sent)

    def put_blobs(self, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Upload a batch."""
        self._sent.bytes += size
        super().put_blobs(size, pieces)


def submit(url: str, token: str, files: Mapping[str, str], main: str, digests: Path | None = None) -> tuple[int, float]:
    """Submit files; return the bytes that travelled and the seconds it took."""
    sent = Sent()
    request: dict[str, Any] = {
        "name": "benchmark",
        "frames": "1",
        "blender": [4, 2],
        "render": {"scene": "Scene"},
        "output": {"format": "PNG"},
    }
    submission = Submission(CountingClient(url, token, sent), PackPlan(main, dict(files), {}), request, digests=digests)
    began = time.perf_counter()
    submission.start()
    submission.wait()
    assert submission.job is not None, submission.error
    return sent.bytes, time.perf_counter() - began


def peak_of(pid: int | str) -> int:
    """Return the most memory (bytes) that a process has held.

    Not ``getrusage``: what that tells begins with the memory of the process that started this one.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def main() -> None:
    """Submit and print."""
    url, token, path = sys.argv[1:]
    before = time.process_time()
    _, seconds = submit(url, token, {Path(path).name: path}, Path(path).name)
    cpu = time.process_time() - before
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak_of("self")}))


if __name__ == "__main__":
    main()
