"""An agent's sessions with real Blender: kept warm, started anew, checked, and ended when they hang."""

import asyncio
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from agent import upkeep
from agent.blender.watchdog import Patience
from agent.settings import AgentSettings
from agent.upkeep import Upkeep
from tests.integration.agent.agents import A_WHILE, agent_of
from tests.integration.agent.stand_in import StandIn

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agent")]

#: Each saves the file that it is told to, with something of its own.
SMALL = """
import os, sys, bpy
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
scene.render.resolution_x, scene.render.resolution_y = 64, 48

def run_in_it(words):
    script = bpy.data.texts.new("script.py")
    script.use_module = True
    script.write("import bpy, time\\n@bpy.app.handlers.persistent\\ndef handler(scene, *_):\\n" + words)
    script.write("\\nbpy.app.handlers.frame_change_pre.append(handler)\\n")

def save():
    bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1], relative_remap=False)
    sys.stdout.flush()
    os._exit(0)
"""
HANGS = 'run_in_it("    if scene.frame_current == 2: time.sleep(600)")\nsave()'
REMEMBERS = "run_in_it(\"    bpy.data.objects['Cube'].scale *= 1.3\")\nsave()"
MISSES = """
picture = bpy.data.images.new("wood.png", 8, 8)
picture.source, picture.filepath = "FILE", "/home/ana/wood.png"
picture.use_fake_user = True
save()
"""
#: The engine of an add-on that the agent's Blender does not have.
FOREIGN = """
class Foreign(bpy.types.RenderEngine):
    bl_idname = "FOREIGN"
    bl_label = "An add-on's"

bpy.utils.register_class(Foreign)
scene.render.engine = "FOREIGN"
save()
"""


def made(folder: Path, body: str) -> bytes:
    path = folder / "made.blend"
    subprocess.run([sys.executable, "-I", "-c", SMALL + body, str(path)], check=True, capture_output=True, timeout=120)
    return path.read_bytes()


async def make(folder: Path, body: str) -> bytes:
    """Return the file of a scene."""
    return await asyncio.to_thread(made, folder, body)


