"""How the machine is, measured beside the event loop."""

import asyncio
from pathlib import Path

from agent.gpus import Gpus
from agent.telemetry import SAMPLE_SECONDS, Telemeter, measure
from coordinator.protocol import Telemetry, decode, encode
from tests.fakes.nvml import FakeCard, FakeNvml


def test_this_machine_is_measured_and_can_be_told(tmp_path: Path) -> None:
    told = measure(Gpus(FakeNvml(FakeCard()).load), tmp_path)
    assert [gpu.celsius for gpu in told.gpus] == [61.0]
    assert told.cpu_utilization is not None
    assert told.memory_used_bytes
    assert told.disk_free_bytes
    assert decode(encode(told), Telemetry) == told


def test_disk_that_is_gone_is_not_told_of(tmp_path: Path) -> None:
    assert measure(Gpus(FakeNvml().load), tmp_path / "nowhere").disk_free_bytes is None


async def test_each_measurement_is_handed_out_once(tmp_path: Path) -> None:
    measured, go_on = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        assert seconds == SAMPLE_SECONDS
        measured.set()
        await go_on.wait()
        go_on.clear()

    telemeter = Telemeter(Gpus(FakeNvml(FakeCard()).load), tmp_path, sleep)
    assert telemeter.take() is None
    task = asyncio.ensure_future(telemeter.run())
    await measured.wait()
    first = telemeter.take()
    assert first is not None
    assert telemeter.take() is None
    measured.clear()
    go_on.set()
    await measured.wait()
    assert telemeter.take() is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
