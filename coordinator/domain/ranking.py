"""Jobs in the order in which a slot shall take them.

The order is that of effective priority, then of the owner's vtime, then of the job's, then of age.  Jobs are kept in
groups, one for each owner and priority; in a group, in lanes, one for each set of needs, sorted by vtime.  So asking
who is next looks at every group, and only at the first jobs of the lanes that come into question.
"""

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from coordinator.domain.fair_share import CACHED_SECONDS, WARM_SECONDS, effective_priority

Place = tuple[float, int]
"""A job in a lane: its vtime and its id."""
T = TypeVar("T", Place, tuple[Place, int])
Runs = Mapping[int, bool]
"""Whether a slot can render jobs with the needs of this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A job that a slot could take; the vtimes are less what its files on the slot are worth."""

    job_id: int
    owner_vtime: float
    vtime: float


@dataclass(slots=True, eq=False, kw_only=True)
class Owner:
    """A user, as far as ranking goes."""

    name: str
    vtime: float = 0.0
    max_slots: int | None = None
    slots: int = 0
    """How many work on the user's jobs; one that works on two of them counts twice."""
    granted: dict[int, float] = field(default_factory=dict)
    """When a lease was granted last, by priority (seconds since 1970)."""
    job_floor: float = 0.0
    """Where a new job begins among the user's jobs."""

    @property
    def at_limit(self) -> bool:
        """Whether no further slot may work for the user."""
        return self.max_slots is not None and self.slots >= self.max_slots


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JobCard:
    """A job, as far as ranking goes."""

    id: int
    owner: Owner
    priority: int
    needs: int
    """The number of its set of needs."""
    pack_id: str
    vtime: float
    created: float
    """Seconds since 1970."""
    pending: int
    open_frames: int
    slots: int
    max_slots: int | None

    @property
    def at_limit(self) -> bool:
        """Whether no further slot may work on it."""
        return self.max_slots is not None and self.slots >= self.max_slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The slot that asks, and when."""

    runs: Runs
    open_pack: str | None
    cached_packs: frozenset[str]
    barred: frozenset[int]
    """Jobs it must not take."""
    works_for: frozenset[Owner]
    """Whose jobs it works on: it counts against their limits already."""
    now: float
    """Seconds since 1970."""


class _Group:
    """The jobs of one owner with one priority."""

    def __init__(self, owner: Owner, priority: int) -> None:
        self.owner = owner
        self.priority = priority
        self.lanes: dict[int, list[Place]] = {}
        self._heads: list[tuple[Place, int]] = []
        """The first job of each lane, and the lane's needs: sorted, so that few lanes need to be looked at."""
        self._oldest: list[tuple[float, int]] = []

    def add(self, card: JobCard) -> list[Place]:
        """Put a job into its lane and return the lane."""
        lane = self.lanes.setdefault(card.needs, [])
        first = lane[0] if lane else None
        insort(lane, (card.vtime, card.id))
        self._head_changed(card.needs, first, lane[0])
        insort(self._oldest, (card.created, card.id))
        return lane

    def remove(self, card: JobCard) -> None:
        lane = self.lanes[card.needs]
        first = lane[0]
        _take_off(lane, (card.vtime, card.id))
        self._head_changed(card.needs, first, lane[0] if lane else None)
        if not lane:
            del self.lanes[card.needs]
        _take_off(self._oldest, (card.created, card.id))

    def suits(self, asker: Asker) -> bool:
        """Tell whether the slot can render one of the jobs and the owner's limit leaves it."""
        runs = asker.runs
        return (not self.owner.at_limit or self.owner in asker.works_for) and (
            runs[self._heads[0][1]] or any(runs[needs] for needs in self.lanes)
        )

    def waited(self, now: float) -> float:
        """Return for how many seconds no job of the group was given a slot, though one waited."""
        return now - max(self.owner.granted.get(self.priority, 0.0), self._oldest[0][0])

    def in_order(self, runs: Runs) -> Iterator[Place]:
        """Yield the jobs that can be rendered, the one furthest behind first."""
        merged: list[tuple[Place, int, int]] = []
        for head, needs in self._heads:
            if not runs[needs]:
                continue
            while merged and merged[0][0] < head:
                yield self._next(merged)
            heapq.heappush(merged, (head, needs, 0))
        while merged:
            yield self._next(merged)

    def _next(self, merged: list[tuple[Place, int, int]]) -> Place:
        """Return the first of the lanes' jobs and move on in its lane."""
        place, needs, index = merged[0]
        lane = self.lanes[needs]
        if index + 1 < len(lane):
            heapq.heapreplace(merged, (lane[index + 1], needs, index + 1))
        else:
            heapq.heappop(merged)
        return place

    def _head_changed(self, needs: int, old: Place | None, new: Place | None) -> None:
        if old != new:
            if old is not None:
                _take_off(self._heads, (old, needs))
            if new is not None:
                insort(self._heads, (new, needs))


