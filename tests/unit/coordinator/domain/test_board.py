"""Who is next: the board against a plain sorter, shares over time, limits, and what people are told."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.board import Board, SlotOffer
from coordinator.domain.fair_share import AGING_SECONDS, CACHED_SECONDS, CREDIT_SECONDS, WARM_SECONDS
from coordinator.domain.fleet import Fleet
from coordinator.domain.matching import Capability, can_run, decode_needs, needs_of
from coordinator.domain.model import AgentState, Job, JobState, User
from tests.unit.coordinator.domain.records import GIB, a_job, an_agent, at

CPU = Capability(blender=405, ram_bytes=16 * GIB)
GPU = replace(CPU, device="OPTIX")
OFFER = SlotOffer(agent_id=1, slot=0, capability=CPU)
GPU_ONLY = '{"device": "GPU"}'


def a_board(*jobs: Job, users: tuple[User, ...] = ()) -> Board:
    board = Board()
    board.load(jobs, users, [an_agent()])
    return board


def a_user(name: str, vtime: float = 0.0, max_slots: int | None = None) -> User:
    return User(name=name, vtime=vtime, max_slots=max_slots)


class PlainSorter:
    """What the board does, by looking at everything each time."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.users: dict[str, User] = {}
        self.granted: dict[tuple[str, int], datetime] = {}

    def put(self, job: Job) -> None:
        works_still = job.state == JobState.PAUSED and job.slots
        if job.state not in (JobState.QUEUED, JobState.RUNNING) and not works_still:
            self.jobs.pop(job.id, None)
            return
        self.jobs[job.id] = job
        if job.granted_at is not None:
            key = (job.created_by, job.priority)
            self.granted[key] = max(job.granted_at, self.granted.get(key, job.granted_at))

    def candidates(self, offer: SlotOffer, now: datetime) -> list[int]:
        return self._order([job for job in self.jobs.values() if job.pending], offer, now)

    def running(self, offer: SlotOffer, now: datetime) -> list[int]:
        under_way = [job for job in self.jobs.values() if job.state == JobState.RUNNING and job.slots]
        jobs = [job for job in under_way if not job.pending and job.open_frames]
        return self._order(jobs, offer, now)

    def _order(self, jobs: list[Job], offer: SlotOffer, now: datetime) -> list[int]:
        able = [job for job in jobs if can_run(needs_of(job), offer.capability) and self._in_limits(job, offer)]
        top = max((job.priority for job in able), default=0)
        worth = {job.id: self._worth(job, offer) for job in able}
        queues: dict[tuple[int, str], list[Job]] = {}
        for job in sorted(able, key=lambda job: (job.vtime - worth[job.id], job.id)):
            if job.id not in offer.barred:
                queues.setdefault((self._priority(job, jobs, top, now), job.created_by), []).append(job)

        def rank(key: tuple[int, str]) -> tuple[float, ...]:
            head = queues[key][0]
            return (
                -key[0],
                self._vtime(head.created_by) - worth[head.id],
                head.vtime - worth[head.id],
                head.id,
            )

        order = []
        while queues:
            key = min(queues, key=rank)
            order.append(queues[key].pop(0).id)
            if not queues[key]:
                del queues[key]
        return order

    def _priority(self, job: Job, jobs: list[Job], top: int, now: datetime) -> int:
        if full(job):
            return job.priority
        group = [it for it in jobs if (it.created_by, it.priority) == (job.created_by, job.priority) and not full(it)]
        since = min(it.created_at for it in group)
        since = max(since, self.granted.get((job.created_by, job.priority), since))
        return max(job.priority, min(top, job.priority + int((now - since).total_seconds() // AGING_SECONDS)))

    def _in_limits(self, job: Job, offer: SlotOffer) -> bool:
        if full(job) and job.id not in offer.holds:
            return False
        user = self.users.get(job.created_by)
        if user is None or user.max_slots is None:
            return True
        slots = sum(it.slots for it in self.jobs.values() if it.created_by == user.name)
        held = (self.jobs[job_id].created_by for job_id in offer.holds if job_id in self.jobs)
        return slots < user.max_slots or user.name in held

    def _worth(self, job: Job, offer: SlotOffer) -> float:
        if job.pack_id == offer.open_pack:
            return WARM_SECONDS
        return CACHED_SECONDS if job.pack_id in offer.cached_packs else 0.0

    def _vtime(self, name: str) -> float:
        return self.users[name].vtime if name in self.users else 0.0


def full(job: Job) -> bool:
    return job.max_slots is not None and job.slots >= job.max_slots


USERS = st.sampled_from(["ana", "ben", "eve"])
#: Multiples of the worth of what slots have, so that there are ties.
VTIMES = st.integers(0, 15).map(lambda steps: steps * 20.0)
TIMES = st.integers(0, 8).map(lambda steps: at(steps * 2.5 * AGING_SECONDS))
PACKS = st.sampled_from(["wood", "sea", "sky"])
JOB_IDS = st.integers(1, 8)


@st.composite
def jobs_of_any_kind(draw: st.DrawFn) -> Job:
    state = draw(st.sampled_from([JobState.RUNNING] * 4 + [JobState.PAUSED]))
    pending = 0 if state == JobState.PAUSED else draw(st.sampled_from([0, 1, 50]))
    finished = draw(st.integers(0, 1))
    job = a_job(
        draw(JOB_IDS),
        created_by=draw(USERS),
        priority=draw(st.sampled_from([40, 45, 50])),
        needs=draw(st.sampled_from(["{}", GPU_ONLY, '{"device": "CPU"}', '{"ram_bytes": 1}'])),
        vtime=draw(VTIMES),
        created_at=draw(TIMES),
        granted_at=draw(st.none() | TIMES),
        state=state,
        pending=pending,
        finished=finished,
        slots=draw(st.integers(0, 2)),
        max_slots=draw(st.sampled_from([None, None, 1, 2])),
    )
    return replace(job, pack_id=draw(PACKS), frame_count=max(1, pending + finished + draw(st.integers(0, 1))))


OFFERS = st.builds(
    SlotOffer,
    agent_id=st.just(1),
    slot=st.just(0),
    capability=st.sampled_from([CPU, GPU]),
    open_pack=st.none() | PACKS,
    cached_packs=st.frozensets(PACKS),
    holds=st.frozensets(JOB_IDS, max_size=2),
    barred=st.frozensets(JOB_IDS, max_size=1),
)
CHANGES = st.one_of(
    *[jobs_of_any_kind()] * 4,
    JOB_IDS,
    st.builds(a_user, USERS, VTIMES, st.sampled_from([None, None, 2, 4])),
)


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(CHANGES, min_size=10, max_size=30), offers=st.lists(OFFERS, min_size=4, max_size=4), now=TIMES)
def test_the_board_orders_as_a_plain_sorter_does(
    changes: list[Job | int | User], offers: list[SlotOffer], now: datetime
) -> None:
    board, plain = a_board(), PlainSorter()
    for change in changes:
        if isinstance(change, User):
            board.put_user(change)
            plain.users[change.name] = change
        elif isinstance(change, int):
            board.remove_job(change)
            plain.jobs.pop(change, None)
        else:
            board.put_job(change)
            plain.put(change)
        assert board.candidates(offers[0], now, limit=100) == plain.candidates(offers[0], now)
    anew = Board()
    anew.load(plain.jobs.values(), plain.users.values(), [])
    for offer in offers:
        expected = plain.candidates(offer, now)
        helped = plain.running(offer, now)
        assert board.candidates(offer, now, limit=100) == expected
        assert board.candidates(offer, now, limit=2) == expected[:2]
        assert board.running(offer, now, limit=100) == helped
        assert board.has_work(offer, now) is bool(expected or helped)
        assert set(anew.candidates(offer, now, limit=100)) == set(expected)


@dataclass
class Farm:
    """Slots that take leases of jobs without end from a board, on a clock of their own."""

    board: Board
    jobs: dict[int, Job]
    users: dict[str, User]
    lease_seconds: Callable[[Job], float]
    load_seconds: float = 0.0

    def run(self, slots: int, until: float) -> list[tuple[float, int]]:
        """Return when which job was given a lease."""
        free = [(0.0, slot) for slot in range(slots)]
        packs: dict[int, str] = {}
        grants = []
        while free[0][0] < until:
            now, slot = heapq.heappop(free)
            offer = replace(OFFER, slot=slot, open_pack=packs.get(slot))
            job = self.jobs[self.board.candidates(offer, at(now))[0]]
            seconds = self.lease_seconds(job) + (0.0 if packs.get(slot) == job.pack_id else self.load_seconds)
            packs[slot] = job.pack_id
            grants.append((now, job.id))
            user = self.users[job.created_by]
            user = replace(user, vtime=user.vtime + seconds + self.board.forfeit(user.name))
            job = replace(job, vtime=job.vtime + seconds, granted_at=at(now))
            self.users[user.name], self.jobs[job.id] = user, job
            self.board.put_user(user)
            self.board.put_job(job)
            heapq.heappush(free, (now + seconds, slot))
        return grants


def a_farm(*jobs: Job, lease_seconds: Callable[[Job], float] = lambda _: 60.0, load_seconds: float = 0.0) -> Farm:
    users = {job.created_by: a_user(job.created_by) for job in jobs}
    board = a_board(*jobs, users=tuple(users.values()))
    return Farm(board, {job.id: job for job in jobs}, users, lease_seconds, load_seconds)


def test_a_user_with_a_hundred_jobs_gets_no_more_than_one_with_one() -> None:
    chance = random.Random(1)  # noqa: S311 - a simulation's dice
    jobs = [a_job(number, created_by="crowd" if number <= 100 else f"user {number}") for number in range(1, 120)]
    typical = {job.id: chance.choice([60.0, 90.0, 240.0]) for job in jobs}
    farm = a_farm(*jobs, lease_seconds=lambda job: typical[job.id] * chance.uniform(0.5, 1.5), load_seconds=20.0)
    farm.run(slots=16, until=15_000.0)
    given = {user.name: user.vtime for user in farm.users.values()}
    even = sum(given.values()) / len(given)
    assert len(given) == 20
    assert all(abs(vtime - even) <= 0.05 * even for vtime in given.values())
    # Among the hundred jobs the crowd's share is even as well, as far as single leases allow.
    crowd = [farm.jobs[number].vtime for number in range(1, 101)]
    assert max(crowd) - min(crowd) <= 240.0 * 1.5 + 20.0 + WARM_SECONDS


def test_the_lowest_priority_is_served_under_a_constant_load_of_the_highest() -> None:
    low = a_job(1, created_by="low", priority=0)
    high = [a_job(number, created_by=f"user {number}", priority=100) for number in range(2, 6)]
    grants = a_farm(low, *high).run(slots=1, until=220 * AGING_SECONDS)
    served = [when for when, job_id in grants if job_id == low.id]
    # A hundred steps of waiting lead to the band of the others, and there comes its turn.
    assert len(served) == 2
    for before, when in pairwise([0.0, *served]):
        assert 100 * AGING_SECONDS <= when - before <= 101 * AGING_SECONDS


def test_waiting_outweighs_priorities_but_not_shares() -> None:
    """One slot and frames longer than any patience: users of one priority still get equal times, not equal turns."""
    jobs = [a_job(1, created_by="long"), a_job(2, created_by="short")]
    farm = a_farm(*jobs, lease_seconds=lambda job: 3600.0 if job.id == 1 else 900.0)
    counts = Counter(job_id for _, job_id in farm.run(slots=1, until=100 * 3600.0))
    assert counts[2] == pytest.approx(4 * counts[1], abs=4)


def test_an_open_scene_is_preferred_and_starves_no_one() -> None:
    jobs = [a_job(1, created_by="ana"), a_job(2, created_by="ben"), a_job(3, created_by="ben")]
    farm = a_farm(*jobs, lease_seconds=lambda _: 30.0, load_seconds=20.0)
    order = [job_id for _, job_id in farm.run(slots=1, until=20_000.0)]
    switches = sum(before != after for before, after in pairwise(order))
    assert switches < len(order) / 3
    assert farm.users["ana"].vtime == pytest.approx(farm.users["ben"].vtime, abs=2 * WARM_SECONDS)
    assert farm.jobs[2].vtime == pytest.approx(farm.jobs[3].vtime, abs=2 * WARM_SECONDS)


def test_warm_comes_before_cached_and_both_before_cold_within_bounds() -> None:
    def order(vtime: float, **offer: object) -> list[int]:
        board = a_board(a_job(1, created_by="ana"), a_job(2, created_by="ben"))
        board.put_user(a_user("ben", vtime))
        return board.candidates(replace(OFFER, **offer), at(0))  # type: ignore[arg-type]  # fields by name

    assert order(1.0) == [1, 2]
    assert order(CACHED_SECONDS - 1, cached_packs=frozenset({"pack 2"})) == [2, 1]
    assert order(CACHED_SECONDS + 1, cached_packs=frozenset({"pack 2"})) == [1, 2]
    assert order(WARM_SECONDS - 1, open_pack="pack 2") == [2, 1]
    assert order(WARM_SECONDS + 1, open_pack="pack 2") == [1, 2]
    assert order(1.0, open_pack="pack 1", cached_packs=frozenset({"pack 2"})) == [1, 2]


def test_what_has_waited_joins_the_highest_priority_and_goes_no_further() -> None:
    board = a_board(
        a_job(1, created_by="ana", priority=50),
        a_job(2, created_by="ben", priority=51, created_at=at(20 * AGING_SECONDS)),
        users=(a_user("ana", 10.0), a_user("ben", 5.0)),
    )
    now = at(20 * AGING_SECONDS)
    assert board.candidates(OFFER, now) == [2, 1]
    board.put_user(a_user("ben", 15.0))
    assert board.candidates(OFFER, now) == [1, 2]


def test_an_open_scene_is_no_reason_where_the_slot_cannot_render_the_job() -> None:
    jobs = [a_job(1), replace(a_job(2, needs=GPU_ONLY), pack_id="pack 1")]
    assert a_board(*jobs).candidates(replace(OFFER, open_pack="pack 1"), at(0)) == [1]


def test_an_open_scene_does_not_overrule_priorities() -> None:
    board = a_board(a_job(1, priority=51), a_job(2, priority=50))
    assert board.candidates(replace(OFFER, open_pack="pack 2"), at(0)) == [1, 2]


def test_a_slot_at_work_goes_on_where_a_limit_is_reached() -> None:
    board = a_board(
        a_job(1, max_slots=2, slots=2, state=JobState.RUNNING), a_job(2), users=(a_user("ana", max_slots=3),)
    )
    assert board.candidates(OFFER, at(0)) == [2]
    assert board.candidates(replace(OFFER, holds=frozenset({1})), at(0)) == [1, 2]
    board.put_user(a_user("ana", max_slots=2))
    assert board.candidates(OFFER, at(0)) == []
    assert not board.has_work(OFFER, at(0))
    assert board.candidates(replace(OFFER, holds=frozenset({1})), at(0)) == [1, 2]
    assert board.has_work(replace(OFFER, holds=frozenset({1})), at(0))


def test_a_job_rests_from_fruitless_searches() -> None:
    board = a_board(a_job(1, pending=0, slots=1, state=JobState.RUNNING))
    board.rest(1, at(10))
    board.rest(2, at(10))  # it ended meanwhile
    board.rest(1, at(5))  # a later word counts
    assert board.running(OFFER, at(4)) == []
    assert not board.has_work(OFFER, at(4))
    board.put_job(a_job(1, pending=0, slots=1, finished=1, state=JobState.RUNNING))
    assert board.running(OFFER, at(4)) == []
    assert board.running(OFFER, at(5)) == [1]
    assert board.running(OFFER, at(11)) == [1]
    # What has frames to give is never at rest.
    board.rest(1, at(30))
    board.put_job(a_job(1, pending=1, slots=1, state=JobState.RUNNING))
    assert board.candidates(OFFER, at(11)) == [1]
    board.remove_job(1)
    assert board.running(OFFER, at(40)) == []


def test_a_slot_is_not_woken_for_what_it_must_not_take() -> None:
    board = a_board(a_job(1), a_job(2, max_slots=1, slots=1, state=JobState.RUNNING))
    offer = replace(OFFER, holds=frozenset({2}))
    assert board.has_work(replace(offer, barred=frozenset({1})), at(0))
    assert board.has_work(replace(offer, barred=frozenset({2})), at(0))
    assert not board.has_work(replace(offer, barred=frozenset({1, 2})), at(0))


def test_a_slot_that_helps_with_a_job_at_its_limit_rests_from_it_too() -> None:
    board = a_board(a_job(1, max_slots=2, slots=2, pending=0, state=JobState.RUNNING))
    offer = replace(OFFER, holds=frozenset({1}))
    assert board.running(offer, at(0)) == [1]
    board.rest(1, at(10))
    assert board.running(offer, at(9)) == []
    assert board.running(offer, at(10)) == [1]


def test_needs_that_were_never_seen_before_are_understood() -> None:
    board = a_board(a_job(1))
    assert board.candidates(OFFER, at(0)) == [1]
    board.put_job(a_job(2, needs='{"device": "CPU"}'))
    board.put_job(a_job(3, needs=GPU_ONLY))
    assert board.candidates(OFFER, at(0)) == [1, 2]


def test_a_board_is_loaded_anew_after_a_doubt() -> None:
    board = Board()
    assert not board.loaded
    board.load([a_job(1)], [], [])
    assert board.loaded
    board.invalidate()
    assert not board.loaded
    board.load([a_job(2)], [], [])
    assert board.candidates(OFFER, at(0)) == [2]


def test_who_joins_begins_beside_those_who_are_served() -> None:
    board = a_board(users=(a_user("ana", 900.0), a_user("ben", 5000.0), a_user("eve", 20.0)))
    # With no one there: behind the one who was given most, who may come back.
    assert board.user_floor("new") == 5000.0
    board.put_job(a_job(1, created_by="ben"))
    assert board.user_floor("new") == 5000.0
    board.put_job(a_job(2, created_by="ana"))
    assert board.user_floor("new") == 900.0
    # Ana's job waits for an agent that is not there: Ben is the one who is served.
    board.put_job(a_job(1, created_by="ben", slots=1, state=JobState.RUNNING))
    assert board.user_floor("new") == 5000.0
    assert board.user_floor("eve") == 5000.0
    assert board.user_floor("ana") == 0.0, "who waits keeps their place"
    board.remove_job(2)
    assert board.user_floor("ana") == 5000.0, "who comes back does not"


def test_a_new_job_begins_beside_those_of_its_owner_that_are_served() -> None:
    board = a_board(a_job(1, vtime=50.0), a_job(2, vtime=800.0, slots=1, state=JobState.RUNNING))
    assert board.job_floor("ana") == 800.0
    board.put_job(a_job(2, vtime=800.0))
    assert board.job_floor("ana") == 50.0
    assert board.job_floor("ben") == 0.0


def test_no_one_is_owed_without_bound() -> None:
    """Ben's slots were no one else's business; where he meets Ana again, she is not served alone for weeks."""
    board = a_board(
        a_job(1, created_by="ana"),
        a_job(2, created_by="ben", needs=GPU_ONLY),
        a_job(3, created_by="eve"),
        users=(a_user("ana"), a_user("ben", 1_000_000.0), a_user("eve", 5.0)),
    )
    assert board.candidates(OFFER, at(0)) == [1, 3]
    assert board.forfeit("ana") == 0.0, "Ben does not compete for this slot"
    board.put_job(a_job(2, created_by="ben"))
    board.put_job(a_job(3, created_by="eve"))
    assert board.candidates(OFFER, at(0)) == [1, 3, 2]
    assert board.forfeit("ana") == 1_000_000.0 - CREDIT_SECONDS
    assert board.forfeit("ben") == 0.0
    board.put_user(a_user("ana", 1_000_000.0 - CREDIT_SECONDS + 60.0))
    assert board.forfeit("ana") == 0.0


def test_the_fleet_is_what_can_work() -> None:
    board = Board()
    board.load(
        [],
        [],
        [
            an_agent(1, slots=2, speed=1.5),
            an_agent(2, slots=4, device="OPTIX"),
            an_agent(3, state=AgentState.OFFLINE),
            an_agent(4, set_aside="It failed.", set_aside_at=at(0)),
            an_agent(5, slots=1),
        ],
    )
    everyone, gpu = decode_needs("{}", 402), decode_needs(GPU_ONLY, 402)
    assert board.fleet(everyone) == Fleet(slots=7, speed=8.0, agents=3)
    assert board.fleet(gpu) == Fleet(slots=4, speed=4.0, agents=1)
    board.put_agent(an_agent(2, slots=4, device="OPTIX", speed=2.0))
    assert board.fleet(gpu).speed == 8.0
    board.put_agent(an_agent(2, device="OPTIX", state=AgentState.LEFT))
    board.put_agent(an_agent(4, slots=3))
    assert board.fleet(gpu) == Fleet(slots=0, speed=0, agents=0)
    assert board.fleet(everyone) == Fleet(slots=6, speed=7.0, agents=3)
    assert board.explain(gpu) == "It needs a GPU; the agents render with the CPU."
    assert board.explain(everyone) is None


@pytest.mark.parametrize(
    ("job", "others", "sentence"),
    [
        (a_job(), [], "It waits for a slot to be free."),
        (a_job(pending=0, slots=1, state=JobState.RUNNING), [], None),
        (a_job(slots=1, state=JobState.RUNNING), [], None),
        (a_job(slots=4, max_slots=4, state=JobState.RUNNING), [], "Its limit of 4 slots is reached."),
        (a_job(slots=1, max_slots=1, state=JobState.RUNNING), [], "Its limit of 1 slot is reached."),
        (
            a_job(),
            [a_job(2, slots=9, state=JobState.RUNNING)],
            "The limit of 9 slots for all jobs of ana is reached.",
        ),
        (a_job(needs=GPU_ONLY), [], "It needs a GPU; the agents render with the CPU."),
        (a_job(), [a_job(2, created_by="ben", priority=51)], "Higher priorities come first."),
        (a_job(), [a_job(2, created_by="ben", priority=50)], "It waits for a slot to be free."),
        # The other's owner may have no more slots.
        (
            a_job(),
            [a_job(2, created_by="ben", priority=51), a_job(3, created_by="ben", slots=2, state=JobState.RUNNING)],
            "It waits for a slot to be free.",
        ),
        # The other one waits for agents that would not render this one anyway.
        (a_job(), [a_job(2, created_by="ben", priority=51, needs=GPU_ONLY)], "It waits for a slot to be free."),
        (a_job(state=JobState.PAUSED), [], None),
    ],
)
def test_why_a_job_waits(job: Job, others: list[Job], sentence: str | None) -> None:
    board = a_board(job, *others, users=(a_user("ana", max_slots=9), a_user("ben", max_slots=2)))
    assert board.waiting(job.id, at(0)) == sentence


def test_why_a_job_waits_for_agents() -> None:
    board = Board()
    board.load([a_job(1)], [], [an_agent(1, state=AgentState.OFFLINE)])
    assert board.waiting(1, at(0)) == "No agent is online."
    aside = "The agents that could render it were set aside after failures."
    board.put_agent(an_agent(1, set_aside="It failed.", set_aside_at=at(0)))
    assert board.waiting(1, at(0)) == aside
    board.put_agent(an_agent(1))
    board.put_agent(an_agent(2))
    assert board.waiting(1, at(0), barred={1}) == "It waits for a slot to be free."
    assert board.waiting(1, at(0), barred={1, 2}) == aside
