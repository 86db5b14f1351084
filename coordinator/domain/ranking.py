"""Jobs in the order in which a slot shall take them.

The order is that of effective priority, then of the owners' places (their vtime, and the slots at work for them), then
of the jobs' vtime, then of age.  What a slot has of a job at hand counts as slot-seconds that the job is further
behind: among its owner's jobs, and for its owner among others.  It is as much for a job that waits long as for one that
just came, so no one is passed over for ever.

Jobs are kept in groups, one for each owner and priority; in a group, in lanes, one for each set of needs, sorted by
vtime.  So asking who is next looks at every group, and only at the first jobs of the lanes that come into question.
"""

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import count, repeat
from operator import sub
from typing import NamedTuple, TypeVar

from coordinator.domain.fair_share import AGING_SECONDS, CACHED_SECONDS, HELD_SECONDS, WARM_SECONDS, effective_priority

Place = tuple[float, int]
"""A job in a lane: its vtime and its id, the one furthest behind first and of equals the oldest."""
T = TypeVar("T", Place, tuple[Place, int])


class Candidate(NamedTuple):
    """A job that a slot could take."""

    job_id: int
    furthest: float
    """The vtime of the owner furthest ahead among those with jobs of the same effective priority for the slot."""


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
    cards: dict[int, "JobCard"] = field(default_factory=dict)
    """The user's jobs, by id."""
    waiting: int = 0
    """How many of them another slot could take frames of."""
    least_vtime: float = 0.0
    """The user is not owed more than what lies behind this."""

    def place(self, asker: "Asker") -> float:
        """Return where the user stands for a slot: what was given, and what the other slots at work are giving."""
        return self.vtime + HELD_SECONDS * (self.slots - (self in asker.works_for))

    @property
    def at_limit(self) -> bool:
        """Whether no further slot may work for the user."""
        return self.max_slots is not None and self.slots >= self.max_slots


@dataclass(slots=True, eq=False, kw_only=True)
class JobCard:
    """A job, as far as ranking goes; none is ever changed, and one that is not frozen is made four times as fast."""

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
    """Those that slots may help with."""
    slots: int
    max_slots: int | None

    @property
    def at_limit(self) -> bool:
        """Whether no further slot may work on it."""
        return self.max_slots is not None and self.slots >= self.max_slots

    @property
    def waits(self) -> bool:
        """Whether another slot could take frames of it."""
        return self.pending > 0 and not self.at_limit


@dataclass(slots=True, eq=False, kw_only=True)
class Asker:
    """The slot that asks, and when."""

    able: AbstractSet[int]
    """The numbers of the needs that it meets."""
    open_pack: str | None
    cached_packs: frozenset[str]
    barred: frozenset[int]
    """Jobs it must not take."""
    works_for: frozenset[Owner]
    """Whose jobs it works on: it counts against their limits already."""
    now: float
    """Seconds since 1970."""

    @property
    def packs(self) -> frozenset[str]:
        """The packs that the slot has at hand."""
        return self.cached_packs if self.open_pack is None else self.cached_packs | {self.open_pack}


class _Group:
    """The jobs of one owner with one priority."""

    def __init__(self, owner: Owner, priority: int) -> None:
        self.owner = owner
        self.priority = priority
        self.lanes: dict[int, list[Place]] = {}
        self._heads: list[tuple[Place, int]] = []
        """The first job of each lane, and the lane's needs: sorted, so that few lanes need to be looked at."""
        self._oldest: list[tuple[float, int]] = []

    def add(self, card: JobCard) -> None:
        lane = self.lanes.setdefault(card.needs, [])
        first = lane[0] if lane else None
        insort(lane, (card.vtime, card.id))
        self._head_changed(card.needs, first, lane[0])
        insort(self._oldest, (card.created, card.id))

    def remove(self, card: JobCard) -> None:
        lane = self.lanes[card.needs]
        first = lane[0]
        _take_off(lane, (card.vtime, card.id))
        self._head_changed(card.needs, first, lane[0] if lane else None)
        if not lane:
            del self.lanes[card.needs]
        _take_off(self._oldest, (card.created, card.id))

    def open_to(self, asker: Asker) -> bool:
        """Tell whether the owner's limit leaves room for the slot."""
        return not self.owner.at_limit or self.owner in asker.works_for

    @property
    def since(self) -> float:
        """Since when the group has waited (seconds since 1970)."""
        return max(self.owner.granted.get(self.priority, 0.0), self._oldest[0][0])

    def effective(self, now: float, top: int) -> int:
        """Return the effective priority: the group has waited since its last lease, or since its oldest job came."""
        return self.priority if self.priority >= top else effective_priority(self.priority, now - self.since, top)

    def in_order(self, able: AbstractSet[int]) -> Iterator[Place]:
        """Yield the jobs with these needs, the one furthest behind first."""
        merged: list[tuple[Place, int, int]] = []
        for head, needs in self._heads:
            if needs not in able:
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


