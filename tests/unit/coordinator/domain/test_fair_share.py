"""The farm is shared over time: users, their jobs, priorities, waiting, open scenes."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from coordinator.domain.board import Board
from coordinator.domain.fair_share import AGING_SECONDS, CACHED_SECONDS, WARM_SECONDS
from coordinator.domain.model import Job, User
from tests.unit.coordinator.domain.boards import OFFER, a_board, a_user
from tests.unit.coordinator.domain.records import a_job, at


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
