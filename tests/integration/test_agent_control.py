"""Agents are drained, stopped, set aside, labelled, let work again and sent away over HTTP."""

from coordinator.background.load_sampler import LoadSampler
from coordinator.keys import DATABASE, LOADS
from coordinator.protocol import GpuLoad, LeaseRequest, ReportRequest, Stage, Telemetry
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


async def test_an_agent_is_labelled_and_set_aside(small_farm: RunningCoordinator) -> None:
    await small_farm.agent("ant")
    [shown] = (await small_farm.ask("GET", "agents"))["items"]
    path = f"agents/{shown['id']}"
    labelled = await small_farm.ask("PATCH", path, json={"tags": ["quiet"], "pools": ["night"]})
    assert (labelled["tags"], labelled["farm_tags"]) == ([*shown["tags"], "quiet"], ["quiet"])
    assert labelled["farm_pools"] == ["night"]
    assert (await small_farm.ask("PATCH", path, json={"pools": []}))["farm_tags"] == ["quiet"]
    for bad in ({"tags": [""]}, {"tags": "quiet"}, {"drained": True}, {"pools": ["x"] * 65}):
        await small_farm.refused("PATCH", path, 422, "invalid", json=bad)
    for bad_reason in ({}, {"reason": ""}, {"reason": " "}):
        await small_farm.refused("POST", f"{path}/set-aside", 422, "invalid", json=bad_reason)
    aside = await small_farm.ask("POST", f"{path}/set-aside", json={"reason": "Its fan rattles."})
    assert aside["presence"] == "set_aside"
    assert aside["explanation"].endswith(" set it aside: Its fan rattles.")
    assert (await small_farm.ask("POST", f"{path}/reinstate"))["presence"] == "idle"
    await small_farm.refused("PATCH", "agents/99", 404, "not_found", json={"tags": []})
    await small_farm.refused("POST", "agents/99/set-aside", 404, "not_found", json={"reason": "x"})


async def test_how_cards_were_is_remembered_by_the_coordinator(small_farm: RunningCoordinator) -> None:
    agent = await small_farm.agent("ant")
    [shown] = (await small_farm.ask("GET", "agents"))["items"]
    await small_farm.submit("1-2")
    card = GpuLoad(name="RTX 4090", celsius=61.0, memory_used_bytes=2**30, memory_bytes=2**32)
    telemetry = Telemetry(gpus=[card, GpuLoad(name="silent")])
    await agent.call("POST", "leases", LeaseRequest(slot=0, blender=(4, 5, 15), telemetry=telemetry))
    await LoadSampler(small_farm.app[DATABASE], small_farm.app[LOADS]).run_once()
    [history] = (await small_farm.ask("GET", "agents/loads"))["items"]
    assert history["agent"] == shown["id"]
    assert history["cards"] == [
        {"celsius": [61.0], "utilization": [None], "memory": [0.25]},
        {"celsius": [None], "utilization": [None], "memory": [None]},
    ]
    assert (await small_farm.ask("GET", f"agents/loads?since={history['at'][0]}"))["items"] == []
    await small_farm.refused("GET", "agents/loads?since=-1", 422, "invalid")
