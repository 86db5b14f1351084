"""What the coordinator does by itself, while it runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from coordinator.background.sweeper import Sweeper
from coordinator.keys import DATABASE, LIFETIME, STORE
from tests.conformance.farm import SetClock
from tests.integration.coordinator import ADMIN, RunningCoordinator


@pytest.mark.slow
async def test_the_frames_of_a_silent_agent_go_to_another(database_url: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"lease_seconds": 1.0, "report_seconds": 0.5, "offline_seconds": 1.0}
    async with RunningCoordinator(tmp_path / "data", database_url, **settings) as farm:
        job_id = await farm.submit("1")
        silent, other = await farm.agent("silent"), await farm.agent("other")
        lost = await silent.must_lease()
        await silent.report(lost, frame=1, progress=0.5)
        async with asyncio.timeout(60):
            grant = None
            while grant is None:
                grant = await other.lease(wait_seconds=25)
        assert grant.frames == [1]
        await other.render(grant, 1)
        late = await silent.call("PUT", f"leases/{lost.lease_id}/blobs/{'0' * 64}", b"x")
        assert (late.status, late.code) == (409, "lease_lost")
        job = await farm.job(job_id)
        assert (job["state"], job["finished"]) == ("completed", 1)
        [frame] = (await farm.ask("GET", f"jobs/{job_id}/frames"))["items"]
        assert (frame["attempts"], frame["agent"]) == (2, "other")


async def test_the_sweeper_forgets_sessions_that_have_ended(database_url: str, tmp_path: Path) -> None:
    clock = SetClock()
    async with RunningCoordinator(tmp_path / "data", database_url, clock=clock) as farm:
        reply = await farm.call("POST", "api/v1/session", token=None, json={"token": ADMIN})
        browser = {"Cookie": f"renderfarm_session={reply.cookies['renderfarm_session'].value}"}
        sweeper = Sweeper(farm.app[DATABASE], farm.app[STORE], farm.app[LIFETIME])
        await sweeper.run_once()
        await farm.ask("GET", "session", token=None, headers=browser)
        clock.advance(15 * 24 * 3600)
        await farm.refused("GET", "session", 401, "token_wrong", token=None, headers=browser)
        await sweeper.run_once()
        count = "SELECT count(*) FROM tokens WHERE kind = 'session'"
        assert await farm.app[DATABASE].read(lambda tx: tx.conn.exec_driver_sql(count).scalar_one()) == 0
