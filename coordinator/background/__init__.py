"""What the coordinator does by itself: one class per duty, each with ``run_once()``."""
