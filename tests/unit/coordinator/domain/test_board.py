"""Who is next: the board against a plain sorter, shares over time, limits, and what people are told."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.board import Board, SlotOffer
from coordinator.domain.fair_share import AGING_SECONDS, CACHED_SECONDS, CREDIT_SECONDS, HELD_SECONDS, WARM_SECONDS
from coordinator.domain.fleet import Fleet
from coordinator.domain.matching import can_run, decode_needs, needs_of
from coordinator.domain.model import AgentState, Job, JobState, User
from tests.unit.coordinator.domain.boards import CPU, GPU, GPU_ONLY, OFFER, a_board, a_user
from tests.unit.coordinator.domain.records import a_job, an_agent, at


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
                self._place(head.created_by, offer) - worth[head.id],
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
        return self._slots(user.name) < user.max_slots or self._works_for(user.name, offer)

    def _slots(self, name: str) -> int:
        return sum(job.slots for job in self.jobs.values() if job.created_by == name)

    def _works_for(self, name: str, offer: SlotOffer) -> bool:
        return name in [self.jobs[job_id].created_by for job_id in offer.holds if job_id in self.jobs]

    def _worth(self, job: Job, offer: SlotOffer) -> float:
        if job.pack_id == offer.open_pack:
            return WARM_SECONDS
        return CACHED_SECONDS if job.pack_id in offer.cached_packs else 0.0

    def _place(self, name: str, offer: SlotOffer) -> float:
        vtime = self.users[name].vtime if name in self.users else 0.0
        return vtime + HELD_SECONDS * (self._slots(name) - self._works_for(name, offer))


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


def test_who_joins_begins_in_the_middle_of_those_who_are_served() -> None:
    board = a_board(users=(a_user("ana", 900.0), a_user("ben", 5000.0), a_user("eve", 20.0)))
    # With no one there: behind the one who was given most, who may come back.
    assert board.user_floor("new", {}) == 5000.0
    board.put_job(a_job(1, created_by="ben"))
    assert board.user_floor("new", {}) == 5000.0
    board.put_job(a_job(2, created_by="ana"))
    assert board.user_floor("new", {}) == (900.0 + 5000.0) / 2
    # Ana's job waits for an agent that is not there: Ben is the one who is served.
    board.put_job(a_job(1, created_by="ben", slots=1, state=JobState.RUNNING))
    assert board.user_floor("new", {}) == 5000.0
    assert board.user_floor("eve", {}) == 5000.0
    assert board.user_floor("ana", {}) == 0.0, "who waits keeps their place"
    board.remove_job(2)
    assert board.user_floor("ana", {}) == 5000.0, "who comes back does not"


def test_what_others_were_charged_ahead_is_no_debt_of_who_joins() -> None:
    board = a_board(a_job(1, created_by="ben", slots=1, state=JobState.RUNNING), users=(a_user("ben", 5000.0),))
    assert board.user_floor("new", {"ben": 600.0, "gone": 50.0}) == 4400.0


def test_users_contend_while_others_have_jobs_that_wait() -> None:
    board = a_board(a_job(1, created_by="ana"), a_job(2, created_by="ana"))
    assert not board.contested("ana")
    assert board.contested("ben")
    board.put_job(a_job(3, created_by="ben"))
    assert board.contested("ana")
    board.put_job(a_job(3, created_by="ben", slots=1, max_slots=1, state=JobState.RUNNING))
    assert not board.contested("ana"), "no slot can be given to Ben"
    board.remove_job(1)
    assert board.contested("ben")
    board.remove_job(2)
    assert not board.contested("ben")


def test_a_new_job_begins_beside_those_of_its_owner_that_are_served() -> None:
    board = a_board(a_job(1, vtime=50.0), a_job(2, vtime=800.0, slots=1, state=JobState.RUNNING))
    assert board.job_floor("ana") == 800.0
    board.put_job(a_job(2, vtime=800.0))
    assert board.job_floor("ana") == 425.0
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
            an_agent(6, resting="Someone is using this machine."),
            an_agent(7, drained=True),
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
        (a_job(), [], "It waits for a machine to be free."),
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
        (a_job(), [a_job(2, created_by="ben", priority=50)], "It waits for a machine to be free."),
        # The other's owner may have no more slots.
        (
            a_job(),
            [a_job(2, created_by="ben", priority=51), a_job(3, created_by="ben", slots=2, state=JobState.RUNNING)],
            "It waits for a machine to be free.",
        ),
        # The other one waits for agents that would not render this one anyway.
        (a_job(), [a_job(2, created_by="ben", priority=51, needs=GPU_ONLY)], "It waits for a machine to be free."),
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
    aside = "The agents that could render it were set aside."
    board.put_agent(an_agent(1, set_aside="It failed.", set_aside_at=at(0)))
    assert board.waiting(1, at(0)) == aside
    board.put_agent(an_agent(1))
    board.put_agent(an_agent(2))
    assert board.waiting(1, at(0), barred={1}) == "It waits for a machine to be free."
    assert board.waiting(1, at(0), barred={1, 2}) == aside
    for at_rest in (an_agent(1, resting="Outside its hours until 19:00."), an_agent(1, drained=True)):
        board.put_agent(at_rest)
        assert board.waiting(1, at(0), barred={2}) == (
            "The agents that could render it take no work just now: they rest, or are paused."
        )
