"""Two coordinators on one PostgreSQL and one folder: what one is told, the other knows."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coordinator.http import work
from coordinator.keys import KNOWN_CALLERS
from tests.conformance.postgres import Server
from tests.integration.coordinator import RunningCoordinator
from tests.integration.test_rendering import ended
from tests.integration.test_waiting import waits

pytestmark = pytest.mark.slow

Pair = tuple[RunningCoordinator, RunningCoordinator]


@pytest.fixture
async def pair(
    postgres: Server, postgres_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Pair]:
    """Both of them; what wakes those who wait is that something happened, not that they are asked for again anyway."""
    monkeypatch.setattr(work, "ASK_AGAIN_SECONDS", 1000.0)
    name = await asyncio.to_thread(postgres.create, postgres_template)
    url = postgres.url(name)
    async with RunningCoordinator(tmp_path / "data", url) as one, RunningCoordinator(tmp_path / "data", url) as other:
        yield one, other
    await asyncio.to_thread(postgres.drop, name)


async def test_work_given_to_one_is_done_through_the_other(pair: Pair) -> None:
    one, other = pair
    agent = await other.agent()
    asking = asyncio.create_task(agent.lease(wait_seconds=25))
    job_id = await one.submit("1-4", video=True)
    grant = await asking
    assert grant is not None
    for frame in grant.frames:
        await agent.render(grant, frame)
    await agent.render_everything()
    assert (await ended(other, job_id))["state"] == "completed"
    film = await one.call("GET", f"api/v1/jobs/{job_id}/video")
    assert film.data[4:8] == b"ftyp"


async def test_all_who_wait_at_both_get_one_frame_each(pair: Pair) -> None:
    agents = [await pair[number % 2].agent(f"agent {number}") for number in range(20)]
    asking = [asyncio.create_task(agent.lease(wait_seconds=25)) for agent in agents]
    for farm in pair:
        await waits(farm, 10)
    await pair[0].submit("1-20", chunk_frames=1)
    grants = await asyncio.gather(*asking)
    assert sorted(frame for grant in grants if grant is not None for frame in grant.frames) == list(range(1, 21))


async def test_a_token_revoked_at_one_is_wrong_at_the_other(pair: Pair) -> None:
    one, other = pair
    made = await one.ask("POST", "tokens", status=201, json={"kind": "admin", "name": "script"})
    # So long that it is the news that counts.
    other.app[KNOWN_CALLERS]._seconds = 1000.0
    await other.ask("GET", "jobs", token=made["token"])
    await one.ask("DELETE", f"tokens/{made['id']}", status=204)
    async with asyncio.timeout(20):
        while (await other.call("GET", "api/v1/jobs", token=made["token"])).status == 200:
            pass
    await other.refused("GET", "jobs", 401, "token_wrong", token=made["token"])
