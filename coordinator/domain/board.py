"""The board: a small picture, in memory, of the jobs that can be worked on, their owners and the agents.

It tells who is next, quickly and without the database.  It is a hint and no more: whoever acts on it locks the job
and looks again.  Every method may be called from any thread.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from threading import Lock

from coordinator.domain.fair_share import CREDIT_SECONDS, joining_vtime
from coordinator.domain.fleet import Agents, Fleet
from coordinator.domain.matching import Capability, Needs, can_run, needs_of
from coordinator.domain.model import Agent, Job, JobState, User
from coordinator.domain.ranking import Asker, JobCard, Owner, Ranking

#: So many kinds of slots are remembered with what they can render; more come only from agents that come and go.
REMEMBERED_SLOTS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotOffer:
    """A slot that wants work."""

    agent_id: int
    slot: int
    capability: Capability
    open_pack: str | None = None
    """The pack whose scene it has open."""
    cached_packs: frozenset[str] = frozenset()
    """The packs whose files its agent has."""
    holds: frozenset[int] = frozenset()
    """The jobs that it has leases of."""
    barred: frozenset[int] = frozenset()
    """The jobs that its agent was set aside for."""


class Board:
    """Jobs, users and agents as far as the question goes who is next."""

    def __init__(self) -> None:
        """Begin with an empty board that is to be loaded."""
        self._lock = Lock()
        self._loaded = False
        self._clear()

    @property
    def loaded(self) -> bool:
        """Whether the board shows the farm; if not, it must be loaded before it is asked."""
        return self._loaded

    def invalidate(self) -> None:
        """Have the board loaded anew: something may have changed without its knowing."""
        self._loaded = False

    def load(self, jobs: Iterable[Job], users: Iterable[User], agents: Iterable[Agent]) -> None:
        """Show these jobs, users and agents and nothing else."""
        with self._lock:
            self._clear()
            for user in users:
                self._put_user(user)
            for agent in agents:
                self._agents.put(agent)
            for job in jobs:
                self._put_job(job)
            self._loaded = True

    def put_job(self, job: Job) -> None:
        """Show a job as it is now; one that cannot be worked on is taken off."""
        with self._lock:
            self._put_job(job)

    def remove_job(self, job_id: int) -> None:
        """Take a job off."""
        with self._lock:
            self._remove_job(job_id)

    def put_user(self, user: User) -> None:
        """Show a user as they are now."""
        with self._lock:
            self._put_user(user)

    def charge(self, name: str, seconds: float) -> None:
        """Count slot-seconds as given to a user until :meth:`put_user` tells."""
        with self._lock:
            owner = self._owner(name)
            owner.vtime = max(0.0, owner.vtime + seconds)

    def put_agent(self, agent: Agent) -> None:
        """Show an agent as it is now."""
        with self._lock:
            self._agents.put(agent)

    def candidates(self, offer: SlotOffer, now: datetime, limit: int = 8) -> list[int]:
        """Return the jobs to try for a slot, the first one first: those with pending frames that it can render.

        The order is that of :mod:`coordinator.domain.ranking`.  Jobs and users whose limits are reached are left
        out, unless the slot works for them already.
        """
        with self._lock:
            asker = self._asker(offer, now)
            held = [card for card in self._held(offer) if card.at_limit and card.pending]
            chosen = list(islice(self._pending.in_order(asker, held), limit))
            if chosen:
                # Those who could not be served are far behind all others: what they are owed has a bound.
                owner = self._jobs[chosen[0].job_id].owner
                owner.least_vtime = chosen[0].furthest - CREDIT_SECONDS
            return [candidate.job_id for candidate in chosen]

    def likely(self, offers: Sequence[SlotOffer], now: datetime) -> set[int]:
        """Return the jobs with pending frames that are likely to be given to slots that come one after the other."""
        with self._lock:
            likely: set[int] = set()
            for capability, count in Counter(offer.capability for offer in offers).items():
                any_slot = SlotOffer(agent_id=0, slot=0, capability=capability)
                likely.update(islice(self._pending.in_turns(self._asker(any_slot, now)), count))
            for offer in offers:
                asker = self._asker(offer, now)
                if self._pending.has_of(asker.packs):
                    likely.update(candidate.job_id for candidate in islice(self._pending.in_order(asker), 1))
            return likely

    def running(self, offer: SlotOffer, now: datetime, limit: int = 8) -> list[int]:
        """Return the jobs without pending frames whose leased ones a slot might help with, in the same order."""
        with self._lock:
            self._wake(now.timestamp())
            candidates = self._running.in_order(self._asker(offer, now), self._held_running(offer))
            return [candidate.job_id for candidate in islice(candidates, limit)]

    def has_work(self, offer: SlotOffer, now: datetime) -> bool:
        """Tell whether :meth:`candidates` or :meth:`running` has a job for a slot."""
        with self._lock:
            self._wake(now.timestamp())
            asker = self._asker(offer, now)
            if self._pending.suits(asker) or self._running.suits(asker):
                return True
            further = [card for card in self._held(offer) if card.at_limit and card.pending]
            further += self._held_running(offer)
            return any(card.needs in asker.able and card.id not in offer.barred for card in further)

    def rest(self, job_id: int, until: datetime) -> None:
        """Leave a job out of :meth:`running` for a while: there is nothing in it to help with."""
        with self._lock:
            card = self._jobs.get(job_id)
            if card is None:
                return
            self._take_down(card)
            self._resting[job_id] = until.timestamp()
            heapq.heappush(self._rests, (until.timestamp(), job_id))
            self._hang_up(card)

    def limited(self, user: str) -> bool:
        """Tell whether only so many slots may work for a user at once."""
        with self._lock:
            owner = self._owners.get(user)
            return owner is not None and owner.max_slots is not None

    def contested(self, user: str) -> bool:
        """Tell whether other users have jobs that wait for slots."""
        with self._lock:
            return bool(self._waiting) and self._waiting != {user}

    def user_floor(self, name: str, ahead: Mapping[str, float]) -> float:
        """Return the least vtime for a user who comes with work now; one who waits keeps their place: 0.

        Args:
            name: of the user.
            ahead: the slot-seconds that users were charged for what their leases are still to take, where there are
                any: one joins where the others are, not where they will be.
        """
        with self._lock:
            owner = self._owners.get(name)
            if owner is not None and owner.waiting:
                return 0.0
            owners = self._owners.values()
            present = {owner: owner.vtime - ahead.get(owner.name, 0.0) for owner in owners if owner.cards}
            return joining_vtime(
                served=[vtime for owner, vtime in present.items() if owner.slots and owner.waiting],
                present=list(present.values()),
                known=[owner.vtime for owner in owners],
            )

    def forfeit(self, name: str) -> float:
        """Return the slot-seconds to charge a user with the next lease for being further behind than anyone may be."""
        with self._lock:
            owner = self._owners.get(name)
            return 0.0 if owner is None else max(0.0, owner.least_vtime - owner.vtime)

    def job_floor(self, owner: str) -> float:
        """Return the least vtime for a job of a user that comes with frames now."""
        with self._lock:
            known = self._owners.get(owner)
            cards = known.cards.values() if known is not None else ()
            return joining_vtime(
                served=[card.vtime for card in cards if card.slots and card.waits],
                present=[card.vtime for card in cards],
            )

    def fleet(self, needs: Needs) -> Fleet:
        """Return what the agents that can render a job have together; those set aside do not count."""
        with self._lock:
            return self._agents.fleet(needs)

    def explain(self, needs: Needs, barred: Collection[int] = ()) -> str | None:
        """Return why no agent can render a job, as a sentence; None if one can.

        Args:
            needs: what the job needs.
            barred: ids of the agents that were set aside for the job.
        """
        with self._lock:
            return self._agents.explain(needs, barred)

    def waiting(self, job_id: int, now: datetime, barred: Collection[int] = ()) -> str | None:
        """Return why a job with pending frames is not given (more) slots, as a sentence; None if nothing is wrong.

        Args:
            job_id: the job; the board knows nothing of those that cannot be worked on.
            now: the time.
            barred: ids of the agents that were set aside for the job.
        """
        with self._lock:
            card = self._jobs.get(job_id)
            if card is None or not card.pending:
                return None
            if card.at_limit:
                return f"Its limit of {_slots(card.max_slots)} is reached."
            if card.slots:
                return None
            if card.owner.at_limit:
                return f"The limit of {_slots(card.owner.max_slots)} for all jobs of {card.owner.name} is reached."
            needs = self._needs[card.needs]
            reason = self._agents.explain(needs, barred)
            if reason is not None:
                return reason
            rivals = set[int]().union(*(self._able(capability) for capability in self._agents.able(needs)))
            if self._pending.outranks(card, now.timestamp(), rivals):
                return "Higher priorities come first."
            return "It waits for a machine to be free."

    def _clear(self) -> None:
        self._jobs: dict[int, JobCard] = {}
        self._owners: dict[str, Owner] = {}
        self._waiting: set[str] = set()
        """The users with jobs that another slot could take frames of."""
        self._agents = Agents()
        self._pending = Ranking()
        self._running = Ranking()
        self._resting: dict[int, float] = {}
        self._rests: list[tuple[float, int]] = []
        # A set of needs is known by its place in this list: numbers are compared and looked up far faster.
        self._needs: list[Needs] = []
        self._numbers: dict[Needs, int] = {}
        self._met: dict[Capability, tuple[set[int], int]] = {}
        """The numbers of the needs that each kind of slot meets, and how many needs were looked at for that."""

    def _put_user(self, user: User) -> None:
        owner = self._owner(user.name)
        owner.vtime = user.vtime
        owner.max_slots = user.max_slots

    def _owner(self, name: str) -> Owner:
        owner = self._owners.get(name)
        if owner is None:
            owner = self._owners[name] = Owner(name=name)
        return owner

    def _put_job(self, job: Job) -> None:
        paused = job.state == JobState.PAUSED
        # Of a paused job only the slots count that still work on it, against its owner's limit.
        if job.state not in (JobState.QUEUED, JobState.RUNNING) and not (paused and job.slots):
            self._remove_job(job.id)
            return
        owner = self._owner(job.created_by)
        if job.granted_at is not None:
            owner.granted[job.priority] = max(job.granted_at.timestamp(), owner.granted.get(job.priority, 0.0))
        before = self._jobs.get(job.id)
        card = JobCard(
            id=job.id,
            owner=owner,
            priority=job.priority,
            needs=self._number(needs_of(job)),
            pack_id=job.pack_id,
            vtime=job.vtime,
            created=job.created_at.timestamp(),
            pending=job.pending,
            open_frames=0 if paused else job.open_frames,
            slots=job.slots,
            max_slots=job.max_slots,
        )
        if before is not None:
            self._take_off(before)
        self._jobs[job.id] = owner.cards[job.id] = card
        owner.slots += card.slots
        self._wait(card, 1)
        self._hang_up(card)

    def _remove_job(self, job_id: int) -> None:
        card = self._jobs.get(job_id)
        if card is not None:
            self._take_off(card)
            self._resting.pop(job_id, None)

    def _take_off(self, card: JobCard) -> None:
        self._take_down(card)
        card.owner.slots -= card.slots
        self._wait(card, -1)
        del self._jobs[card.id], card.owner.cards[card.id]

    def _wait(self, card: JobCard, change: int) -> None:
        if card.waits:
            card.owner.waiting += change
            (self._waiting.add if card.owner.waiting else self._waiting.discard)(card.owner.name)

    def _number(self, needs: Needs) -> int:
        number = self._numbers.get(needs)
        if number is None:
            number = self._numbers[needs] = len(self._needs)
            self._needs.append(needs)
        return number

    def _ranking(self, card: JobCard) -> Ranking | None:
        """Return where a job stands."""
        if card.waits:
            return self._pending
        helped = card.slots and card.open_frames and not card.pending and not card.at_limit
        return self._running if helped and card.id not in self._resting else None

    def _hang_up(self, card: JobCard) -> None:
        ranking = self._ranking(card)
        if ranking is not None:
            ranking.add(card)

    def _take_down(self, card: JobCard) -> None:
        ranking = self._ranking(card)
        if ranking is not None:
            ranking.remove(card)

    def _wake(self, now: float) -> None:
        """End the rests that are over."""
        while self._rests and self._rests[0][0] <= now:
            until, job_id = heapq.heappop(self._rests)
            # Another rest may have taken the place of this one.
            if self._resting.get(job_id) == until:
                card = self._jobs[job_id]
                self._take_down(card)
                del self._resting[job_id]
                self._hang_up(card)

    def _asker(self, offer: SlotOffer, now: datetime) -> Asker:
        return Asker(
            able=self._able(offer.capability),
            open_pack=offer.open_pack,
            cached_packs=offer.cached_packs,
            barred=offer.barred,
            works_for=frozenset(card.owner for card in self._held(offer)),
            now=now.timestamp(),
        )

    def _able(self, capability: Capability) -> set[int]:
        """Return the numbers of the needs that a kind of slot meets."""
        met, looked_at = self._met.get(capability, (set(), 0))
        if looked_at < len(self._needs):
            if len(self._met) >= REMEMBERED_SLOTS:
                self._met.clear()
            new = range(looked_at, len(self._needs))
            met.update(number for number in new if can_run(self._needs[number], capability))
            self._met[capability] = (met, len(self._needs))
        return met

    def _held(self, offer: SlotOffer) -> Iterator[JobCard]:
        """Yield the jobs that the slot works on."""
        return (self._jobs[job_id] for job_id in offer.holds if job_id in self._jobs)

    def _held_running(self, offer: SlotOffer) -> list[JobCard]:
        return [
            card
            for card in self._held(offer)
            if card.at_limit and not card.pending and card.open_frames and card.id not in self._resting
        ]


def _slots(count: int | None) -> str:
    return "1 slot" if count == 1 else f"{count} slots"
