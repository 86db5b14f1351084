"""The thread that asks for jobs: when it lives, what it tells, and what it keeps to itself."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from addon.client import FarmError
from addon.connection import Connection
from addon.jobs_feed import LINGER_SECONDS, Heard, JobsFeed
from tests.unit.addon.test_farm_job import ANSWER

FARM = Connection("http://farm:8420", "rf_admin_a")
OTHER = Connection("http://other:8420", "rf_admin_b")


class FaultyFarm:
    """Stands in for the network: answers, or fails, as a test wants, and tells when it was asked."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.failure: Exception | None = None
        self.refusal: FarmError | None = None
        self.cancelled: list[int] = []
        self.answer: list[dict[str, Any]] = [ANSWER]

    def client(self, farm: Connection) -> Any:
        farm_stand_in = self

        class Client:
            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                pass

            def cancel(self, job_id: int) -> None:
                if farm_stand_in.refusal is not None:
                    raise farm_stand_in.refusal
                farm_stand_in.cancelled.append(job_id)

            def health(self) -> dict[str, Any]:
                return {"status": "ok", "version": "1"}

            def session(self) -> dict[str, Any]:
                return {"kind": "admin", "name": "ana"}

            def notifications(self) -> dict[str, Any]:
                return {"email": False, "webhooks": 0}

            def users(self) -> list[dict[str, Any]]:
                return [{"name": "ana", "max_slots": None, "slots": 0, "scripts": True}]

            def agents(self) -> list[dict[str, Any]]:
                return []

            def jobs(self) -> list[dict[str, Any]]:
                farm_stand_in.asked.release()
                assert farm_stand_in.may_answer.wait(10)
                if farm_stand_in.failure is not None:
                    raise farm_stand_in.failure
                return [{**job, "name": farm.host} for job in farm_stand_in.answer]

        return Client()


class Hands:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def farm() -> FaultyFarm:
    return FaultyFarm()


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def feed(farm: FaultyFarm, clock: Hands) -> Iterator[JobsFeed]:
    feed = JobsFeed(farm.client, clock)
    yield feed
    farm.may_answer.set()
    feed.stop(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "renderfarm-jobs"]


def heard(feed: JobsFeed, farm: FaultyFarm, enough: Callable[[Heard], bool]) -> Heard:
    """Have the feed ask until ``enough`` was heard."""
    for _ in range(1000):
        latest = feed.latest()
        if enough(latest):
            return latest
        feed.ask_now()
        farm.asked.acquire(timeout=0.1)
    raise AssertionError(f"never heard; the last was {feed.latest()}")


def test_nothing_is_asked_before_someone_follows(feed: JobsFeed, farm: FaultyFarm) -> None:
    feed.ask_now()
    assert feed.latest() == Heard()
    assert not farm.asked.acquire(timeout=0.05)


def test_jobs_are_heard_of_without_waiting_for_the_network(feed: JobsFeed, farm: FaultyFarm) -> None:
    farm.may_answer.clear()
    feed.follow(FARM)
    assert farm.asked.acquire(timeout=10)
    assert feed.latest() == Heard(FARM)
    farm.may_answer.set()
    assert [job.id for job in heard(feed, farm, lambda latest: latest.answered).jobs] == [7]


def test_jobs_stay_when_the_farm_stops_answering(feed: JobsFeed, farm: FaultyFarm) -> None:
    feed.follow(FARM)
    heard(feed, farm, lambda latest: bool(latest.jobs))
    farm.failure = FarmError("unreachable", "There is no coordinator.")
    trouble = heard(feed, farm, lambda latest: bool(latest.problem))
    assert trouble.problem == "There is no coordinator."
    assert [job.id for job in trouble.jobs] == [7]
    farm.failure = None
    assert heard(feed, farm, lambda latest: not latest.problem).answered


