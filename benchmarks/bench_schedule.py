"""How near the schedule comes to the ideal: whole farms in virtual time.

Prints a JSON line for each run: our schedule, and beside it fixed chunks of 1, 5 and 10 frames.

* a: 50 slots of speed 1 to 8; a job of 2,000 uneven frames of about a minute (at speed 1); 20 s to open the scene.
* b: 8 equal slots; 240 such frames.
* c: as a, while every minute an agent dies, to come back three minutes later.
* d: 40 slots of speed 1 to 4; 20 users with a job each, of 1 to 5,000 frames, who come within ten minutes.

``makespan`` is when the last frame was finished, in seconds, ``ideal`` the earliest moment at which that was possible
(:func:`benchmarks.schedule_bounds.least_makespan`: divisible frames, no waiting, the least loading, no losses).  Share
errors are those of :class:`benchmarks.schedule_bounds.ShareMeter`.  Slots check their sessions as agents do: a fast one
renders a frame or two more than the ideal has, and the coordinator does not know.
"""

import argparse
import asyncio
import json
import math
import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.farm_simulation import Crashes, Submission, simulate
from benchmarks.schedule_bounds import ShareMeter, least_makespan

#: Seconds to open a scene.
LOAD = 20.0
#: A share is looked at once so many slot-seconds were due.
SETTLED = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Who renders what."""

    speeds: list[float]
    submissions: list[Submission]
    crashes: Crashes | None = None


def shot(lot: random.Random, frames: int, mean: float) -> list[float]:
    """Return the seconds that a shot's frames take at speed 1.

    They change smoothly as the camera moves, by up to 60 % about the mean; each differs by some 10 % from its
    neighbours; one in two hundred takes up to three times as long.
    """
    turns, phase = lot.uniform(0.5, 2.0), lot.uniform(0.0, math.tau)
    costs = []
    for number in range(frames):
        smooth = 1.0 + 0.6 * math.sin(phase + math.tau * turns * number / frames)
        outlier = lot.uniform(1.5, 3.0) if lot.random() < 0.005 else 1.0
        costs.append(smooth * lot.lognormvariate(0.0, 0.1) * outlier)
    scale = mean / fmean(costs)
    return [cost * scale for cost in costs]


def uneven_farm(seed: int, size: float) -> Scenario:
    """Return scenario a, or a part of it."""
    lot = random.Random(seed)
    speeds = [lot.uniform(1.0, 8.0) for _ in range(max(2, round(50 * size)))]
    costs = shot(lot, max(20, round(2000 * size)), 60.0)
    return Scenario(speeds=speeds, submissions=[Submission(user="ana", arrival=0.0, costs=costs, load=LOAD)])


def equal_farm(seed: int, size: float) -> Scenario:
    """Return scenario b, or a part of it."""
    costs = shot(random.Random(seed), max(20, round(240 * size)), 60.0)
    return Scenario(speeds=[1.0] * 8, submissions=[Submission(user="ana", arrival=0.0, costs=costs, load=LOAD)])


def dying_farm(seed: int, size: float) -> Scenario:
    """Return scenario c, or a part of it."""
    calm = uneven_farm(seed, size)
    crashes = Crashes(every_seconds=60.0, back_after_seconds=180.0, seed=seed)
    return Scenario(speeds=calm.speeds, submissions=calm.submissions, crashes=crashes)


def shared_farm(seed: int, size: float) -> Scenario:
    """Return scenario d, or a part of it."""
    lot = random.Random(seed)
    users = max(3, round(20 * size))
    lengths = [round(5000 * size**0.5) ** (number / (users - 1)) for number in range(users)]
    arrivals = [0.0, *(lot.uniform(0.0, 600.0) for _ in range(users - 1))]
    lot.shuffle(arrivals)
    submissions = [
        Submission(user=f"user-{number:02}", arrival=arrival, costs=shot(lot, round(length), 15.0), load=LOAD)
        for number, (arrival, length) in enumerate(zip(arrivals, lengths, strict=True))
    ]
    return Scenario(speeds=[lot.uniform(1.0, 4.0) for _ in range(max(4, round(40 * size)))], submissions=submissions)


SCENARIOS: dict[str, Callable[[int, float], Scenario]] = {
    "a": uneven_farm,
    "b": equal_farm,
    "c": dying_farm,
    "d": shared_farm,
}

#: By their names in the output.  Fixed chunks are rendered as they are: nothing is taken over or rendered twice.
SCHEDULES: dict[str, dict[str, Any]] = {
    "ours": {},
    "chunks of 1": {"chunk_frames": 1, "hedge": False},
    "chunks of 5": {"chunk_frames": 5, "hedge": False},
    "chunks of 10": {"chunk_frames": 10, "hedge": False},
}


def measure(size: float, name: str, seed: int, schedule: str) -> dict[str, object]:
    """Simulate a scenario under a schedule and return the line to print."""
    scenario = SCENARIOS[name](seed, size)
    shares = ShareMeter(len(scenario.speeds), SETTLED * size) if len(scenario.submissions) > 1 else None
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = simulate(
            Path(folder),
            scenario.speeds,
            scenario.submissions,
            crashes=scenario.crashes,
            shares=shares,
            **SCHEDULES[schedule],
        )
        ledger, granted = asyncio.run(run)
    ideal = least_makespan(ledger.demands(), list(ledger.presences.values()), LOAD)
    present = ledger.present()
    line: dict[str, object] = {
        "benchmark": "schedule",
        "scenario": name,
        "schedule": schedule,
        "seed": seed,
        "slots": len(scenario.speeds),
        "frames": sum(len(submission.costs) for submission in scenario.submissions),
        "makespan": round(ledger.last_finished, 1),
        "ideal": round(ideal, 1),
        "ratio": round(ledger.last_finished / ideal, 4),
        "idle": round(1 - ledger.busy / present, 4),
        "wasted": round(ledger.wasted / present, 4),
        "frames_in_vain": ledger.spoilt_frames,
        "leases": granted,
        "scene_loads": ledger.loads,
    }
    if shares is not None:
        whole = [checked[-1] for checked in shares.errors.values()]
        moments = [error for checked in shares.errors.values() for error in checked]
        arrivals = {submission.user: submission.arrival for submission in scenario.submissions}
        line |= {
            # Over all the time in which a user had a backlog, and at the worst moment of it: just after others came.
            "share_error_max": round(max(whole, default=0.0), 4),
            "share_error_mean": round(fmean(whole), 4) if whole else 0.0,
            "share_error_worst_moment": round(max(moments, default=0.0), 4),
            "users_measured": len(shares.errors),
            "longest_wait": round(max(begun - arrivals[user] for user, begun in ledger.first_begun.items()), 1),
        }
    return line | {"simulated_in": round(time.perf_counter() - began, 1)}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scenario", choices=list(SCENARIOS), action="append", help="default: all; may be repeated")
    parser.add_argument("--ours", action="store_true", help="leave the fixed chunks out")
    parser.add_argument("--seeds", type=int, default=1, help="how many farms of each kind")
    parser.add_argument("--first-seed", type=int, default=1, help="of the seeds: others than those one tunes on")
    parser.add_argument("--quick", action="store_true", help="farms of a tenth of the size")
    args = parser.parse_args()
    schedules = ["ours"] if args.ours else list(SCHEDULES)
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    runs = list(product(args.scenario or list(SCENARIOS), seeds, schedules))
    with ProcessPoolExecutor() as processes:
        for line in processes.map(partial(measure, 0.1 if args.quick else 1.0), *zip(*runs, strict=True)):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
