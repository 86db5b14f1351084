"""The coordinator is killed amid uploads and sweeps: all goes on, nothing is lost, and no blob is ever broken."""

import hashlib
import json
import os
import random
import signal
import struct
import threading
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.farm import ADMIN_TOKEN, Farm, wait_until

#: The sweeper removes what nobody needs after two seconds: it is at it all the time.
BRIEF = {"RENDERFARM_GRACE_HOURS": "0.0006"}
KILLS = 3
ROUNDS = 4
#: Several pieces as the coordinator reads and writes them.
BLOB_BYTES = 1_500_000


class Artist(threading.Thread):
    """Uploads scenes, one by one or in batches, submits them, and deletes every other job.

    Each scene shares files with the one before.
    """

    def __init__(self, farm: Farm, seed: int) -> None:
        super().__init__()
        self.farm = farm
        self.random = random.Random(seed)  # noqa: S311 - for test data
        self.done = threading.Event()
        self.rounds = 0
        self.kept: dict[int, list[str]] = {}
        """Jobs that were acknowledged and not deleted, with their blobs."""
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            before = self.random.randbytes(BLOB_BYTES)
            while not self.done.is_set():
                after = self.random.randbytes(BLOB_BYTES)
                self.submit([before, after])
                before = after
                self.rounds += 1
        except BaseException as error:
            self.problem = error
            raise

    def submit(self, blobs: list[bytes]) -> None:
        names = {hashlib.sha256(data).hexdigest(): data for data in blobs}
        parts = [{"sha256": name, "size": len(data)} for name, data in names.items()]
        size = sum(map(len, blobs))
        pack = {"main": "a.blend", "files": [{"path": "a.blend", "size": size, "blobs": parts}]}
        job = None
        submission = f"{self.random.getrandbits(128):032x}"
        while job is None:
            _, answer = self.call("POST", "packs", pack)
            missing = [blob["sha256"] for blob in answer["missing"]]
            if self.rounds % 2:
                for name in missing:
                    self.call("PUT", f"blobs/{name}", names[name])
            else:
                heads = {
                    name: struct.pack(">32sBII", bytes.fromhex(name), 0, *2 * [len(names[name])]) for name in missing
                }
                self.call("POST", "blobs", b"".join(heads[name] + names[name] for name in missing))
            request = {
                "name": "shot",
                "pack": answer["id"],
                "frames": "1-10",
                "blender": [4, 5],
                "render": {"scene": "Scene"},
                "output": {"format": "PNG"},
                "submission": submission,
            }
            # Away for longer than an upload waits, it begins anew.
            status, job = self.call("POST", "jobs", request, expected=(201, 404, 409))
            job = job if status == 201 else None
        self.kept[job["id"]] = list(names)
        if job["id"] % 2:
            del self.kept[job["id"]]
            self.call("POST", f"jobs/{job['id']}/cancel", expected=(200, 404))
            self.call("DELETE", f"jobs/{job['id']}", expected=(200, 404))

    def call(self, method: str, path: str, body: Any = b"", expected: tuple[int, ...] = (200, 201)) -> tuple[int, Any]:
        """Call until there is an answer: the coordinator may be down."""
        is_file = isinstance(body, bytes)
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        if not is_file:
            headers["Content-Type"] = "application/json"
        data = body if is_file else json.dumps(body).encode()

        def once() -> tuple[int, Any] | None:
            request = urllib.request.Request(  # noqa: S310 - our own address
                f"{self.farm.url}/api/v1/{path}", data, headers, method=method
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
                    return response.status, json.loads(response.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code in expected:
                    return error.code, json.loads(error.read())
                if error.code != 503:
                    raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from error
            except OSError:
                pass
            return None

        return wait_until(once, f"{method} {path} was answered")


@pytest.mark.slow
def test_a_coordinator_killed_amid_uploads_and_sweeps(tmp_path: Path) -> None:
    farm = Farm(tmp_path, settings=BRIEF)
    artists = [Artist(farm, seed) for seed in range(3)]
    try:
        farm.start_coordinator()
        for artist in artists:
            artist.start()
        for kill in range(1, KILLS + 1):
            # Amid whatever they are at just then.
            wait_until(partial(_are_past, artists, kill * ROUNDS), "there were uploads")
            assert farm.coordinator is not None
            os.kill(farm.coordinator.pid, signal.SIGKILL)
            farm.coordinator.wait(20)
            farm.start_coordinator()
        wait_until(lambda: _are_past(artists, (KILLS + 1) * ROUNDS), "they went on")
        for artist in artists:
            artist.done.set()
        for artist in artists:
            artist.join()
        assert [artist.problem for artist in artists] == [None] * len(artists)
        kept = {job: names for artist in artists for job, names in artist.kept.items()}
        assert kept
        for job, names in kept.items():
            assert artists[0].call("GET", f"jobs/{job}")[1]["state"] == "queued"
            for name in names:
                assert (tmp_path / "coordinator" / "blobs" / name[:2] / name).exists(), f"a file of job {job} is gone"
                artists[0].call("HEAD", f"blobs/{name}")
        for path in (tmp_path / "coordinator" / "blobs").glob("*/*"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, "a blob is broken"
    except BaseException:
        print(farm.logs())  # noqa: T201 - pytest shows it when the test fails
        raise
    finally:
        for artist in artists:
            artist.done.set()
        farm.stop()


def _are_past(artists: list[Artist], rounds: int) -> bool | None:
    for artist in artists:
        if artist.problem is not None:
            raise artist.problem
    return True if all(artist.rounds >= rounds for artist in artists) else None
