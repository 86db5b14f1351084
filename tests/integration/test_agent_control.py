"""Agents are drained, stopped, let work again and sent away over HTTP."""

from coordinator.protocol import ReportRequest, Stage
from tests.integration.coordinator import RunningCoordinator


async def test_a_stopped_agent_hears_it_with_its_next_report(small_farm: RunningCoordinator) -> None:
    agent = await small_farm.agent("ant")
    job = await small_farm.submit("1-2")
    grant = await agent.must_lease()
    await agent.report(grant, stage=Stage.RENDERING, frame=1)
    [shown] = (await small_farm.ask("GET", "agents"))["items"]
    assert shown["presence"] == "working"
    stopped = await small_farm.ask("POST", f"agents/{shown['id']}/stop")
    assert stopped["presence"] == "drained"
    report = ReportRequest(stage=Stage.RENDERING, frame=1)
    assert (await agent.call("POST", f"leases/{grant.lease_id}/report", report)).code == "lease_lost"
    assert (await small_farm.job(job))["slots"] == []


async def test_an_agent_is_sent_away_and_taken_off_the_list(small_farm: RunningCoordinator) -> None:
    agent = await small_farm.agent("ant")
    [shown] = (await small_farm.ask("GET", "agents"))["items"]
    await small_farm.refused("DELETE", f"agents/{shown['id']}", 409, "conflict")
    await small_farm.ask("DELETE", f"agents/{shown['id']}/credential", status=204)
    assert (await agent.call("POST", "leave")).code == "token_wrong"
    await small_farm.ask("DELETE", f"agents/{shown['id']}", status=204)
    assert (await small_farm.ask("GET", "agents"))["items"] == []
    for method, path in (("POST", "drain"), ("POST", "resume"), ("POST", "stop"), ("DELETE", "credential")):
        await small_farm.refused(method, f"agents/99/{path}", 404, "not_found")
    await small_farm.refused("DELETE", "agents/99", 404, "not_found")