def test_who_is_turned_away_is_told_how_to_be_let_in(feed: JobsFeed, farm: FaultyFarm) -> None:
    feed.follow(FARM)
    farm.failure = FarmError("token_wrong", "This token is not known here.", "Make another in a terminal.")
    trouble = heard(feed, farm, lambda latest: latest.turned_away)
    assert trouble.problem == "This token is not known here. Press Connect… to be let in."
    farm.failure = None
    assert not heard(feed, farm, lambda latest: not latest.problem).turned_away


def test_an_answer_that_is_no_list_of_jobs_is_a_problem_in_words(feed: JobsFeed, farm: FaultyFarm) -> None:
    farm.answer = [{"id": 1}]
    feed.follow(FARM)
    assert "cannot be read" in heard(feed, farm, lambda latest: latest.answered).problem


def test_a_fault_of_our_own_is_told_too_and_does_not_end_the_news(feed: JobsFeed, farm: FaultyFarm) -> None:
    farm.failure = ZeroDivisionError("by zero")
    feed.follow(FARM)
    assert "Please report this as a bug" in heard(feed, farm, lambda latest: latest.answered).problem
    farm.failure = None
    assert heard(feed, farm, lambda latest: not latest.problem).jobs


def test_an_answer_of_the_former_farm_is_dropped(feed: JobsFeed, farm: FaultyFarm) -> None:
    farm.may_answer.clear()
    feed.follow(FARM)
    assert farm.asked.acquire(timeout=10)
    feed.follow(OTHER)
    farm.may_answer.set()
    latest = heard(feed, farm, lambda latest: latest.answered)
    assert latest.farm == OTHER
    assert [job.name for job in latest.jobs] == ["other:8420"]


def test_the_same_news_are_the_same_object(feed: JobsFeed, farm: FaultyFarm) -> None:
    feed.follow(FARM)
    first = heard(feed, farm, lambda latest: latest.answered)
    feed.ask_now()
    assert farm.asked.acquire(timeout=10)
    feed.stop(10)
    assert feed.latest() is first


def test_the_thread_ends_when_no_one_follows_and_begins_again(feed: JobsFeed, farm: FaultyFarm, clock: Hands) -> None:
    feed.follow(FARM)
    heard(feed, farm, lambda latest: latest.answered)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "renderfarm-jobs"]
    clock.now = LINGER_SECONDS + 1
    feed.ask_now()
    thread.join(10)
    assert not thread.is_alive()
    farm.answer = []
    feed.follow(FARM)
    assert heard(feed, farm, lambda latest: not latest.jobs).answered


def test_a_job_is_cancelled(feed: JobsFeed, farm: FaultyFarm) -> None:
    feed.follow(FARM)
    feed.carry_out(lambda client: client.cancel(7))
    heard(feed, farm, lambda latest: latest.answered and bool(farm.cancelled))
    assert farm.cancelled == [7]


def test_why_a_job_was_not_cancelled_is_told_until_the_next_one_is(feed: JobsFeed, farm: FaultyFarm) -> None:
    farm.refusal = FarmError("conflict", "The job has ended already.")
    feed.follow(FARM)
    feed.carry_out(lambda client: client.cancel(7))
    refused = heard(feed, farm, lambda latest: bool(latest.refusal))
    assert refused.refusal == "The job has ended already."
    assert not refused.problem
    farm.refusal = None
    feed.carry_out(lambda client: client.cancel(8))
    assert heard(feed, farm, lambda latest: not latest.refusal).answered
    assert farm.cancelled == [8]


def test_a_test_of_the_connection_shows_that_the_answer_is_awaited(feed: JobsFeed, farm: FaultyFarm) -> None:
    farm.failure = FarmError("unreachable", "There is no coordinator.")
    feed.follow(FARM)
    heard(feed, farm, lambda latest: bool(latest.problem))
    farm.may_answer.clear()
    feed.forget_answer()
    assert (feed.latest().answered, feed.latest().problem) == (False, "")