class Ranking:
    """Jobs that slots may take."""

    def __init__(self) -> None:
        """Begin without any."""
        self._groups: dict[tuple[str, int], _Group] = {}
        self._packs: dict[str, dict[tuple[_Group, int], list[Place]]] = {}
        """The lanes once more, of the jobs of one pack."""

    def add(self, card: JobCard) -> None:
        """Add a job."""
        group = self._groups.get((card.owner.name, card.priority))
        if group is None:
            group = self._groups[card.owner.name, card.priority] = _Group(card.owner, card.priority)
        group.add(card)
        lanes = self._packs.setdefault(card.pack_id, {})
        insort(lanes.setdefault((group, card.needs), []), (card.vtime, card.id))

    def remove(self, card: JobCard) -> None:
        """Take off a job, with the very card it was added with."""
        group = self._groups[card.owner.name, card.priority]
        group.remove(card)
        if not group.lanes:
            del self._groups[card.owner.name, card.priority]
        lanes = self._packs[card.pack_id]
        _take_off(lanes[group, card.needs], (card.vtime, card.id))
        if not lanes[group, card.needs]:
            del lanes[group, card.needs]
        if not lanes:
            del self._packs[card.pack_id]

    def waits(self, owner: Owner) -> bool:
        """Tell whether a job of the owner is among them."""
        return any(group.owner is owner for group in self._groups.values())

    def suits(self, asker: Asker) -> bool:
        """Tell, faster than :meth:`in_order`, whether there is a job for the slot."""
        return any(
            group.suits(asker)
            and (
                not asker.barred
                or any(asker.runs[needs] and _beside(lane, asker.barred) for needs, lane in group.lanes.items())
            )
            for group in self._groups.values()
        )

    def outranks(self, card: JobCard, now: float, runs: Callable[[int], bool]) -> bool:
        """Tell whether a group that comes before the job's has work for the slots that could take the job."""
        if not self._groups:
            return False
        top = max(group.priority for group in self._groups.values())
        own = self._groups.get((card.owner.name, card.priority))
        priority = card.priority if own is None else effective_priority(card.priority, own.waited(now), top)
        return any(
            effective_priority(group.priority, group.waited(now), top) > priority
            and not group.owner.at_limit
            and any(runs(needs) for needs in group.lanes)
            for group in self._groups.values()
        )

    def in_order(self, asker: Asker, further: Iterable[JobCard] = ()) -> Iterator[Candidate]:
        """Yield the jobs for a slot, the first one first; ``further`` are some that only this slot may take."""
        groups = [group for group in self._groups.values() if group.suits(asker)]
        further = [card for card in further if asker.runs[card.needs]]
        if not groups and not further:
            return
        top = max([group.priority for group in groups] + [card.priority for card in further])
        now = asker.now
        priorities = {group: effective_priority(group.priority, group.waited(now), top) for group in groups}
        streams: list[tuple[int, float, Iterator[Place]]] = [
            (priority, group.owner.vtime, group.in_order(asker.runs)) for group, priority in priorities.items()
        ]
        streams += self._at_hand(asker, priorities)
        for card in further:
            # It is being worked on, and so has not waited.
            worth = _worth(card.pack_id, asker)
            streams.append((card.priority, card.owner.vtime - worth, iter([(card.vtime - worth, card.id)])))
        yield from _merge(streams, asker.barred)

    def _at_hand(self, asker: Asker, priorities: Mapping[_Group, int]) -> Iterator[tuple[int, float, Iterator[Place]]]:
        """Yield the streams of the jobs whose packs the slot has: these may come before their turn."""
        for pack_id in asker.cached_packs | ({asker.open_pack} if asker.open_pack else frozenset()):
            worth = _worth(pack_id, asker)
            for (group, needs), lane in self._packs.get(pack_id, {}).items():
                if group in priorities and asker.runs[needs]:
                    yield priorities[group], group.owner.vtime - worth, _earlier(lane, worth)


def _worth(pack_id: str, asker: Asker) -> float:
    """Return how many slot-seconds a job comes before its turn, for what the slot has of it."""
    if pack_id == asker.open_pack:
        return WARM_SECONDS
    return CACHED_SECONDS if pack_id in asker.cached_packs else 0.0


def _earlier(lane: list[Place], worth: float) -> Iterator[Place]:
    return ((vtime - worth, job_id) for vtime, job_id in lane)


def _merge(streams: list[tuple[int, float, Iterator[Place]]], barred: frozenset[int]) -> Iterator[Candidate]:
    """Merge streams of one priority and owner's vtime each; a job that is in two of them comes once, the first time."""
    # Looking into a stream costs: it is not done before its priority and its owner's turn have come.
    heap = [(-priority, owner_vtime, -math.inf, 0, number) for number, (priority, owner_vtime, _) in enumerate(streams)]
    heapq.heapify(heap)
    seen = set(barred)
    while heap:
        rank, owner_vtime, vtime, job_id, number = heap[0]
        if job_id and job_id not in seen:
            seen.add(job_id)
            yield Candidate(job_id=job_id, owner_vtime=owner_vtime, vtime=vtime)
        place = next(streams[number][2], None)
        if place is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (rank, owner_vtime, *place, number))


def _beside(lane: list[Place], barred: frozenset[int]) -> bool:
    return any(job_id not in barred for _, job_id in lane)


def _take_off(items: list[T], item: T) -> None:
    del items[bisect_left(items, item)]
