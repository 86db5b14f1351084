"""What Blender and its engines say when the memory does not suffice."""

from pathlib import Path

import pytest

from agent.blender import memory
from agent.blender.memory import kernel_kills, says_out_of_memory


@pytest.mark.parametrize(
    "text",
    [
        "Error: Out of memory",
        "Error: System is out of GPU memory",
        "System is out of GPU and shared host memory",
        "Failed to create CUDA context (Out of memory)",
        "Out of memory in CUDA queue copy_to_device",
        "CUDA error: CUDA_ERROR_OUT_OF_MEMORY in cuMemAlloc",
        "OPTIX_ERROR_HOST_OUT_OF_MEMORY in optixModuleCreate",
        "hipErrorOutOfMemory in hipMalloc",
        "oneAPI: UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY",
        "ran out of host memory",
        "Error: Failed to allocate GPU buffers",
        "Calloc returns null: len=2147483648 in imb_addrectImBuf, total 3221225472",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "MemoryError: could not allocate",
    ],
)
def test_out_of_memory(text: str) -> None:
    assert says_out_of_memory(text)


@pytest.mark.parametrize(
    "text",
    ["", "Mem:0.31M | Scene, ViewLayer | Sample 1/4", "Peak Memory 8.55M", "Found no object named Memory", "No camera"],
)
def test_other_words(text: str) -> None:
    assert not says_out_of_memory(text)


def test_the_kernels_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = tmp_path / "vmstat"
    monkeypatch.setattr(memory, "_STATISTICS", statistics)
    assert kernel_kills() is None
    statistics.write_text("nr_free_pages 1\noom_kill 12\n")
    assert kernel_kills() == 12
    statistics.write_text("nr_free_pages 1\n")
    assert kernel_kills() is None
