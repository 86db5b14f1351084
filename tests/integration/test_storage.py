"""Deleting jobs and looking at the store over HTTP."""

from coordinator.background.sweeper import Sweeper
from coordinator.keys import DATABASE, LIFETIME, LIVE, STORE
from tests.integration.coordinator import RunningCoordinator


async def rendered(farm: RunningCoordinator, frames: str = "1-2") -> int:
    """Return a job that is completed."""
    job = await farm.submit(frames)
    agent = await farm.agent()
    await agent.render_everything()
    assert (await farm.job(job))["state"] == "completed"
    return job


async def test_a_job_loses_its_files_and_then_goes(farm: RunningCoordinator) -> None:
    job = await rendered(farm)
    shown = await farm.job(job)
    assert (shown["keep"], shown["files_swept_at"]) == (False, None)
    takes = await farm.ask("GET", f"jobs/{job}/storage")
    assert takes["bytes"] == takes["freed_bytes"] > 0
    assert (await farm.ask("PATCH", f"jobs/{job}", json={"keep": True}))["keep"]
    error = await farm.refused("DELETE", f"jobs/{job}/files", 409, "conflict")
    assert "is kept" in error["message"]
    await farm.ask("PATCH", f"jobs/{job}", json={"keep": False})
    assert await farm.ask("DELETE", f"jobs/{job}/files") == {"freed_bytes": takes["freed_bytes"]}
    for path in ("frames/1/output", "frames/1/preview", "frames/1/thumbnail", "frames.zip", "video"):
        error = await farm.refused("GET", f"jobs/{job}/{path}", 410, "files_gone")
        assert "were removed on" in error["message"]
    await farm.refused("POST", f"jobs/{job}/requeue", 410, "files_gone", json={"frames": "1"})
    assert (await farm.ask("GET", f"jobs/{job}/frames"))["items"] == []
    assert (await farm.job(job))["files_swept_at"] is not None
    assert await farm.ask("DELETE", f"jobs/{job}/files") == {"freed_bytes": 0}
    client = farm.app[LIVE].connect()
    await client.take(1.0)
    assert await farm.ask("DELETE", f"jobs/{job}") == {"freed_bytes": 0}
    told = b""
    while b"job_gone" not in told:
        told += await client.take(10.0)
    farm.app[LIVE].disconnect(client)
    await farm.refused("GET", f"jobs/{job}", 404, "not_found")
    assert (await farm.ask("GET", "jobs"))["items"] == []


async def test_what_has_not_ended_stays(farm: RunningCoordinator) -> None:
    job = await farm.submit("1-2")
    for path in (f"jobs/{job}", f"jobs/{job}/files"):
        error = await farm.refused("DELETE", path, 409, "conflict")
        assert "cancel it first" in error["message"]
    await farm.refused("DELETE", "jobs/99", 404, "not_found")
    await farm.ask("POST", f"jobs/{job}/cancel")
    await farm.ask("DELETE", f"jobs/{job}")


async def test_what_the_store_holds_and_for_whom(farm: RunningCoordinator) -> None:
    job = await rendered(farm)
    sweeper = Sweeper(farm.app[DATABASE], farm.app[STORE], farm.app[LIFETIME])
    await sweeper.retire()
    view = await farm.ask("GET", "storage?limit=1")
    assert 0 < view["disk_free_bytes"] < view["disk_total_bytes"]
    takes = await farm.ask("GET", f"jobs/{job}/storage")
    assert view["blob_bytes"] == takes["bytes"]
    assert view["jobs"] == [
        {"id": job, "name": "Shot 010", "user": "admin", "state": "completed", "keep": False, **takes}
    ]
    [user] = view["users"]
    assert (user["bytes"], user["quota_bytes"], user["jobs"]) == (takes["bytes"], None, 1)
    assert await farm.ask("POST", "storage/sweep", json={"dry_run": True}) == {"jobs": [], "freed_bytes": 0}
    quota = {"quota_bytes": 2**40}
    assert (await farm.ask("PATCH", "users/admin", json=quota))["quota_bytes"] == 2**40
    await farm.refused("PATCH", "users/admin", 422, "invalid", json={"quota_bytes": -1})
