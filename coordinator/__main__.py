"""``python -m coordinator`` is ``renderfarm coordinator``."""

from coordinator.cli import coordinator

coordinator(prog_name="python -m coordinator")
