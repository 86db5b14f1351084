"""What a real Blender tells of itself on this machine."""

from pathlib import Path

import pytest

from agent.blender.locate import find_blender
from agent.blender.session import Session, SessionError
from coordinator.protocol import Device, ImageFormat, RenderSpec

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("session")]

BLENDER = find_blender("bpy")


async def test_the_module_renders_with_all_engines_on_the_processor_at_least(tmp_path: Path) -> None:
    session = await Session.start(BLENDER, tmp_path / "log")
    try:
        described = await session.describe(devices=True)
        assert described.engines == ["CYCLES", "EEVEE", "WORKBENCH"]
        assert "OPENIMAGEDENOISE" in described.denoisers
        assert Device.CPU in [device.type for device in described.devices]
        assert (await session.describe(devices=False)).devices == []
        # It has changed nothing: the session can be worked with.
        with pytest.raises(SessionError) as raised:
            await session.open(tmp_path / "none.blend", {})
        assert raised.value.code == "cannot_open"
    finally:
        await session.kill()


@pytest.mark.parametrize("device", ["METAL", "CUDA:7", "HIP:0,9"])
async def test_device_that_is_not_there_is_named(tmp_path: Path, device: str) -> None:
    session = await Session.start(BLENDER, tmp_path / "log")
    try:
        with pytest.raises(SessionError) as raised:
            await session.configure(RenderSpec(scene="Scene"), ImageFormat.PNG, device, None)
        assert raised.value.code == "no_device"
    finally:
        await session.kill()
