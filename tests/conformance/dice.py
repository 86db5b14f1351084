"""What happens in random histories, and how often: the faces of their dice."""

import random
from collections.abc import Iterator
from typing import Any

from coordinator.services.schemas import NeedsRequest
from tests.conformance.farm import GIB

RANGES = ["1", "1-2", "1-3", "1-16", "1-40", "2-20:3", "-3-3,7,9-11"]
NEEDS = [NeedsRequest()] * 6 + [
    NeedsRequest(tags=["fast"]),
    NeedsRequest(pool="night"),
    NeedsRequest(device="GPU", vram_bytes=4 * GIB),
    NeedsRequest(device="CPU"),
]
CHANGES: list[dict[str, Any]] = [
    {"priority": 10},
    {"priority": 90},
    {"max_slots": 1},
    {"max_slots": None},
    {"hedge": False},
    {"needs": NeedsRequest(tags=["quiet"])},
    {"needs": NeedsRequest()},
]
CODES = ["render_failed"] * 4 + ["crashed", "out_of_memory", "no_room", "timeout"]
MESSAGES = ["it broke", "it broke at 0x7f", "no memory"]
SECONDS = [0.0, 2.0, 2.0, 40.0]
MOST_JOBS = 3
MOST_ROUNDS = 12

#: What happens, and how often.
STEPS = [
    *["ask"] * 8,
    *["render"] * 5,
    *["render_slowly"] * 3,
    *["straggle"] * 5,
    *["finish_leases", "ask_together", "render_together"] * 3,
    *["fail"] * 3,
    *["come"] * 2,
    *["submit", "time_passes", "requeue", "reframe", "stitch"] * 2,
    *["resume"] * 3,
    *["leave", "forget", "render_out_of_order", "render_late", "render_at_wrong_size", "fail_all", "fail_job"],
    *["report_oddly", "report_late", "mix_sound", "rerender", "pause", "cancel", "adjust", "limit", "reinstate"],
]
NEED_LEASES = {
    *["render", "render_out_of_order", "render_slowly", "render_at_wrong_size", "straggle", "finish_leases"],
    "render_together",
    *["fail", "fail_all", "fail_job", "report_oddly", "mix_sound"],
}
NEED_GRANTS = {"render_late", "report_late"}


def _jobs() -> Iterator[dict[str, Any]]:
    """Yield jobs of every kind."""
    chance = random.Random(3)  # noqa: S311 - no secret
    for number in range(200):
        yield {
            "frames": RANGES[number % len(RANGES)],
            "priority": chance.choice([50, 50, 80]),
            "needs": chance.choice(NEEDS),
            "max_retries": chance.choice([0, 1, 2, 3]),
            "max_slots": chance.choice([None, None, None, 1, 2]),
            "chunk_frames": chance.choice([None, None, None, None, 2]),
            "target_seconds": chance.choice([4.0, 60.0]),
            "stop_after": chance.choice([0, 0, 3, 2]),
            "first_look": chance.choice([False, False, False, True]),
            "video": chance.choice([False, True]),
            "sound": chance.choice([False, True]),
        }


JOBS = list(_jobs())