async def test_frame_that_hangs_is_told_as_such_and_the_next_begins_in_a_new_blender(
    farm: StandIn, settings: AgentSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = Patience(look=0.2, idle=3.0)
    monkeypatch.setattr("agent.daemon.patience_for", lambda _device: impatient)
    await farm.offer("one", farm.add_pack(scene=await make(tmp_path, HANGS)), 1, 2, 3, allow_scripts=True)
    async with agent_of(settings):
        await farm.until(("one", 1), ("one", 3))
        (failure,) = (await farm.until_report("one", failed=True)).failures
    assert (failure.frame, failure.code) == (2, "hung")
    assert "it has done nothing" in failure.message
    assert [farm.frames["one", frame].load_seconds > 0 for frame in (1, 3)] == [True, True]


async def test_session_that_outgrows_its_memory_is_started_anew_and_loses_nothing(
    farm: StandIn,
    settings: AgentSettings,
    scene: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Any growth, or none, is too much here.
    monkeypatch.setattr(upkeep, "GROWTH", 0.5)
    monkeypatch.setattr("agent.slot.Upkeep", lambda _memory, unkept: Upkeep(1.0, unkept))
    await farm.offer("one", farm.add_pack(scene=scene), *range(1, 11))
    async with agent_of(settings):
        await farm.until(*(("one", frame) for frame in range(1, 11)))
    loaded = [frame for frame in range(1, 11) if farm.frames["one", frame].load_seconds > 0]
    assert loaded == [1, 5, 9]
    told = [record.getMessage() for record in caplog.records if "starts a new Blender" in record.getMessage()]
    assert len(told) == 2
    assert "memory grew from 0." in told[0]
    assert "from now on nothing is kept" in told[1]
    assert all(not report.failures for report in farm.leases["one"].reports)


async def test_scene_that_renders_differently_when_warm_is_noticed(
    farm: StandIn, settings: AgentSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.slot.Upkeep", partial(Upkeep, check_after=2))
    await farm.offer("one", farm.add_pack(scene=await make(tmp_path, REMEMBERS)), *range(1, 6), allow_scripts=True)
    async with agent_of(settings):
        await farm.until(*(("one", frame) for frame in range(1, 6)))
    (warning,) = {warning for report in farm.leases["one"].reports for warning in report.warnings}
    assert "with frames 2-3 in between, and came out differently" in warning
    # The rest was rendered in a new Blender, which keeps nothing.
    assert [farm.frames["one", frame].load_seconds > 0 for frame in range(1, 6)] == [True, False, False, True, False]


async def test_scene_that_renders_alike_when_warm_is_checked_in_silence(
    farm: StandIn,
    settings: AgentSettings,
    scene: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends: list[bool] = []

    class Watched(Upkeep):
        def checked(self, *, same: bool) -> str | None:
            ends.append(same)
            return super().checked(same=same)

    monkeypatch.setattr("agent.slot.Upkeep", partial(Watched, check_after=2))
    await farm.offer("one", farm.add_pack(scene=scene), *range(1, 6))
    async with agent_of(settings):
        await farm.until(*(("one", frame) for frame in range(1, 6)))
    assert ends == [True]
    assert [report.warnings for report in farm.leases["one"].reports if report.warnings] == []
    assert [farm.frames["one", frame].load_seconds > 0 for frame in range(1, 6)] == [True, *[False] * 4]


@pytest.mark.parametrize("stop", [True, False])
async def test_missing_files_stop_a_job_that_asks_for_it_and_are_told_otherwise(
    farm: StandIn, settings: AgentSettings, tmp_path: Path, stop: bool
) -> None:
    pack = farm.add_pack(scene=await make(tmp_path, MISSES))
    await farm.offer("one", pack, 1, stop_on_missing=stop)
    async with agent_of(settings):
        if stop:
            (failure,) = (await farm.until_report("one", failed=True)).failures
            await farm.until_released("one")
            assert (failure.frame, failure.code) == (None, "missing_files")
            assert 'the image "wood.png" (/home/ana/wood.png)' in failure.message
        else:
            await farm.until(("one", 1))
            (warning,) = [text for report in farm.leases["one"].reports for text in report.warnings]
            assert "wood.png" in warning


async def test_engine_that_is_missing_stops_a_job_that_asks_for_it_and_is_told_otherwise(
    farm: StandIn, settings: AgentSettings, tmp_path: Path
) -> None:
    def warnings() -> list[str]:
        reports = farm.leases["two"].reports if "two" in farm.leases else []
        return [text for report in reports for text in report.warnings]

    pack = farm.add_pack(scene=await make(tmp_path, FOREIGN))
    await farm.offer("one", pack, 1, stop_on_missing=True)
    await farm.offer("two", pack, 1)
    async with agent_of(settings):
        (failure,) = (await farm.until_report("one", failed=True)).failures
        await farm.until_released("one")
        # Before the first frame, which EEVEE takes long for without a card.
        await farm.until_seen(lambda: bool(warnings()))
    assert (failure.frame, failure.code) == (None, "missing_files")
    assert 'the render engine "FOREIGN" (an add-on)' in failure.message
    (warning,) = warnings()
    assert 'The render engine "FOREIGN" is missing' in warning
    assert "rendered with EEVEE instead" in warning


async def test_next_scene_is_fetched_while_this_one_renders_and_opened_once(
    farm: StandIn, settings: AgentSettings, scene: bytes, tmp_path: Path
) -> None:
    first, second = farm.add_pack(scene=scene), farm.add_pack(scene=await make(tmp_path, "save()"))
    await farm.offer("one", first, 1, samples=A_WHILE)
    await farm.offer("two", second, 1, 2)
    await farm.offer("three", first, 2)
    async with agent_of(settings):
        await farm.until(("one", 1), ("two", 1), ("two", 2), ("three", 2))
    fetched = farm.requests.index(f"GET packs/{second}")
    assert fetched < farm.requests.index("PUT leases/one/frames/1/parcel")
    loads = [farm.frames[key].load_seconds > 0 for key in (("one", 1), ("two", 1), ("two", 2), ("three", 2))]
    assert loads == [True, True, False, True]
