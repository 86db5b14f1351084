"""What the order of the frames is worth: 8 equal slots, 240 uneven frames, and nothing but frames.

Prints a JSON line for each order.  A slot that is free is given the next frame of the order at once; there are no
leases, no estimates and no help at the end.  The shots, and the ideal to which the ratio is, are those of scenario b
of :mod:`benchmarks.bench_schedule`, so this is what a schedule that keeps to an order can reach there.

* as they come: in the order of the shot, as leases are carved.
* cheap ones last: three frames for each slot, from the cheapest of 32 parts of the shot, are left for the end.
* end dearest first: the last six for each slot, the dearest of the 32 parts first.
* dearest first: of all frames, each known beforehand.
"""

import argparse
import heapq
import json
import random
from collections.abc import Iterable, Sequence
from statistics import fmean

from benchmarks.bench_schedule import LOAD, shot

SLOTS, FRAMES, SECONDS = 8, 240, 60.0
PARTS = 32
#: Frames for each slot that are left for the end, and that are the end.
LEFT, END = 3, 6
GOAL = 1.03


def ratio(costs: Sequence[float], order: Iterable[int]) -> float:
    """Return the makespan of frames rendered in an order, to that of divisible ones."""
    free = [LOAD] * SLOTS
    for frame in order:
        heapq.heapreplace(free, free[0] + costs[frame])
    return max(free) / (LOAD + sum(costs) / SLOTS)


def orders(costs: Sequence[float]) -> dict[str, list[int]]:
    """Return the orders that are compared, by their names."""
    frames = range(len(costs))
    parts: dict[int, list[float]] = {}
    for frame in frames:
        parts.setdefault(frame * PARTS // len(costs), []).append(costs[frame])
    expected = [fmean(parts[frame * PARTS // len(costs)]) for frame in frames]

    def dearest_first(some: Iterable[int]) -> list[int]:
        return sorted(some, key=lambda frame: -expected[frame])

    cheap = dearest_first(frames)[-LEFT * SLOTS :]
    return {
        "as they come": list(frames),
        "cheap ones last": [frame for frame in frames if frame not in set(cheap)] + cheap,
        "end dearest first": [*frames[: -END * SLOTS], *dearest_first(frames[-END * SLOTS :])],
        "dearest first": sorted(frames, key=lambda frame: -costs[frame]),
    }


def main() -> None:
    """Render in thought and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=300, help="how many shots")
    args = parser.parse_args()
    ratios: dict[str, list[float]] = {}
    for seed in range(1, args.seeds + 1):
        costs = shot(random.Random(seed), FRAMES, SECONDS)
        for name, order in orders(costs).items():
            ratios.setdefault(name, []).append(ratio(costs, order))
    for name, found in ratios.items():
        line = {
            "benchmark": "order",
            "order": name,
            "shots": len(found),
            "ratio_mean": round(fmean(found), 4),
            "ratio_worst": round(max(found), 4),
            "above_goal": sum(it > GOAL for it in found),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
