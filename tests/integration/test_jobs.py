"""Submitting, listing, looking at and steering jobs, users and agents over HTTP."""

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
        ({"render": {"scene": 5}}, "render.scene"),
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
    job = await farm.submit("1-4", chunk_frames=2)
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
    assert (await farm.ask("POST", f"jobs/{job}/cancel"))["state"] == "cancelled"
    shown = await farm.job(job)
    assert (shown["finished"], shown["state"]) == (1, "cancelled")
    await farm.refused("POST", f"jobs/{job}/pause", 409, "conflict")


async def test_a_job_is_steered_by_calls(farm: RunningCoordinator) -> None:
    job = await farm.submit("1-4")
    agent = await farm.agent()
    assert (await farm.ask("POST", f"jobs/{job}/pause"))["state"] == "paused"
    assert await agent.lease() is None
    changes = {"priority": 60, "frames": "1-2", "max_slots": 1, "needs": {"tags": [], "pool": None}}
    changed = await farm.ask("PATCH", f"jobs/{job}", json=changes)
    assert (changed["priority"], changed["frame_count"], changed["max_slots"]) == (60, 2, 1)
    assert (await farm.ask("POST", f"jobs/{job}/resume"))["state"] == "queued"
    grant = await agent.must_lease()
    await agent.render(grant, 1)
    requeued = await farm.ask("POST", f"jobs/{job}/requeue", json={"frames": "1"})
    assert (requeued["state"], requeued["finished"]) == ("running", 0)
    response = await farm.call("POST", f"api/v1/jobs/{job}/rerender", json={"frames": "7", "priority": 90})
    assert response.status == 201
    made = response.json
    assert response.headers["Location"] == f"/api/v1/jobs/{made['id']}"
    assert (made["frames"], made["priority"], made["pack"]) == ("7", 90, changed["pack"])
    after = await farm.submit("1", after=[made["id"]])
    assert (await farm.job(after))["state"] == "blocked"
    kinds = {event["kind"] for event in (await farm.ask("GET", f"jobs/{job}/events"))["items"]}
    assert {"paused", "queued", "changed", "reframed", "requeued"} <= kinds


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PATCH", "", {"priority": 101}, "priority"),
        ("PATCH", "", {"frames": "4-1"}, "frames"),
        ("PATCH", "", {"max_slots": 0}, "max_slots"),
        ("PATCH", "", {"needs": {"device": "TOASTER"}}, "needs.device"),
        ("PATCH", "", {"surprise": 1}, None),
        ("POST", "/requeue", {"frames": "2"}, "frames"),
        ("POST", "/rerender", {"frames": "x"}, "frames"),
        ("POST", "/rerender", {"render": {"scene": 5}}, "render.scene"),
    ],
)
async def test_a_bad_change_names_its_field(
    small_farm: RunningCoordinator, method: str, path: str, body: dict[str, Any], field: str | None
) -> None:
    job = await small_farm.submit("1")
    error = await small_farm.refused(method, f"jobs/{job}{path}", 422, "invalid", json=body)
    assert field is None or field in error["fields"], error


async def test_users_are_listed_and_limited(farm: RunningCoordinator) -> None:
    await farm.submit("1")
    [user] = (await farm.ask("GET", "users"))["items"]
    assert (user["max_slots"], user["slots"]) == (None, 0)
    limited = await farm.ask("PATCH", f"users/{user['name']}", json={"max_slots": 3})
    assert limited["max_slots"] == 3
    await farm.refused("PATCH", "users/no%20one", 404, "not_found", json={"max_slots": 3})
    await farm.refused("PATCH", f"users/{user['name']}", 422, "invalid", json={"max_slots": 0})


async def test_an_agent_is_reinstated(farm: RunningCoordinator) -> None:
    await farm.agent("ant")
    [listed] = (await farm.ask("GET", "agents"))["items"]
    assert (listed["set_aside"], listed["set_aside_jobs"]) == (None, [])
    assert (await farm.ask("POST", f"agents/{listed['id']}/reinstate"))["set_aside"] is None
    await farm.refused("POST", "agents/999/reinstate", 404, "not_found")


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
