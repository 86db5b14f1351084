"""Requests that wait: for work, and for what changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from coordinator.db.engine import Transaction
from coordinator.domain.timing import Timing
from coordinator.http import events as event_stream
from coordinator.http import work
from coordinator.keys import DATABASE, LIVE, TIMING, WORK
from coordinator.protocol import LeaseGrant, LeaseRequest
from coordinator.services import expiry, leases
from coordinator.services.changes import set_agent_aside
from tests.integration.coordinator import ADMIN, RunningCoordinator


async def waits(farm: RunningCoordinator, slots: int = 1) -> None:
    """Return when so many requests for work wait."""
    async with asyncio.timeout(30):
        while farm.app[WORK].waiting < slots:  # noqa: ASYNC110 - a request's progress sets no event
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _no_second_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What wakes those who wait is that something happened, and not that they are asked for again anyway."""
    monkeypatch.setattr(work, "ASK_AGAIN_SECONDS", 1000.0)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The agents that looked for work in the database, in their order."""
    seen: list[int] = []
    real = leases.lease

    def lease(tx: Transaction, agent_id: int, request: LeaseRequest, timing: Timing) -> LeaseGrant | None:
        seen.append(agent_id)
        return real(tx, agent_id, request, timing)

    monkeypatch.setattr(leases, "lease", lease)
    return seen


async def test_work_wakes_who_waits(farm: RunningCoordinator) -> None:
    agent = await farm.agent()
    asking = asyncio.create_task(agent.lease(wait_seconds=25))
    await waits(farm)
    job_id = await farm.submit("1-3")
    grant = await asking
    assert grant is not None
    assert grant.job.job_id == job_id


async def test_all_who_wait_get_something_of_it(farm: RunningCoordinator) -> None:
    agents = [await farm.agent(f"agent {number}") for number in range(5)]
    asking = [asyncio.create_task(agent.lease(wait_seconds=25)) for agent in agents]
    await waits(farm, 5)
    await farm.submit("1-100")
    grants = await asyncio.gather(*asking)
    frames = [frame for grant in grants if grant is not None for frame in grant.frames]
    assert all(grants)
    assert len(frames) == len(set(frames))


async def test_one_frame_is_looked_for_by_few_however_many_wait(farm: RunningCoordinator, looks: list[int]) -> None:
    agents = [await farm.agent(f"agent {number}") for number in range(50)]
    asking = [asyncio.create_task(agent.lease(wait_seconds=25)) for agent in agents]
    await waits(farm, 50)
    looks.clear()
    job_id = await farm.submit("1", hedge=False)
    done, others = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    (grant,) = [task.result() for task in done]
    assert grant is not None
    assert grant.job.job_id == job_id
    await waits(farm, 49)
    # The next ones may look whether they can help.
    assert len(looks) <= 5
    # They are not forgotten: one frame for each.
    await farm.submit("1-49", chunk_frames=1)
    async with asyncio.timeout(20):
        assert all(await asyncio.gather(*others))


@pytest.mark.parametrize("let_back", ["resume", "reinstate"])
async def test_an_agent_that_may_work_again_gets_work_at_once(farm: RunningCoordinator, let_back: str) -> None:
    agent = await farm.agent()
    [shown] = (await farm.ask("GET", "agents"))["items"]
    if let_back == "resume":
        drained = await farm.ask("POST", f"agents/{shown['id']}/drain")
        assert (drained["presence"], drained["drained"]) == ("drained", True)
    else:
        await farm.app[DATABASE].write(lambda tx: set_agent_aside(tx, shown["id"], "It failed."))
    await farm.submit("1-10")
    asking = asyncio.create_task(agent.lease(wait_seconds=25))
    await waits(farm)
    answer = await farm.ask("POST", f"agents/{shown['id']}/{let_back}")
    assert answer["drained"] is False
    async with asyncio.timeout(10):
        assert await asking is not None


async def test_work_for_others_is_not_looked_for(small_farm: RunningCoordinator, looks: list[int]) -> None:
    agent = await small_farm.agent()
    asking = asyncio.create_task(agent.lease(wait_seconds=25))
    await waits(small_farm)
    looks.clear()
    await small_farm.submit("1-10", needs={"tags": ["of no agent"]})
    assert looks == []
    assert small_farm.app[WORK].waiting == 1
    await small_farm.submit("1-10")
    assert await asking is not None
    assert len(looks) == 1


async def test_frames_that_are_given_back_wake_who_waits(farm: RunningCoordinator) -> None:
    await farm.submit("1")
    lost, other = await farm.agent("lost"), await farm.agent("other")
    await lost.must_lease()
    asking = asyncio.create_task(other.lease(wait_seconds=25))
    await waits(farm)
    assert (await lost.call("POST", "leave")).status == 204
    grant = await asking
    assert grant is not None
    assert grant.frames == [1]


async def test_no_work_is_204_after_the_wait(small_farm: RunningCoordinator) -> None:
    agent = await small_farm.agent()
    assert await agent.lease(wait_seconds=0.05) is None


async def test_who_hung_up_is_given_nothing(farm: RunningCoordinator) -> None:
    agent = await farm.agent()
    asking = asyncio.create_task(agent.lease(wait_seconds=25))
    await waits(farm)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    job_id = await farm.submit("1-3")
    async with asyncio.timeout(30):
        while farm.app[WORK].waiting:  # noqa: ASYNC110 - a request's progress sets no event
            await asyncio.sleep(0)
    job = await farm.job(job_id)
    assert job["state"] == "queued"
    assert (await agent.must_lease()).job.job_id == job_id


async def test_a_grant_that_got_lost_is_granted_again(farm: RunningCoordinator) -> None:
    await farm.submit("1-9")
    agent = await farm.agent()
    first = await agent.must_lease()
    again = await agent.must_lease()
    assert (again.lease_id, again.frames) == (first.lease_id, first.frames)
    other = await agent.must_lease(holds=[first.lease_id])
    assert other.lease_id != first.lease_id


async def test_stopping_answers_who_waits_at_once(small_farm: RunningCoordinator) -> None:
    agent = await small_farm.agent()
    asking = asyncio.create_task(agent.lease(wait_seconds=25))
    await waits(small_farm)
    async with stream(small_farm) as messages:
        assert (await anext(messages))[0] == "hello"
        async with asyncio.timeout(5):
            await small_farm.stop()
            assert await asking is None
            assert [name async for name, _ in messages if name != "hello"] == []
    await small_farm.start()


@asynccontextmanager
async def stream(farm: RunningCoordinator, token: str = ADMIN) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """Open the event stream; yields (event, data)."""

    async def messages() -> AsyncIterator[tuple[str, Any]]:
        name = ""
        async for line in response.content:
            if line.startswith(b"event: "):
                name = line.removeprefix(b"event: ").decode().strip()
            elif line.startswith(b"data: "):
                yield name, json.loads(line.removeprefix(b"data: "))
            elif line.startswith(b":"):
                yield "comment", None

    headers = {"Authorization": f"Bearer {token}"}
    async with farm.session.get(farm.url + "api/v1/events", headers=headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        yield messages()


async def test_what_changes_is_streamed(farm: RunningCoordinator) -> None:
    async with stream(farm) as messages, asyncio.timeout(30):
        assert (await anext(messages))[0] == "hello"
        job_id = await farm.submit("1")
        agent = await farm.agent("ant")
        await agent.render_everything()
        seen: dict[str, Any] = {}
        async for name, data in messages:
            seen[name] = data
            if "agent" in seen and seen.get("job", {}).get("state") == "completed":
                break
        assert seen["frame"].items() >= {"job": job_id, "frame": 1, "state": "finished", "agent": "ant"}.items()
        assert seen["agent"]["name"] == "ant"
        assert seen["job"]["id"] == job_id


async def test_changes_are_gathered(farm: RunningCoordinator) -> None:
    job_id = await farm.submit("1-500")
    agent = await farm.agent()
    grant = await agent.must_lease()
    async with stream(farm) as messages, asyncio.timeout(30):
        assert (await anext(messages))[0] == "hello"
        reports = 50
        for number in range(reports):
            await agent.report(grant, frame=grant.frames[0], progress=number / reports)
        await farm.ask("POST", f"jobs/{job_id}/cancel")
        shown = 0
        async for name, data in messages:
            shown += name == "job"
            if name == "job" and data["state"] == "cancelled":
                break
    assert shown <= reports / 2


async def test_a_quiet_stream_is_kept_open(small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.01)
    async with stream(small_farm) as messages:
        assert (await anext(messages))[0] == "hello"
        assert (await anext(messages))[0] == "comment"


async def test_a_revoked_token_sees_no_more(small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.01)
    monkeypatch.setattr(event_stream, "RECHECK_SECONDS", 0.05)
    made = await small_farm.ask("POST", "tokens", status=201, json={"kind": "admin", "name": "page"})
    async with stream(small_farm, made["token"]) as messages, asyncio.timeout(30):
        assert (await anext(messages))[0] == "hello"
        await small_farm.ask("DELETE", f"tokens/{made['id']}", status=204)
        async for _ in messages:
            pass


async def test_who_closes_the_stream_is_forgotten(
    small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.01)
    async with stream(small_farm) as messages:
        assert (await anext(messages))[0] == "hello"
        assert small_farm.app[LIVE].clients == 1
    async with asyncio.timeout(10):
        while small_farm.app[LIVE].clients:  # noqa: ASYNC110 - the connection's end sets no event
            await asyncio.sleep(0)


async def test_the_farm_goes_on_after_a_restart(farm: RunningCoordinator) -> None:
    """In the middle of a chunk: the agent keeps its lease, its token and its finished frames."""
    job_id = await farm.submit("1-12", chunk_frames=12)
    agent = await farm.agent()
    grant = await agent.must_lease()
    await agent.report(grant, frame=grant.frames[0], progress=0.1)
    await agent.render(grant, grant.frames[0])
    await farm.stop()
    await farm.start()
    agent.url = farm.url + "agent/v1/"
    await farm.app[DATABASE].write(expiry.reap, farm.app[TIMING])
    await agent.report(grant, frame=grant.frames[-1], progress=0.1)
    for frame in grant.frames[1:]:
        await agent.render(grant, frame)
    await agent.render_everything()
    job = await farm.job(job_id)
    assert (job["state"], job["finished"]) == ("completed", 12)
    events = (await farm.ask("GET", f"jobs/{job_id}/events?limit=200"))["items"]
    assert sum(event["kind"] == "attempt_failed" for event in events) == 0
