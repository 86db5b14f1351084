"""The list of jobs: filters, search, orders and pages, alike on every database."""

import itertools
from datetime import timedelta

import pytest

from coordinator.domain.model import JobState
from coordinator.domain.searching import search_words
from coordinator.protocol import ErrorCode
from coordinator.services import adjust, job_list
from coordinator.services.errors import Refused
from coordinator.services.job_list import JobFilter, JobOrder
from coordinator.services.schemas import JobChange
from tests.conformance.farm import Farm


async def listed(farm: Farm, wanted: JobFilter = JobFilter(), order: JobOrder = JobOrder.NEWEST) -> list[int]:  # noqa: B008 - frozen
    """Return the ids of all jobs that are wanted, read two at a time."""
    ids: list[int] = []
    cursor = None
    while True:
        page = await farm.database.read(job_list.list_jobs, wanted, 2, cursor, order)
        assert len(page.items) <= 2
        ids += [job.id for job in page.items]
        cursor = page.next
        if cursor is None:
            return ids


async def test_every_order_in_pages(farm: Farm) -> None:
    made = [
        (await farm.submit("1", name=name, priority=priority)).id
        for name, priority in (("beta", 10), ("Alpha", 90), ("beta", 50), ("gamma", 50), ("älpha", 10))
    ]
    one, two, three, four, five = made
    assert await listed(farm) == made[::-1]
    assert await listed(farm, order=JobOrder.OLDEST) == made
    assert await listed(farm, order=JobOrder.PRIORITY) == [two, four, three, five, one]
    by_name = await listed(farm, order=JobOrder.NAME)
    # Without regard to capitals and accents, alike on every database.
    assert by_name == [two, five, one, three, four]
    await farm.cancel(three)
    farm.clock.now += timedelta(seconds=1)
    await farm.cancel(one)
    assert await listed(farm, order=JobOrder.ENDED) == [one, three]


async def test_jobs_are_found_by_words_of_their_name_user_and_file(farm: Farm) -> None:
    harbour = await farm.submit("1", name="Harbour at NIGHT 100%", by="Ana")
    forest = await farm.submit("1", name="Forest_020", by="ben")
    for text, found in {
        "harb": [harbour.id],
        "night harbour": [harbour.id],
        "ana night": [harbour.id],
        "ben night": [],
        "STRASSE": [],
        "100%": [harbour.id],
        "_": [forest.id],
        "scene.blend": [forest.id, harbour.id],
        "": [forest.id, harbour.id],
    }.items():
        assert await listed(farm, JobFilter(words=search_words(text))) == found, text
    await farm.database.write(adjust.adjust, forest.id, JobChange(name="Café Mañana"), "ben")
    for text in ("cafe manana", "CAFÉ", "man\u0303ana"):
        assert await listed(farm, JobFilter(words=search_words(text))) == [forest.id], text
    await farm.database.write(adjust.adjust, forest.id, JobChange(name="Straße"), "ben")
    assert await listed(farm, JobFilter(words=search_words("strasse scene"))) == [forest.id]
    assert [job.id for job in (await farm.database.read(job_list.job_of_number, forest.id)).items] == [forest.id]
    assert (await farm.database.read(job_list.job_of_number, 99)).items == []


async def test_every_filter_goes_with_every_order(farm: Farm) -> None:
    start = farm.clock.now
    for number in range(6):
        job = await farm.submit("1", by=("ana", "ben")[number % 2])
        if number < 3:
            await farm.cancel(job.id)
        farm.clock.now += timedelta(days=1)
    filters = {
        JobFilter(states=(JobState.CANCELLED,)): {1, 2, 3},
        JobFilter(states=(JobState.CANCELLED, JobState.QUEUED), user="ben"): {2, 4, 6},
        JobFilter(user="nobody"): set(),
        JobFilter(since=start + timedelta(days=2)): {3, 4, 5, 6},
        JobFilter(since=start + timedelta(days=1), until=start + timedelta(days=3)): {2, 3},
        JobFilter(words=("ana",), states=(JobState.QUEUED,)): {5},
    }
    for (wanted, found), order in itertools.product(filters.items(), JobOrder):
        expected = {job for job in found if job <= 3} if order is JobOrder.ENDED else found
        assert set(await listed(farm, wanted, order)) == expected, (wanted, order)


async def test_a_cursor_stays_good_when_its_job_changes_and_is_refused_where_it_means_nothing(farm: Farm) -> None:
    for priority in (90, 80, 70):
        await farm.submit("1", priority=priority)
    first = await farm.database.read(job_list.list_jobs, JobFilter(), 1, None, JobOrder.PRIORITY)
    await farm.database.write(adjust.adjust, first.items[0].id, JobChange(priority=0), "ana")
    second = await farm.database.read(job_list.list_jobs, JobFilter(), 1, first.next, JobOrder.PRIORITY)
    assert [job.priority for job in second.items] == [80]
    for bad in ("x", "9" * 40, "ü", "W10", first.next):
        with pytest.raises(Refused) as caught:
            await farm.database.read(job_list.list_jobs, JobFilter(), 3, bad, JobOrder.NAME)
        assert caught.value.code == ErrorCode.INVALID
