"""Two coordinators on one PostgreSQL and one folder: what one is told, the other knows."""

import asyncio
from pathlib import Path

import pytest

from tests.conformance.postgres import Server
from tests.integration.coordinator import RunningCoordinator
from tests.integration.test_rendering import ended


@pytest.mark.slow
async def test_work_given_to_one_is_done_through_the_other(
    postgres: Server, postgres_template: str, tmp_path: Path
) -> None:
    name = await asyncio.to_thread(postgres.create, postgres_template)
    url = postgres.url(name)
    async with RunningCoordinator(tmp_path / "data", url) as one, RunningCoordinator(tmp_path / "data", url) as other:
        agent = await other.agent()
        asking = asyncio.create_task(agent.lease(wait_seconds=25))
        job_id = await one.submit("1-4", video=True)
        async with asyncio.timeout(15):
            grant = await asking
        assert grant is not None
        for frame in grant.frames:
            await agent.render(grant, frame)
        await agent.render_everything()
        assert (await ended(other, job_id))["state"] == "completed"
        film = await one.call("GET", f"api/v1/jobs/{job_id}/video")
        assert film.data[4:8] == b"ftyp"
    await asyncio.to_thread(postgres.drop, name)
