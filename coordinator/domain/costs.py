"""What a job's frames cost, learnt from those that were rendered; and how fast a slot is.

Costs vary along a shot, so a frame is expected to cost what its neighbours did: the job's frames are divided, by rank,
into a few equal buckets, each keeps a mean, and what lies between two measured buckets is interpolated.  All durations
of frames are in seconds at speed 1; a slot of speed 2 needs half as long.  Opening the scene is measured and kept apart
from the frames.  It is a matter of disk and memory more than of rendering, so it is not scaled by a slot's speed.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from statistics import median
from typing import Any, Self, TypeGuard

#: Parts of a job's frames that are told apart; a job of fewer frames has one for each.
BUCKETS = 32
#: A bucket's mean forgets what is older than about this many frames: costs and slots change.
MEMORY = 16
#: A frame this many times as long as its neighbours had to wait for something; it counts as only so much longer.
OUTLIER = 3.0
#: Up to this many frames of a bucket may all have been outliers: the first frames of a slot often are.
FEW = 2
#: The farthest bucket (in buckets) that tells whether one of few frames holds outliers.
NEAR = 2
#: A shot's course beyond the last measured bucket is taken from this many before it, and lasts about so many (buckets).
COURSE, FADE = 3, 4.0
#: But what comes is not taken to be more than this many times as heavy or as light.
FURTHEST = 3.0
#: A prior counts as much as this many measured frames.
PRIOR_FRAMES = 1.0
#: Load times that are kept.
LOADS = 5
#: The deviation of a job's frames from what was expected is a mean over about this many; it begins as if a few frames
#: had been just as expected.
DEVIATION_FRAMES, DEVIATION_PRIOR = 64, 8
#: Bounds of a duration (seconds): frames of no time at all would be leased by the thousand.
SHORTEST, LONGEST = 0.001, 1e9

#: Bounds of a slot's speed.
SLOWEST, FASTEST = 1 / 64, 64.0
#: However much is known of a slot's speed, a new frame moves it by this share of the difference.
LEAST_GAIN = 0.05
#: How strongly speeds are drawn towards 1; see :func:`learn_speed`.
ANCHOR = 0.01

#: One frame is taken to be off its expected time by a factor of 4 at most, when slots are compared.
_LARGEST_STEP = math.log(4.0)
#: No encoded profile is longer (characters).
_LONGEST_TEXT = 1500


@dataclass(frozen=True)
class CostProfile:
    """What is known of the durations of one job's frames and of opening its scene.

    A job whose frame range is changed gets an empty profile with the old one as its prior.
    """

    frame_count: int
    means: tuple[float, ...]
    """Of each bucket: the mean duration of its frames, outliers cut off; 0 while none was measured."""
    counts: tuple[int, ...]
    """Of each bucket: frames measured."""
    loads: tuple[float, ...] = ()
    """The last load times, oldest first."""
    prior: tuple[float, ...] = ()
    """Of each bucket: the duration expected before any frame was measured; empty when nothing was expected."""
    deviation: float = 0.0
    """The mean logarithm of how many times as long as expected the last frames took."""

    @classmethod
    def empty(cls, frame_count: int) -> Self:
        """Return the profile of a job of which nothing is known; it has at least one frame."""
        buckets = min(BUCKETS, frame_count)
        return cls(frame_count, (0.0,) * buckets, (0,) * buckets)

    def with_frame(self, rank: int, seconds: float, speed: float) -> Self:
        """Return the profile after the frame of a rank took so long on a slot of this speed.

        Raises:
            IndexError: the job has no such rank.
        """
        bucket = self._bucket(rank)
        mean, count = self.means[bucket], self.counts[bucket]
        took = _bounded(seconds * speed)
        if count == 0 or (count <= FEW and took * OUTLIER < mean):
            # Frames wait for something, they never hurry: of two that differ so much the short one is right.
            mean, count = took, 1
        else:
            mean += (min(took, OUTLIER * mean) - mean) / min(count + 1, MEMORY)
            count += 1
        deviation = self.deviation
        if self.levels:
            off = _step(math.log(took / self.levels[bucket]))
            deviation += (off - deviation) / min(self.samples + DEVIATION_PRIOR, DEVIATION_FRAMES)
        means, counts = self.means, self.counts
        return replace(
            self,
            means=(*means[:bucket], mean, *means[bucket + 1 :]),
            counts=(*counts[:bucket], count, *counts[bucket + 1 :]),
            deviation=deviation,
        )

    def with_load(self, seconds: float) -> Self:
        """Return the profile after opening the scene took so long."""
        return replace(self, loads=(*self.loads, _bounded(seconds))[-LOADS:])

    def with_prior(self, other: "CostProfile", scale: float) -> Self:
        """Return the profile with what another job lets expect; ``scale`` is how many times as long a frame takes.

        Two jobs of as many frames are taken to be the same shot: the prior follows the other's course.
        """
        if other.typical is None:
            return self
        expected = other.levels if other.frame_count == self.frame_count else (other.typical,) * len(self.means)
        return replace(
            self,
            prior=tuple(_bounded(level * scale) for level in expected),
            loads=self.loads or ((other.load,) if other.loads else ()),
        )

    @property
    def samples(self) -> int:
        """How many frames were measured."""
        return sum(self.counts)

    @cached_property
    def typical(self) -> float | None:
        """The median over what was measured, or else expected; None when nothing is known."""
        if not self.levels:
            return None
        return median([level for level, count in zip(self.levels, self.counts, strict=True) if count] or self.levels)

    @property
    def load(self) -> float:
        """How long opening the scene takes (seconds on any slot): the median of the last times, 0 while unknown."""
        return median(self.loads) if self.loads else 0.0

    def seconds(self, rank: int) -> float | None:
        """Return how long the frame of a rank takes at speed 1, None while nothing is known.

        Raises:
            IndexError: the job has no such rank.
        """
        bucket = self._bucket(rank)
        return self.levels[bucket] if self.levels else None

    def yardstick(self, rank: int) -> float | None:
        """Return what a slot's time for the frame of a rank is to be compared with, None while nothing is known.

        These are the expected seconds, less what all slots are off by: means are above most frames where durations
        are skewed, and behind where the frames get heavier.  Neither tells one slot from another.

        Raises:
            IndexError: the job has no such rank.
        """
        seconds = self.seconds(rank)
        return None if seconds is None else seconds * math.exp(self.deviation)

    def total(self, first_rank: int, count: int) -> float | None:
        """Return how long ``count`` frames, from a rank on, take at speed 1 together; None while nothing is known.

        Raises:
            IndexError: the job has not so many frames.
        """
        if not 0 <= first_rank <= first_rank + count <= self.frame_count:
            raise IndexError(f"no {count} frames from rank {first_rank} on in a job of {self.frame_count}")
        return self._before(first_rank + count) - self._before(first_rank) if self.levels else None

    def around(self, rank: int, *, before: int = 0, after: int = 0) -> float | None:
        """Return how long so many frames before a rank and from it on take together; None while nothing is known.

        Frames that the job does not have there are taken to be typical ones: they lie elsewhere.

        Raises:
            IndexError: the job has no such rank.
        """
        first, end = max(0, rank - before), min(self.frame_count, rank + after)
        there, typical = self.total(first, end - first), self.typical
        return None if there is None or typical is None else there + typical * (before + after - (end - first))

    def slowest(self, first_rank: int, last_rank: int) -> float | None:
        """Return what the slowest frame of these ranks takes at speed 1, None while nothing is known.

        Raises:
            IndexError: the job has no such ranks.
        """
        first, last = self._bucket(first_rank), self._bucket(last_rank)
        return max(self.levels[first : last + 1]) if self.levels else None

    @cached_property
    def levels(self) -> tuple[float, ...]:
        """The duration expected in each bucket; empty while nothing is known."""
        if not any(self.counts):
            return self.prior
        if not self.prior:
            return tuple(_interpolated(self._trusted(list(self.means)), len(self.means)))
        # Of the prior only its course is kept once frames were measured: what is interpolated is how far it is off.
        ratios = [mean / expected for mean, expected in zip(self.means, self.prior, strict=True)]
        weight = self.samples / (self.samples + PRIOR_FRAMES)
        known = {bucket: 1.0 + (ratio - 1.0) * weight for bucket, ratio in self._trusted(ratios).items()}
        off = _interpolated(known, len(ratios))
        return tuple(ratio * expected for ratio, expected in zip(off, self.prior, strict=True))

    def encode(self) -> str:
        """Return the profile as JSON, with four significant digits, at most some 1,200 characters."""
        return (
            f'{{"frame_count":{self.frame_count},"means":[{_numbers(self.means)}],'
            f'"counts":[{",".join(map(str, self.counts))}],'
            f'"loads":[{_numbers(self.loads)}],"prior":[{_numbers(self.prior)}],'
            f'"deviation":{self.deviation:.4f}}}'
        )

    @staticmethod
    def decode(text: str) -> "CostProfile":
        """Return the profile that was encoded.

        Raises:
            ValueError: it is none.
        """
        return _decode(text)

    def _trusted(self, ratios: list[float]) -> dict[int, float]:
        """Return the measured buckets' ratios without those of few frames that stand out of the buckets next to them.

        The larger neighbour decides: a course that rises steeply is none of outliers.
        """
        trusted = {}
        for bucket, count in enumerate(self.counts):
            if count == 0:
                continue
            ratio = ratios[bucket]
            if count <= FEW:
                around = max(ratios[max(0, bucket - NEAR) : bucket] + ratios[bucket + 1 : bucket + 1 + NEAR], default=0)
                if 0 < around * OUTLIER < ratio:
                    continue
            trusted[bucket] = ratio
        return trusted

    @cached_property
    def _sums(self) -> tuple[float, ...]:
        """The duration of all frames before each bucket, and before the end."""
        edges = [self._first_rank(bucket) for bucket in range(len(self.means) + 1)]
        sizes = (after - first for first, after in pairwise(edges))
        return tuple(accumulate((size * level for size, level in zip(sizes, self.levels, strict=True)), initial=0.0))

    def _before(self, rank: int) -> float:
        """Return how long the frames before a rank take at speed 1."""
        if rank == self.frame_count:
            return self._sums[-1]
        bucket = self._bucket(rank)
        return self._sums[bucket] + (rank - self._first_rank(bucket)) * self.levels[bucket]

    def _bucket(self, rank: int) -> int:
        if not 0 <= rank < self.frame_count:
            raise IndexError(f"no frame has rank {rank} in a job of {self.frame_count}")
        return rank * len(self.means) // self.frame_count

    def _first_rank(self, bucket: int) -> int:
        return -(-bucket * self.frame_count // len(self.means))


def learn_speed(speed: float, count: int, expected_seconds: float, measured_seconds: float) -> tuple[float, int]:
    """Return a slot's speed, and of how many frames it is known, after one more frame.

    The speed's logarithm follows what was measured, at first by the whole difference, in the end by a twentieth.
    Speeds mean something only beside each other, and frames are normalised by them: were all twice as high, everything
    would fit as well.  So chance could carry them away together; hence each frame draws the speed a little towards 1.

    Args:
        speed: as known so far, 1 for a slot of which nothing is known.
        count: frames it is known of.
        expected_seconds: of the frame at speed 1: its :meth:`CostProfile.yardstick` before it was measured.
        measured_seconds: of the frame, on this slot.
    """
    log_speed = math.log(speed)
    difference = _step(math.log(_bounded(expected_seconds) / _bounded(measured_seconds)) - log_speed)
    log_speed += max(2.0 / (count + 2), LEAST_GAIN) * (difference - ANCHOR * log_speed)
    return max(SLOWEST, min(math.exp(log_speed), FASTEST)), count + 1


def _step(logarithm: float) -> float:
    """Bound how much one frame says."""
    return max(-_LARGEST_STEP, min(logarithm, _LARGEST_STEP))


def _bounded(seconds: float) -> float:
    return max(SHORTEST, min(seconds, LONGEST))


def _interpolated(known: dict[int, float], count: int) -> list[float]:
    """Return ``count`` values through the known ones: level before them, straight between them, and on after them.

    Jobs are rendered in order, so what comes after is what most frames are leased by.  There the course goes on as in
    the last buckets, ever less steeply (a damped trend, Gardner and McKenzie, 1985), and never far from the last value.
    """
    buckets = list(known)
    first, last = buckets[0], buckets[-1]
    values = [known[first]] * first
    for left, right in pairwise(buckets):
        step = (known[right] - known[left]) / (right - left)
        values += [known[left] + step * distance for distance in range(right - left)]
    end = known[last]
    slope = (end - values[last - COURSE]) / COURSE if first <= last - COURSE else 0.0
    for distance in range(count - last):
        further = end + slope * FADE * (1.0 - math.exp(-distance / FADE))
        values.append(max(end / FURTHEST, min(further, end * FURTHEST)))
    return values


def _numbers(values: Sequence[float]) -> str:
    return ",".join([f"{value:.4g}" for value in values])


@lru_cache(maxsize=1024)
def _decode(text: str) -> CostProfile:
    """See :meth:`CostProfile.decode`; between two frames the same text is read for every lease."""
    try:
        parts = json.loads(text) if len(text) <= _LONGEST_TEXT else None
        if _is_profile(parts):
            frame_count, *lists, deviation = parts.values()
            means, counts, loads, prior = map(tuple, lists)
            return CostProfile(frame_count, means, counts, loads, prior, deviation)
    except (ValueError, RecursionError):
        pass
    raise ValueError(f"this is no cost profile: {text[:80]!r}")


def _is_profile(parts: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether this is what :meth:`CostProfile.encode` writes: every part, in its order, and of sound values."""
    match parts:
        case {
            "frame_count": int(frame_count),
            "means": [*means],
            "counts": [*counts],
            "loads": [*loads],
            "prior": [*prior],
            "deviation": float(deviation),
        }:
            buckets = min(BUCKETS, frame_count)
        case _:
            return False
    return (
        type(frame_count) is int
        and list(parts) == ["frame_count", "means", "counts", "loads", "prior", "deviation"]
        and 1 <= buckets == len(means) == len(counts)
        and len(prior) in (0, buckets)
        and len(loads) <= LOADS
        and abs(deviation) <= 2 * _LARGEST_STEP
        and all(type(count) is int and count >= 0 for count in counts)
        and all(type(value) in (int, float) for value in (*means, *loads, *prior))
        and all(SHORTEST <= value <= LONGEST for value in (*loads, *prior))
        and all(SHORTEST <= mean <= LONGEST if count else mean == 0 for mean, count in zip(means, counts, strict=True))
    )
