"""What Cycles, EEVEE and drivers say when a graphics card fails.

The lines are as people have reported them of Blender 2.8 to 5.0, and as Cycles composes them from the error codes of
CUDA, OptiX and HIP.
"""

import pytest

from agent.blender.gpu_faults import GPU_ERROR, GPU_LOST, gpu_failure
from agent.blender.memory import memory_failure


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Illegal address in CUDA queue copy_from_device (integrator_shade_surface prefix_sum)", GPU_ERROR),
        ("CUDA error: Illegal address in cuCtxSynchronize(), line 1570", GPU_ERROR),
        ("CUDA error at cuCtxCreate: Illegal address", GPU_ERROR),
        ("Failed to configure CUDA context (Launch failed)", GPU_ERROR),
        ("CUDA error: Unspecified launch failure in cuMemcpyDtoH(...)", GPU_ERROR),
        ("CUDA error at cuCtxCreate: Launch exceeded timeout", GPU_ERROR),
        ("Invalid context in cuStreamCreate(&cuda_stream_, CU_STREAM_NON_BLOCKING)", GPU_ERROR),
        ("OPTIX_ERROR_INTERNAL_ERROR in optixPipelineCreate", GPU_ERROR),
        ("Unknown error in HIP queue synchronize (film_convert)", GPU_ERROR),
        ("hipErrorIllegalAddress: illegal address in hipMemcpy", GPU_ERROR),
        ("CUDA error: No CUDA-capable device available in cuInit(0)", GPU_LOST),
        ("Failed to create CUDA context (CUDA_ERROR_NO_DEVICE)", GPU_LOST),
        ("CUDA error: Uncorrectable ECC error detected in cuCtxSynchronize()", GPU_LOST),
        ("CUDA error: Hardware stack error in cuCtxSynchronize()", GPU_LOST),
        ("Vulkan: VK_ERROR_DEVICE_LOST in vkQueueSubmit", GPU_LOST),
        ("NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", GPU_LOST),
        ("Fra:1 Rendering\nIllegal address in CUDA queue synchronize\nGPU is lost from the bus", GPU_LOST),
    ],
)
def test_a_card_that_failed(text: str, code: str) -> None:
    assert gpu_failure(text) == code
    assert memory_failure(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Cannot render, no camera",
        "Error: Unknown error while writing the file",
        "Rendering with CUDA on NVIDIA H200",
        "Illegal address book in Text.py",
        "System is out of GPU memory",
        "No devices of that kind were modelled",
    ],
)
def test_other_words(text: str) -> None:
    assert gpu_failure(text) is None
