"""How far a frame is, read from the status lines that Blender hands to ``render_stats`` handlers (pure).

Blender has no other interface for it.  4.2 to 4.5 begin the line with ``Fra:1 Mem:8M (Peak 9M) |``, 5.0 does not; what
follows is the engine's own: Cycles writes ``Scene, View Layer | Sample 3/16``, EEVEE ``Rendering 3 / 64 samples``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SAMPLES = re.compile(r"\bSample (\d+)/(\d+)|\bRendering (\d+) / (\d+) samples")
_REMAINING = re.compile(r"\bRemaining:\s*(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class RenderStats:
    """One status line that tells how far the frame is."""

    progress: float
    """Of the whole frame, 0 to 1."""
    remaining_seconds: float | None
    """Blender's own estimate, of the view layer being rendered."""


def parse_stats(line: str, view_layers: Sequence[str]) -> RenderStats | None:
    """Return what a status line tells, or None when it names no samples.

    Args:
        line: as ``render_stats`` handlers get it.
        view_layers: the names of the layers to be rendered, in order.  Each counts its samples anew; they are taken
            to be equally long.
    """
    samples = _SAMPLES.search(line)
    if samples is None:
        return None
    done, total = (int(group) for group in samples.groups() if group is not None)
    if total < 1:
        return None
    before = next((index for index, name in enumerate(view_layers) if f", {name} | " in line), 0)
    progress = (before + min(done / total, 1.0)) / max(len(view_layers), 1)
    return RenderStats(progress, _remaining(line))


def _remaining(line: str) -> float | None:
    found = _REMAINING.search(line)
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