_Queue = list[tuple[float, _Group | list[Place]]]
"""An owner's jobs of one effective priority: in parts, each with what the slot's files are worth to it."""


class Ranking:
    """Jobs that slots may take."""

    def __init__(self) -> None:
        """Begin without any."""
        self._bands: dict[int, dict[Owner, _Group]] = {}
        """The groups by priority."""
        self._aging_at = math.inf
        """Before this (seconds since 1970) no group has waited long enough to rise; it may be too early, never late."""
        self._packs: dict[str, dict[tuple[_Group, int], list[Place]]] = {}
        """The lanes once more, of the jobs of one pack."""

    def add(self, card: JobCard) -> None:
        """Add a job."""
        band = self._bands.setdefault(card.priority, {})
        group = band.get(card.owner)
        if group is None:
            group = band[card.owner] = _Group(card.owner, card.priority)
        group.add(card)
        # Leases and jobs that end let a group have waited for less: only new jobs for more.
        self._aging_at = min(self._aging_at, group.since + AGING_SECONDS)
        lanes = self._packs.setdefault(card.pack_id, {})
        insort(lanes.setdefault((group, card.needs), []), (card.vtime, card.id))

    def remove(self, card: JobCard) -> None:
        """Take off a job, with the very card it was added with."""
        band = self._bands[card.priority]
        group = band[card.owner]
        group.remove(card)
        if not group.lanes:
            del band[card.owner]
        if not band:
            del self._bands[card.priority]
        lanes = self._packs[card.pack_id]
        _take_off(lanes[group, card.needs], (card.vtime, card.id))
        if not lanes[group, card.needs]:
            del lanes[group, card.needs]
        if not lanes:
            del self._packs[card.pack_id]

    def suits(self, asker: Asker) -> bool:
        """Tell, faster than :meth:`in_order`, whether there is a job for the slot."""
        groups = (group for band in self._bands.values() for group in self._eligible(asker, band))
        if not asker.barred:
            return next(groups, None) is not None
        return any(job_id not in asker.barred for group in groups for _, job_id in group.in_order(asker.able))

    def outranks(self, card: JobCard, now: float, rivals: AbstractSet[int]) -> bool:
        """Tell whether jobs with one of these needs come before a job's group."""
        top = max(self._bands, default=0)
        own = self._bands.get(card.priority, {}).get(card.owner)
        priority = card.priority if own is None else own.effective(now, top)
        return any(
            group.effective(now, top) > priority
            and not group.owner.at_limit
            and not group.lanes.keys().isdisjoint(rivals)
            for band in self._bands.values()
            for group in band.values()
        )

    def in_turns(self, asker: Asker) -> Iterator[int]:
        """Yield jobs as slots like this one are likely to be given them: one of each owner, then another of each."""
        for priority in sorted(self._bands, reverse=True):
            groups = sorted(self._eligible(asker, self._bands[priority]), key=lambda it: it.owner.place(asker))
            turns = [group.in_order(asker.able) for group in groups]
            while turns:
                places = [(turn, next(turn, None)) for turn in turns]
                yield from (place[1] for _, place in places if place is not None)
                turns = [turn for turn, place in places if place is not None]

    def has_of(self, packs: AbstractSet[str]) -> bool:
        """Tell whether there are jobs of one of these packs."""
        return not self._packs.keys().isdisjoint(packs)

    def in_order(self, asker: Asker, further: Iterable[JobCard] = ()) -> Iterator[Candidate]:
        """Yield the jobs for a slot, the first one first; ``further`` are some that only this slot may take."""
        # What is being worked on has not waited.
        alone: dict[int, list[JobCard]] = {}
        for card in further:
            if card.needs in asker.able:
                alone.setdefault(card.priority, []).append(card)
        if asker.now < self._aging_at:
            # Most slots are given the first job: nothing is done for a priority before its turn has come.
            for priority in sorted(self._bands.keys() | alone.keys(), reverse=True):
                groups = list(self._eligible(asker, self._bands.get(priority, {})))
                yield from _merge(self._queues(asker, groups, alone.get(priority, ())), asker)
            return
        self._aging_at = AGING_SECONDS + min(
            (group.since for band in self._bands.values() for group in band.values()), default=math.inf
        )
        eligible = [group for band in self._bands.values() for group in self._eligible(asker, band)]
        top = max([group.priority for group in eligible] + list(alone), default=0)
        levels: dict[int, list[_Group]] = {priority: [] for priority in alone}
        for group in eligible:
            levels.setdefault(group.effective(asker.now, top), []).append(group)
        for priority in sorted(levels, reverse=True):
            yield from _merge(self._queues(asker, levels[priority], alone.get(priority, ())), asker)

    def _queues(self, asker: Asker, groups: Sequence[_Group], further: Iterable[JobCard]) -> dict[Owner, _Queue]:
        """Return the jobs of one effective priority by their owners."""
        queues: dict[Owner, _Queue] = {}
        for group in groups:
            parts = queues.get(group.owner)
            if parts is None:
                queues[group.owner] = [(0.0, group)]
            else:
                parts.append((0.0, group))
        if self._packs.keys() & asker.packs:
            competing = set(groups)
            for worth, (group, needs), lane in self._at_hand(asker):
                if group in competing and needs in asker.able:
                    queues[group.owner].append((worth, lane))
        for card in further:
            queues.setdefault(card.owner, []).append((_worth(card.pack_id, asker), [(card.vtime, card.id)]))
        return queues

    def _eligible(self, asker: Asker, band: Mapping[Owner, _Group]) -> Iterator[_Group]:
        """Yield the groups of a band with jobs for the slot."""
        able = asker.able
        return (
            group
            for group in band.values()
            if not able.isdisjoint(group.lanes) and (group.owner.max_slots is None or group.open_to(asker))
        )

    def _at_hand(self, asker: Asker) -> Iterator[tuple[float, tuple[_Group, int], list[Place]]]:
        """Yield the lanes of the packs that the slot has, and what that is worth."""
        for pack_id in self._packs.keys() & asker.packs:
            worth = _worth(pack_id, asker)
            for key, lane in self._packs[pack_id].items():
                yield worth, key, lane


