"""The agent with real Blender, against a coordinator that fails on demand."""

import asyncio
import io
import os
import signal
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from PIL import Image

from agent.card_meter import CardMeter
from agent.client import StopAgentError
from agent.equipment import Equipment
from agent.gpus import Gpus
from agent.settings import AgentSettings
from coordinator.protocol import Device, Platform, Telemetry
from tests.fakes.nvml import GIBIBYTE, FakeCard, FakeNvml
from tests.integration.agent.agents import A_WHILE, FOREVER, agent_of, blender_pid, waiting_frames
from tests.integration.agent.stand_in import AGENT_TOKEN, JOIN_TOKEN, StandIn

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agent")]


async def test_leases_are_rendered_in_one_session(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    pack = farm.add_pack(scene=scene, texture=b"wood", nothing=b"")
    await farm.offer("one", pack, 1, 2, width=64)
    async with agent_of(settings) as (agent, task):
        await farm.until(("one", 1), ("one", 2))
        pid = blender_pid(agent)
        await farm.offer("two", pack, 3)
        await farm.until(("two", 3))
        assert blender_pid(agent) == pid
        agent.stop()
        await task
    assert farm.left
    assert farm.registered == [JOIN_TOKEN]
    assert farm.requests.count(f"GET packs/{pack}") == 1
    (request,) = farm.introduced
    assert (request.tags, request.pools, request.engines) == (["big"], ["lighting"], ["CYCLES"])
    assert (request.device, request.platform, request.vram_bytes) == (Device.CPU, Platform.LINUX, None)
    # The next lease was asked for before the last frame of this one was in, and again when there was none.
    first, ahead, dry = farm.asked[:3]
    assert (first.open_pack, first.cached_packs, first.busy_seconds) == (None, [], 0.0)
    assert (ahead.holds, ahead.open_pack, ahead.cached_packs) == (["one"], pack, [pack])
    assert ahead.busy_seconds > 0
    assert (dry.open_pack, dry.busy_seconds) == (pack, 0.0)
    second = [index for index, said in enumerate(farm.requests) if said == "POST leases"][1]
    assert second < farm.requests.index("PUT leases/one/frames/2/parcel")
    # Opening the scene is told with the first frame.
    opening, *later = (farm.frames[key].load_seconds for key in (("one", 1), ("one", 2), ("two", 3)))
    assert opening > 0
    assert later == [0.0, 0.0]
    result = farm.frames["one", 1]
    with Image.open(io.BytesIO(farm.uploads[result.output.sha256])) as output:
        assert (output.format, output.size) == ("PNG", (64, 48))
    assert result.preview is None  # it is small enough to be its own
    assert result.blender >= (4, 2, 0)
    assert result.seconds > 0
    assert await waiting_frames(settings) == []


async def test_coordinator_goes_away_and_comes_back(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    farm.faults["POST register"] = [(503, "internal")]
    farm.faults["GET packs"] = [(502, "internal")]
    farm.faults["PUT leases/one/frames/1"] = [(503, "internal"), (507, "disk_full")]
    farm.faults["POST leases/one/report"] = [(503, "internal")] * 2
    await farm.offer("one", farm.add_pack(scene=scene), 1, 2, 3)
    async with agent_of(settings):
        await farm.until(("one", 1), ("one", 2), ("one", 3))


async def test_lost_lease_is_dropped_at_once(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    pack = farm.add_pack(scene=scene)
    await farm.offer("one", pack, 1, 2, samples=FOREVER)
    async with agent_of(settings):
        await farm.until_report("one", rendering=True)
        await farm.lose("one")
        await farm.offer("two", pack, 3)
        await farm.until(("two", 3))
    assert not any(said.startswith("PUT leases/one") for said in farm.requests)
    assert farm.leases["two"].reports[-1].failures == []


async def test_tail_that_was_taken_over_is_not_begun(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    pack = farm.add_pack(scene=scene)
    await farm.offer("one", pack, *range(1, 100), samples=A_WHILE)
    async with agent_of(settings):
        await farm.until_report("one", rendering=True)
        await farm.take_over("one", *range(2, 100))
        await farm.offer("two", pack, 1)
        await farm.until(("one", 1), ("two", 1))
    # What was begun before the next report was answered, a fraction of a second later, and nothing more.
    begun = [report.frame for report in farm.leases["one"].reports if report.frame is not None]
    assert max(begun) < 5


async def test_frame_that_another_slot_has_delivered_is_dropped_alone(
    farm: StandIn, settings: AgentSettings, scene: bytes
) -> None:
    await farm.offer("one", farm.add_pack(scene=scene), 1, 2, 3)
    async with agent_of(settings):
        await farm.until_leased("one")
        await farm.take_over("one", 2)
        await farm.until(("one", 1), ("one", 3))
    assert "PUT leases/one/frames/2/parcel" in farm.requests
    assert ("one", 2) not in farm.frames
    assert [report.failures for report in farm.leases["one"].reports if report.failures] == []


async def test_forgotten_agent_registers_again(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    farm.faults["POST leases"] = [(410, "agent_gone")]
    await farm.offer("one", farm.add_pack(scene=scene), 1)
    async with agent_of(settings):
        await farm.until(("one", 1))
    assert farm.registered == [JOIN_TOKEN, AGENT_TOKEN]


async def test_the_machine_and_what_its_blender_can_do_are_told(
    farm: StandIn, settings: AgentSettings, scene: bytes
) -> None:
    await farm.offer("one", farm.add_pack(scene=scene), 1, samples=FOREVER)
    async with agent_of(settings):
        await farm.until_report("one", rendering=True)

        def told() -> list[Telemetry]:
            asked = [request.telemetry for request in farm.asked]
            reported = [report.telemetry for report in farm.leases["one"].reports]
            return [telemetry for telemetry in asked + reported if telemetry is not None]

        await farm.until_seen(lambda: bool(told()))
    assert told()[0].disk_free_bytes
    (blender,) = farm.introduced[0].blenders
    assert blender.engines == ["CYCLES", "EEVEE", "WORKBENCH"]
    assert "OPENIMAGEDENOISE" in blender.denoisers


class CrowdedNvml(FakeNvml):
    """Every process of the machine has two gibibytes of each card, and each look costs a joule."""

    def nvmlDeviceGetComputeRunningProcesses(self, card: FakeCard) -> list[Any]:  # noqa: ARG002, N802 - NVML's own
        return [SimpleNamespace(pid=pid, usedGpuMemory=2 * GIBIBYTE) for pid in psutil.pids()]

    def nvmlDeviceGetTotalEnergyConsumption(self, card: FakeCard) -> int:  # noqa: N802 - NVML's own
        card.millijoules = (card.millijoules or 0) + 1000
        return card.millijoules


async def test_what_blender_takes_of_the_card_goes_with_the_frame(
    farm: StandIn, settings: AgentSettings, scene: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus = Gpus(CrowdedNvml(FakeCard()).load)
    monkeypatch.setattr(Equipment, "card_meters", lambda _: [CardMeter(gpus, gpus.cards)])
    await farm.offer("one", farm.add_pack(scene=scene), 1)
    async with agent_of(settings):
        await farm.until(("one", 1))
    frame = farm.frames["one", 1]
    assert (frame.peak_gpu_memory_bytes or 0) >= 2 * GIBIBYTE
    assert frame.energy_joules == 1.0


async def test_stop_finishes_the_frame_and_hands_the_rest_back(
    farm: StandIn, settings: AgentSettings, scene: bytes
) -> None:
    await farm.offer("one", farm.add_pack(scene=scene), *range(1, 9), samples=A_WHILE)
    async with agent_of(settings) as (agent, task):
        await farm.until_report("one", rendering=True)
        agent.stop()
        await task
    assert farm.left
    assert farm.leases["one"].released
    done = sorted(frame for _, frame in farm.frames)
    assert done == list(range(1, len(done) + 1))
    assert 1 <= len(done) < 8
    assert await waiting_frames(settings) == []


async def test_killed_blender_fails_its_frame_and_the_next_has_a_new_one(
    farm: StandIn, settings: AgentSettings, scene: bytes
) -> None:
    pack = farm.add_pack(scene=scene)
    await farm.offer("one", pack, 1, samples=FOREVER)
    async with agent_of(settings) as (agent, _):
        await farm.until_report("one", rendering=True)
        killed = blender_pid(agent)
        os.kill(killed, signal.SIGKILL)
        (failure,) = (await farm.until_report("one", failed=True)).failures
        assert (failure.frame, failure.code) == (1, "crashed")
        assert "SIGKILL" in failure.message
        await farm.offer("two", pack, 1)
        await farm.until(("two", 1))
        assert blender_pid(agent) != killed


async def test_file_that_is_no_scene_fails_the_whole_job(farm: StandIn, settings: AgentSettings) -> None:
    await farm.offer("one", farm.add_pack(scene=b"Dear diary"), 1, 2, 3)
    async with agent_of(settings):
        (failure,) = (await farm.until_report("one", failed=True)).failures
        await farm.until_released("one")
    assert (failure.frame, failure.code) == (None, "cannot_open")
    assert "\n" not in failure.message


async def test_scene_of_another_size_than_the_job_says(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    await farm.offer("one", farm.add_pack(scene=scene), 1, width=128)
    async with agent_of(settings):
        (failure,) = (await farm.until_report("one", failed=True)).failures
    assert (failure.frame, failure.code) == (None, "wrong_size")
    assert "64×48 pixels, but the job says 128×48" in failure.message


async def test_no_sound_is_said_and_the_frames_are_rendered(
    farm: StandIn, settings: AgentSettings, scene: bytes
) -> None:
    await farm.offer("one", farm.add_pack(scene=scene), 1, sound=(1, 24))
    async with agent_of(settings):
        await farm.until(("one", 1))
        await farm.until_true("sounds")
    assert farm.sounds["one"].file is None
    assert "no sound" in (farm.sounds["one"].failure or "")


async def test_frames_kept_by_an_agent_that_was_killed_are_delivered_by_the_next(
    farm: StandIn, settings: AgentSettings, scene: bytes
) -> None:
    farm.faults["PUT leases/one/frames"] = [(503, "internal")] * 1000
    await farm.offer("one", farm.add_pack(scene=scene), 1, 2)
    async with agent_of(settings):
        while len(await waiting_frames(settings)) < 2:
            await farm.until_report("one")
    assert farm.frames == {}
    farm.faults.clear()
    async with agent_of(settings):
        await farm.until(("one", 1), ("one", 2))
    assert farm.registered == [JOIN_TOKEN, AGENT_TOKEN]


async def test_damaged_blob_is_fetched_again(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    farm.faults["GET blobs"] = [(200, "damaged"), (206, "damaged")]
    await farm.offer("one", farm.add_pack(scene=scene), 1)
    async with agent_of(settings):
        await farm.until(("one", 1))


async def test_damaged_cache_is_noticed(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    pack = farm.add_pack(scene=scene)
    await farm.offer("one", pack, 1)
    async with agent_of(settings):
        await farm.until(("one", 1))

    def damage() -> None:
        (blob,) = settings.folder.glob("inputs/blobs/??/*")
        blob.chmod(0o644)
        blob.write_bytes(b"rust")

    await asyncio.to_thread(damage)
    await farm.offer("two", pack, 2)
    async with agent_of(settings):
        await farm.until(("two", 2))


async def test_lost_blob_fails_the_job_not_the_agent(farm: StandIn, settings: AgentSettings, scene: bytes) -> None:
    farm.faults["GET blobs"] = [(404, "not_found")]
    pack = farm.add_pack(scene=scene)
    await farm.offer("one", pack, 1)
    async with agent_of(settings):
        (failure,) = (await farm.until_report("one", failed=True)).failures
        assert (failure.frame, failure.code) == (None, "no_inputs")
        await farm.until_released("one")
        await farm.offer("two", pack, 1)
        await farm.until(("two", 1))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((401, "token_wrong"), "token_wrong"),
        ((426, "upgrade_required"), "upgrade"),
        ((422, "invalid"), "does not take"),
    ],
)
async def test_agent_that_is_not_wanted_stops(
    farm: StandIn, settings: AgentSettings, fault: tuple[int, str], words: str
) -> None:
    farm.faults["POST register"] = [fault]
    async with agent_of(settings) as (_, task):
        with pytest.raises(StopAgentError, match=words):
            await task


async def test_token_revoked_while_it_works(farm: StandIn, settings: AgentSettings) -> None:
    farm.faults["POST leases"] = [(401, "token_wrong")]
    async with agent_of(settings) as (_, task):
        with pytest.raises(StopAgentError, match="token_wrong"):
            await task
