"""Telling by what Blender says that a graphics card failed: at this one task, or altogether (pure)."""

import re

GPU_ERROR = "gpu_error"
"""The code of a failure in which the card broke off: the frame's fault, the driver's or the card's."""
GPU_LOST = "gpu_lost"
"""The code of a failure of the card itself: no process of this machine gets it to work."""

#: What speaks of a graphics card at all: Cycles names the interface in each of its messages, EEVEE has Vulkan's words.
_CARD = re.compile(r"\bcuda|\bcu[A-Z]\w+\(|optix|\bhip|oneapi|metal\b|vulkan|\bVK_|\bgpu\b|\bNVRM\b")
_CARD_SHOUTED = re.compile(r"CUDA|OPTIX|HIP|oneAPI|Metal|Vulkan|GPU")

#: The driver has no such card (any more), or the card says itself that it is broken: the words of CUDA's and HIP's
#: error codes as Cycles spells them, of Vulkan's, and of NVIDIA's kernel module.
_LOST = re.compile(
    r"device[ _]lost|fallen off the bus|lost from the bus|no (?:cuda-capable |hip )?device|no[ _]?device\b|"
    r"device (?:is )?(?:not available|unavailable)|device_unavailable|uncorrectable ecc|ecc_uncorrectable|"
    r"hardware[ _]stack[ _]error|driver[ _]mismatch|not initialized|not_initialized|system not ready|\bxid\b",
    re.IGNORECASE,
)

#: A kernel went wrong.  A new process may well have no such trouble.
_ERROR = re.compile(
    r"illegal[ _](?:memory )?(?:address|access|instruction)|misaligned[ _]address|invalid[ _](?:pc|address space)|"
    r"launch[ _](?:failed|failure|timed out|timeout|exceeded timeout)|unspecified launch failure|unknown error|"
    r"invalid[ _]context|context[ _]is[ _]destroyed|\w*error_unknown\b|optix_error_\w+",
    re.IGNORECASE,
)


def gpu_failure(text: str) -> str | None:
    """Return the code of a message, or a log's end, that speaks of a card that failed; None for other words."""
    said = [line for line in text.splitlines() if _CARD.search(line) or _CARD_SHOUTED.search(line)]
    if any(_LOST.search(line) for line in said):
        return GPU_LOST
    return GPU_ERROR if any(_ERROR.search(line) for line in said) else None
