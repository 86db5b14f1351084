"""An agent with a real Blender looks into scenes that someone is about to submit, under a real coordinator."""

import asyncio
import gzip
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.settings import AgentSettings, read_settings
from coordinator.protocol import InspectionGrant, InspectionRequest
from tests.fakes.fake_agent import BLENDER
from tests.integration.agent.agents import agent_of
from tests.integration.coordinator import JOIN, RunningCoordinator

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agent")]

#: Seconds that an answer may take on a busy machine.
PATIENCE = 100.0

MAKE = """
import os, sys, bpy
folder = sys.argv[1]
bpy.context.preferences.filepaths.use_relative_paths = False

def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, name), relative_remap=False, compress=False)

scene = bpy.context.scene
scene.render.engine, scene.cycles.samples = "CYCLES", 7
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 320, 180, 50
scene.frame_start, scene.frame_end, scene.frame_step, scene.frame_current = 3, 21, 3, 5
scene.render.fps, scene.render.fps_base = 30, 1.001
scene.render.image_settings.file_format = "OPEN_EXR"
second = bpy.data.objects.new("Close", bpy.data.cameras.new("Close"))
scene.collection.objects.link(second)
scene.view_layers.new("Mist")
scene.view_layers.new("Off").use = False
other = bpy.data.scenes.new("Second \\u00e9")
other.render.engine = "BLENDER_WORKBENCH"
other.render.use_border = other.render.use_crop_to_border = True
for number, path in enumerate(("//textures/wood.png", "//..\\\\shared\\\\stone.png", "/home/ana/metal.png")):
    picture = bpy.data.images.new(f"picture{number}", 8, 8)
    picture.source, picture.filepath, picture.use_fake_user = "FILE", path, True
save("full.blend")
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with two scenes that misses three pictures."""
    folder = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, "-I", "-c", MAKE, str(folder)], check=True, capture_output=True, timeout=120)
    return (folder / "full.blend").read_bytes()


@pytest.fixture
def settings(small_farm: RunningCoordinator, tmp_path: Path) -> AgentSettings:
    """Settings of an agent that joins the farm, and that is given no work."""
    options = {"coordinator": small_farm.url, "join_token": JOIN, "name": "box", "dir": str(tmp_path / "agent")}
    return read_settings({}, options | {"device": "CPU", "blender": "bpy", "threads": "1", "cache_gb": "1"})


async def send(farm: RunningCoordinator, *, remap: dict[str, str] | None = None, **files: bytes) -> str:
    """Upload a pack of ``main`` and other files; return its id."""
    listed = []
    for path, data in files.items():
        sha256 = hashlib.sha256(data).hexdigest()
        name = "shots/a.blend" if path == "main" else path
        listed.append({"path": name, "size": len(data), "blobs": [{"sha256": sha256, "size": len(data)}]})
        await farm.call("PUT", f"api/v1/blobs/{sha256}", data=data)
    answer = await farm.ask("POST", "packs", json={"main": "shots/a.blend", "files": listed, "remap": remap or {}})
    assert answer["missing"] == []
    return str(answer["id"])


async def look(farm: RunningCoordinator, pack: str) -> dict[str, Any]:
    """Have a pack looked into and return what came of it."""
    seen: dict[str, Any] = await farm.ask("POST", f"packs/{pack}/inspection", json={})
    async with asyncio.timeout(PATIENCE):
        while seen["state"] in ("waiting", "running"):
            await asyncio.sleep(0.05)
            seen = await farm.ask("GET", f"packs/{pack}/inspection")
    return seen