def _worth(pack_id: str, asker: Asker) -> float:
    """Return how many slot-seconds further behind a job is taken to be for what the slot has of it."""
    if pack_id == asker.open_pack:
        return WARM_SECONDS
    return CACHED_SECONDS if pack_id in asker.cached_packs else 0.0


def _merge(queues: Mapping[Owner, _Queue], asker: Asker) -> Iterator[Candidate]:
    """Yield the jobs of all queues: of the owners' next ones always the one whose owner is furthest behind."""
    owners = list(queues)
    places_of = [owner.place(asker) for owner in owners]
    # Looking into a queue costs: none is looked into before its owner's turn has come.
    worths = [parts[0][0] if len(parts) == 1 else max([worth for worth, _ in parts]) for parts in queues.values()]
    heap = list(zip(map(sub, places_of, worths), repeat(-math.inf), repeat(0), count()))
    heapq.heapify(heap)
    opened: dict[int, Iterator[tuple[float, int, float]]] = {}
    furthest = max([owner.vtime for owner in owners], default=0.0)
    # A job with a pack at hand is in two parts, and comes where it counts more: that is earlier.
    seen = set(asker.barred)
    while heap:
        _, _, job_id, number = heap[0]
        if job_id:
            yield Candidate(job_id=job_id, furthest=furthest)
        places = opened.get(number)
        if places is None:
            places = opened[number] = _by_vtime(queues[owners[number]], asker.able)
        following = next((place for place in places if place[1] not in seen), None)
        if following is None:
            heapq.heappop(heap)
            continue
        vtime, job_id, worth = following
        seen.add(job_id)
        heapq.heapreplace(heap, (places_of[number] - worth, vtime, job_id, number))


def _by_vtime(parts: _Queue, able: AbstractSet[int]) -> Iterator[tuple[float, int, float]]:
    """Yield vtime less worth, id and worth of an owner's jobs."""
    lessened = [_lessened(part.in_order(able) if isinstance(part, _Group) else part, worth) for worth, part in parts]
    # Merging costs, and most owners have but one part.
    return lessened[0] if len(lessened) == 1 else heapq.merge(*lessened)


def _lessened(places: Iterable[Place], worth: float) -> Iterator[tuple[float, int, float]]:
    return ((vtime - worth, job_id, worth) for vtime, job_id in places)


def _take_off(items: list[T], item: T) -> None:
    del items[bisect_left(items, item)]
