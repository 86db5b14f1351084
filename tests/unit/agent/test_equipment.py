"""What an agent renders with: found before it joins."""

import asyncio
from pathlib import Path

import pytest

from agent.blender.locate import Blender, NoBlenderError
from agent.blender.session import Limits
from agent.devices import DeviceError, Wish
from agent.equipment import Equipment, find_equipment
from agent.gpus import Gpus
from coordinator.protocol import BlenderBuild, Device
from tests.fakes.nvml import FakeCard, FakeNvml, no_driver
from tests.unit.agent.blenders import DESCRIBED, child

LIMITS = Limits(start=20.0, describe=20.0, close=5.0)

DYING = "commands.readline()\nos.kill(os.getpid(), signal.SIGSEGV)\n"


async def find(folder: Path, wish: Wish, *blenders: Blender, gpus: Gpus | None = None) -> Equipment:
    return await find_equipment(wish, blenders, gpus or Gpus(no_driver), folder, folder, LIMITS)


async def blender(folder: Path, body: str) -> Blender:
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    return await asyncio.to_thread(child, folder, body)


async def test_a_card_is_found_by_itself(tmp_path: Path) -> None:
    gpus = Gpus(FakeNvml(FakeCard()).load)
    equipment = await find(tmp_path, Wish(None), await blender(tmp_path, DESCRIBED), gpus=gpus)
    assert equipment.choice.kind == Device.CUDA
    assert equipment.choice.slots[0].cards == gpus.cards
    assert equipment.build() == BlenderBuild(
        version=(4, 5, 0), kind="executable", engines=["CYCLES"], devices=[Device.CUDA]
    )
    assert equipment.engines() == ["CYCLES"]  # it lacks the others


async def test_blender_that_crashes_at_the_drivers_renders_on_the_processor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    equipment = await find(tmp_path, Wish(None), await blender(tmp_path, DYING))
    assert (equipment.choice.kind, equipment.engines()) == (Device.CPU, [])
    assert "Rendering on the processor" in caplog.text
    assert "SIGSEGV" in caplog.text


async def test_device_that_was_named_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"cannot look for OPTIX devices: .*SIGSEGV.*RENDERFARM_DEVICE=CPU"):
        await find(tmp_path, Wish(Device.OPTIX), await blender(tmp_path, DYING))
    with pytest.raises(DeviceError, match=r"lists no OPTIX device.*there is CUDA:0 \(RTX 4090\)"):
        await find(tmp_path, Wish(Device.OPTIX), await blender(tmp_path, DESCRIBED))


async def test_blender_that_does_not_start_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = Blender((5, 0, 0), "executable", Path("/bin/false"))
    good = await blender(tmp_path, DESCRIBED)
    assert (await find(tmp_path, Wish(None), broken, good)).blender == good
    assert "/bin/false is passed over" in caplog.text
    with pytest.raises(NoBlenderError, match="renderfarm doctor"):
        await find(tmp_path, Wish(None), broken)
