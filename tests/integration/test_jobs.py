"""Submitting, listing, looking at and cancelling jobs."""

from typing import Any

import pytest

from coordinator.protocol import ReportRequest, Stage
from tests.integration.coordinator import RunningCoordinator


async def test_a_job_is_shown_as_it_was_asked_for(farm: RunningCoordinator) -> None:
    request = await farm.request("1-100x5", priority=70, warnings=["One texture is missing."])
    response = await farm.call("POST", "api/v1/jobs", json=request)
    assert response.status == 201
    job = response.json
    assert response.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["state"], job["frame_count"], job["priority"], job["name"]) == ("queued", 20, 70, "Shot 010")
    assert "One texture is missing." in job["warnings"]
    assert job["created_at"].endswith("Z")
    shown = await farm.job(job["id"])
    assert shown["failures"] == []
    assert shown["slots"] == []
    history = await farm.ask("GET", f"jobs/{job['id']}/events")
    assert [event["message"] for event in history["items"]], "its submission is the first line of its history"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"frames": "10-1"}, "frames"),
        ({"frames": "1-5,3"}, "frames"),
        ({"frames": "1-"}, "frames"),
        ({"frames": ""}, "frames"),
        ({"priority": 101}, "priority"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"pack": "no digest"}, "pack"),
        ({"render": {}}, "render.scene"),
        ({"render": {"scene": "Scene", "samples": 0}}, "render.samples"),
        ({"output": {"format": "TIFF"}}, "output.format"),
        ({"output": {"format": "PNG", "fps": 0}}, "output.fps"),
        ({"output": {"format": "PNG", "fps": 1e-300}}, "output.fps"),
        ({"max_retries": -1}, "max_retries"),
        ({"surprise": 1}, None),
    ],
)
async def test_a_bad_request_names_its_field(
    small_farm: RunningCoordinator, change: dict[str, Any], field: str | None
) -> None:
    error = await small_farm.refused("POST", "jobs", 422, "invalid", json=await small_farm.request() | change)
    assert field is None or field in error["fields"], error
    assert (await small_farm.ask("GET", "jobs"))["items"] == []


async def test_lists_are_paged(farm: RunningCoordinator) -> None:
    ids = [await farm.submit("1") for _ in range(5)]
    first = await farm.ask("GET", "jobs?limit=2")
    second = await farm.ask("GET", f"jobs?limit=2&cursor={first['next']}")
    third = await farm.ask("GET", f"jobs?limit=2&cursor={second['next']}")
    assert [job["id"] for page in (first, second, third) for job in page["items"]] == ids[::-1]
    assert third["next"] is None
    await farm.ask("POST", f"jobs/{ids[0]}/cancel")
    cancelled = await farm.ask("GET", "jobs?state=cancelled,failed")
    assert [job["id"] for job in cancelled["items"]] == [ids[0]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1&limit=2",
        "cursor=x",
        "state=sleeping",
        "stat=running",
        "cursor=" + "9" * 300,
    ],
)
async def test_a_bad_query_is_a_sentence(small_farm: RunningCoordinator, query: str) -> None:
    await small_farm.refused("GET", f"jobs?{query}", 422, "invalid")


async def test_cancelling_takes_the_work_from_its_agent(farm: RunningCoordinator) -> None:
    job = await farm.submit("1-4")
    agent = await farm.agent()
    grant = await agent.must_lease()
    await agent.render(grant, grant.frames[0])
    result = await agent.result(grant, b"anything")
    answer = await farm.ask("POST", f"jobs/{job}/cancel")
    assert answer["state"] == "cancelled"
    for reply in (
        await agent.hand_in(grant, grant.frames[1], result),
        await agent.call("POST", f"leases/{grant.lease_id}/report", ReportRequest(stage=Stage.RENDERING)),
        await agent.call("PUT", f"leases/{grant.lease_id}/blobs/{'0' * 64}", b"x"),
    ):
        assert (reply.status, reply.code) == (409, "lease_lost")
    assert await agent.lease() is None
    await farm.refused("POST", f"jobs/{job}/cancel", 409, "conflict")
    shown = await farm.job(job)
    assert (shown["finished"], shown["state"]) == (1, "cancelled")


async def test_agents_are_listed_with_what_they_do(farm: RunningCoordinator) -> None:
    job = await farm.submit("1-4")
    agent = await farm.agent("ant")
    [idle] = (await farm.ask("GET", "agents"))["items"]
    assert (idle["name"], idle["state"]) == ("ant", "online")
    assert idle["slots"][0]["job"] is None
    grant = await agent.must_lease()
    await agent.report(grant, frame=grant.frames[0], progress=0.5, remaining_seconds=7.0)
    [busy] = (await farm.ask("GET", "agents"))["items"]
    slot = busy["slots"][0]
    assert (slot["job"], slot["frame"], slot["progress"], slot["remaining_seconds"]) == (job, grant.frames[0], 0.5, 7.0)
    shown = await farm.job(job)
    assert shown["slots"][0]["agent"] == "ant"
    assert (await agent.call("POST", "leave")).status == 204
    assert (await farm.ask("GET", "agents"))["items"][0]["state"] == "left"
    assert (await farm.job(job))["slots"] == []
