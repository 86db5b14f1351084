"""Blender's status lines."""

import pytest

from agent.blender.inside.stats import RenderStats, parse_stats

CYCLES_45 = (
    "Fra:3 Mem:8.55M (Peak 8.55M) | Time:00:00.01 | Remaining:00:12.50 | Mem:0.31M | Scene, ViewLayer | Sample 1/4"
)


@pytest.mark.parametrize(
    ("line", "layers", "expected"),
    [
        (CYCLES_45, ["ViewLayer"], RenderStats(0.25, 12.5)),
        ("Remaining: 01:02:03 | Mem: 1M | Scene, ViewLayer | Sample 2/4", ["ViewLayer"], RenderStats(0.5, 3723.0)),
        ("Fra:1 Mem:9M | Time:00:02.00 | Rendering 16 / 64 samples", ["ViewLayer"], RenderStats(0.25, None)),
        ("Mem:0M | Scene, Front | Sample 4/4", ["Front", "Back"], RenderStats(0.5, None)),
        ("Mem:0M | Scene, Back | Sample 2/4", ["Front", "Back"], RenderStats(0.75, None)),
        ("Mem:0M | Scene, A | B | Sample 2/4", ["A | B"], RenderStats(0.5, None)),
        ("Scene, Other | Sample 9/4", [], RenderStats(1.0, None)),
        ("Scene, ViewLayer | Sample 0/0", ["ViewLayer"], None),
        ("Fra:3 Mem:8M | Scene, ViewLayer | Updating Mesh", ["ViewLayer"], None),
        ("Time: 00:00.32 (Saving: 00:00.10)", ["ViewLayer"], None),
        ("", [], None),
    ],
)
def test_parse_stats(line: str, layers: list[str], expected: RenderStats | None) -> None:
    assert parse_stats(line, layers) == expected
