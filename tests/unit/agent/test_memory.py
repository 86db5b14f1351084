"""What Blender and its engines say when the memory does not suffice."""

from pathlib import Path

import pytest

from agent.blender import memory
from agent.blender.memory import kernel_kills, memory_failure


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Error: Out of memory", "out_of_memory"),
        ("Error: System is out of GPU memory", "out_of_gpu_memory"),
        ("System is out of GPU and shared host memory", "out_of_gpu_memory"),
        ("Failed to create CUDA context (Out of memory)", "out_of_gpu_memory"),
        ("Out of memory in CUDA queue copy_to_device", "out_of_gpu_memory"),
        ("CUDA error: CUDA_ERROR_OUT_OF_MEMORY in cuMemAlloc", "out_of_gpu_memory"),
        ("OPTIX_ERROR_HOST_OUT_OF_MEMORY in optixModuleCreate", "out_of_memory"),
        ("hipErrorOutOfMemory in hipMalloc", "out_of_gpu_memory"),
        ("oneAPI: UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY", "out_of_gpu_memory"),
        ("ran out of host memory", "out_of_memory"),
        ("Error: Failed to allocate GPU buffers", "out_of_gpu_memory"),
        ("Calloc returns null: len=2147483648 in imb_addrectImBuf, total 3221225472", "out_of_memory"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "out_of_memory"),
        ("MemoryError: could not allocate", "out_of_memory"),
        ("Rendering with CUDA\nMalloc returns null: len=2147483648\nGPU closed", "out_of_memory"),
    ],
)
def test_out_of_memory(text: str, code: str) -> None:
    assert memory_failure(text) == code


@pytest.mark.parametrize(
    "text",
    ["", "Mem:0.31M | Scene, ViewLayer | Sample 1/4", "Peak Memory 8.55M", "Found no object named Memory", "No camera"],
)
def test_other_words(text: str) -> None:
    assert memory_failure(text) is None


def test_the_kernels_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = tmp_path / "vmstat"
    monkeypatch.setattr(memory, "_STATISTICS", statistics)
    assert kernel_kills() is None
    statistics.write_text("nr_free_pages 1\noom_kill 12\n")
    assert kernel_kills() == 12
    statistics.write_text("nr_free_pages 1\n")
    assert kernel_kills() is None