async def test_the_scenes_own_values_and_what_is_missing(
    small_farm: RunningCoordinator, settings: AgentSettings, blend: bytes
) -> None:
    farm = small_farm
    pack = await send(farm, main=blend)
    # Asked for before there is an agent: it waits for one.
    waiting = await farm.ask("POST", f"packs/{pack}/inspection", json={"blender": [4, 5]})
    assert (waiting["state"], waiting["main"], waiting["findings"]) == ("waiting", "shots/a.blend", None)
    async with agent_of(settings):
        seen = await look(farm, pack)
        assert (seen["state"], seen["agent"], seen["reason"], seen["problem"]) == ("done", "box", None, None)
        found = seen["findings"]
        assert found["file_version"][:2] == [4, 5]
        assert (found["scene"], [scene["name"] for scene in found["scenes"]]) == ("Scene", ["Scene", "Second é"])
        scene = dict(found["scenes"][0])
        assert scene.pop("fps") == pytest.approx(29.97, abs=0.001)
        assert scene == {
            "name": "Scene",
            "camera": "Camera",
            "cameras": ["Camera", "Close"],
            "camera_changes": False,
            "view_layers": ["ViewLayer", "Mist"],
            "frame_start": 3,
            "frame_end": 21,
            "frame_step": 3,
            "frame_current": 5,
            "resolution": [320, 180],
            "percentage": 50,
            "plain_size": True,
            "engine": "CYCLES",
            "samples": 7,
            "format": "OPEN_EXR",
            "sound": False,
        }
        second = found["scenes"][1]
        assert (second["engine"], second["samples"], second["plain_size"]) == ("BLENDER_WORKBENCH", None, False)
        assert [(file["place"], file["path"]) for file in found["missing"]] == [
            ("shots/textures/wood.png", "shots/textures/wood.png"),
            ("shared/stone.png", "shared/stone.png"),
            (None, "/home/ana/metal.png"),
        ]
        assert found["missing_count"] == 3
        # What was found stays; with the files there, nothing is missing any more.
        assert (await look(farm, pack)) == seen
        whole = await send(
            farm,
            remap={"/home/ana": "elsewhere"},
            main=blend,
            **{"shots/textures/wood.png": b"w", "shared/stone.png": b"s", "elsewhere/metal.png": b"m"},
        )
        assert (await look(farm, whole))["findings"]["missing"] == []


async def test_files_that_are_no_scene_are_explained(
    small_farm: RunningCoordinator, settings: AgentSettings, blend: bytes
) -> None:
    farm = small_farm
    async with agent_of(settings):
        broken = {
            "text": b"This is no scene.",
            "nothing": b"",
            "cut": blend[: len(blend) // 2],
            "noise": blend[:64] + bytes(range(256)) * 400,
            "zipped": gzip.compress(blend)[:5000],
        }
        for name, data in broken.items():
            seen = await look(farm, await send(farm, main=data))
            assert seen["state"] == "failed", name
            assert "Blender" in seen["reason"], name
            assert str(settings.folder) not in seen["reason"]
        # The next one is looked into all the same.
        assert (await look(farm, await send(farm, main=blend)))["state"] == "done"


async def test_a_scene_is_opened_without_running_what_is_in_it(
    small_farm: RunningCoordinator, settings: AgentSettings, tmp_path: Path
) -> None:
    script = (
        "import bpy, os, sys\n"
        "text = bpy.data.texts.new('evil.py')\n"
        "text.use_module = True\n"
        "text.write('raise SystemExit')\n"
        "bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])\n"
        "os._exit(0)\n"
    )
    path = tmp_path / "evil.blend"
    made = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", script, str(path), stdout=-3)
    await made.wait()
    data = await asyncio.to_thread(path.read_bytes)
    async with agent_of(settings):
        found = (await look(small_farm, await send(small_farm, main=data)))["findings"]
        assert "was not run" in found["warnings"][0]


async def test_an_agent_reads_only_the_packs_that_it_looks_into(small_farm: RunningCoordinator, blend: bytes) -> None:
    farm = small_farm
    agent = await farm.agent()
    mine, other = await send(farm, main=blend), await send(farm, main=b"something else")
    await farm.ask("POST", f"packs/{mine}/inspection", json={})
    await farm.ask("POST", f"packs/{other}/inspection", json={})
    asked = InspectionRequest(blender=BLENDER)
    grant = await agent.ask("POST", "inspections", asked, InspectionGrant)
    assert grant.pack_id == mine
    assert (await agent.call("GET", f"packs/{mine}")).status == 200
    assert (await agent.call("GET", f"packs/{other}")).status == 404
    await farm.refused("POST", f"packs/{'0' * 64}/inspection", 404, "not_found", json={})
    await farm.refused("GET", f"packs/{'0' * 64}/inspection", 404, "not_found")
    error = await farm.refused("POST", f"packs/{mine}/inspection", 422, "invalid", json={"blender": [5, 1]})
    assert "saved by Blender 5.1, and the newest one on the farm is 4.5" in error["message"]
