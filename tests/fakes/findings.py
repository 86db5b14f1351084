"""What an inspector may find in a scene: one camera, one view layer, nothing missing."""

from coordinator.protocol import Findings, SceneFacts

SCENE = SceneFacts(
    name="Scene",
    camera="Camera",
    cameras=["Camera"],
    camera_changes=False,
    view_layers=["ViewLayer"],
    frame_start=1,
    frame_end=24,
    frame_step=1,
    frame_current=1,
    fps=24.0,
    resolution=(1920, 1080),
    percentage=100,
    plain_size=True,
    engine="CYCLES",
    samples=64,
    format="PNG",
    sound=False,
)
FINDINGS = Findings(
    file_version=(4, 5, 0),
    blender=(4, 5, 15),
    scene="Scene",
    scenes=[SCENE],
    missing=[],
    missing_count=0,
    warnings=[],
)
