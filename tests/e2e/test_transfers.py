"""An agent that dies while it fetches a pack: what it has is kept, and nothing half fetched is ever taken for whole."""

import hashlib
import json
import os
import random
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.blender_scripts import make_scene
from tests.e2e.farm import ADMIN_TOKEN, PATIENCE, Farm, running_farm, wait_until
from tests.e2e.faucet import faucet

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-transfers")]

MEBIBYTE = 2**20
LONG = 24 * MEBIBYTE

#: Short files of the pack: they travel together.
SHORT_FILES = 300


def call(farm: Farm, method: str, path: str, body: bytes) -> Any:
    """Make a call of the public API."""
    request = urllib.request.Request(  # noqa: S310 - the farm's own address
        f"{farm.url}/api/v1/{path}",
        data=body,
        method=method,
        headers={"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - likewise
        said = answer.read()
    return json.loads(said) if said else None


def submit(farm: Farm, files: dict[str, bytes]) -> tuple[int, str]:
    """Submit a job of one frame whose pack has these files; return its number and the pack's."""
    listed = [
        {"path": path, "size": len(data), "blobs": [{"sha256": digest(data), "size": len(data)}]}
        for path, data in files.items()
    ]
    manifest = json.dumps({"main": "scene.blend", "files": listed, "remap": {}}).encode()
    call(farm, "POST", "packs", manifest)
    for data in files.values():
        call(farm, "PUT", f"blobs/{digest(data)}", data)
    pack = call(farm, "POST", "packs", manifest)["id"]
    job = {"name": "transfer", "pack": pack, "frames": "1", "blender": [4, 2], "render": {"scene": "Shot"}}
    job |= {"output": {"format": "PNG"}, "video": False}
    return int(call(farm, "POST", "jobs", json.dumps(job).encode())["id"]), pack


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_agent_killed_while_it_fetches_goes_on_where_it_was(tmp_path: Path) -> None:
    noise = random.Random(1)  # noqa: S311 - bytes that differ
    blend = make_scene(tmp_path / "scene", frames=[1, 1], resolution=[64, 36], samples=1)
    files = {"scene.blend": blend.read_bytes(), "cache/long.bin": noise.randbytes(LONG)}
    files |= {f"cache/{number}.txt": noise.randbytes(500) for number in range(SHORT_FILES)}
    with running_farm(tmp_path / "farm") as farm, faucet(farm.port, 8 * MEBIBYTE) as proxy:
        job, pack = submit(farm, files)
        agent = farm.start_agent("one", "--coordinator", proxy.url)
        inputs = farm.folder / "one" / "inputs"
        part = inputs / "parts" / digest(files["cache/long.bin"])
        wait_until(
            lambda: (proxy.held.is_set() and part.exists() and part.stat().st_size > MEBIBYTE) or None,
            "the long file was half fetched",
            agent,
        )
        os.killpg(agent.pid, signal.SIGKILL)
        agent.wait(PATIENCE)
        fetched = part.stat().st_size
        assert fetched < LONG
        whole = list((inputs / "blobs").glob("??/*"))
        assert len(whole) >= SHORT_FILES, "the short files are there"
        assert all(digest(path.read_bytes()) == path.name for path in whole), "what is there is whole"
        assert not list((inputs / "packs").glob(f"{pack}*")), "no session could have opened it"

        proxy.open()
        farm.start_agent("one", "--coordinator", proxy.url)
        assert farm.json("wait", str(job))["state"] == "completed"
        laid_out = inputs / "packs" / pack
        assert {path: (laid_out / path).read_bytes() == data for path, data in files.items()} == dict.fromkeys(
            files, True
        )
        assert proxy.passed < LONG - fetched + 2 * MEBIBYTE, "only what was lacking travelled"
        # One file under two names.
        assert (laid_out / "cache/long.bin").samefile(inputs / "blobs" / part.name[:2] / part.name)
