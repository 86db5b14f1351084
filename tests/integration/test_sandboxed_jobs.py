"""Who may have a file's Python run, and where; which agents are taken; and the files that scenes write themselves."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from coordinator.protocol import ExtraFile
from tests.fakes.fake_agent import FakeAgent, picture
from tests.integration.coordinator import JOIN, RunningCoordinator

SCRIPTED = {"scene": "Scene", "allow_scripts": True}


async def test_scripts_run_for_those_who_may_and_in_sandboxes_only(farm: RunningCoordinator) -> None:
    request = await farm.request("1", render=SCRIPTED)
    error = await farm.refused("POST", "jobs", 422, "invalid", json=request)
    assert "may not run the Python" in error["fields"]["render.allow_scripts"]
    me = (await farm.ask("GET", "session"))["name"]
    assert (await farm.ask("PATCH", f"users/{me}", json={"scripts": True}))["scripts"]
    open_agent = await farm.agent("open")
    job = await farm.ask("POST", "jobs", status=201, json=request)
    assert job["needs"]["sandbox"]
    assert any("sandbox" in warning for warning in job["warnings"])
    assert await open_agent.lease() is None
    assert "sandbox" in (await farm.job(job["id"]))["waiting"]
    # A change of its needs does not let it out.
    assert (await farm.ask("PATCH", f"jobs/{job['id']}", json={"needs": {"sandbox": False}}))["needs"]["sandbox"]
    shut = FakeAgent(farm.session, farm.url, JOIN, "shut")
    await shut.register(sandboxed=True)
    grant = await shut.must_lease()
    assert grant.job.render.allow_scripts
    agents = {agent["name"]: agent["sandboxed"] for agent in (await farm.ask("GET", "agents"))["items"]}
    assert agents == {"open": False, "shut": True}
    await farm.ask("PATCH", f"users/{me}", json={"scripts": False})
    await farm.refused("POST", "jobs", 422, "invalid", json=request)
    await farm.refused("PATCH", "users/nobody", 404, "not_found", json={"scripts": True})


async def test_what_a_scene_writes_itself_is_kept_and_handed_out(farm: RunningCoordinator) -> None:
    job = await farm.submit("1-2")
    agent = await farm.agent()
    grant = await agent.must_lease()
    depth = await agent.upload(grant, b"depth")
    result = await agent.result(grant, picture(1))
    files = [ExtraFile(path="passes/depth 1.exr", file=depth), ExtraFile(path="mask.png", file=depth)]
    assert (await agent.hand_in(grant, 1, replace(result, extras=files))).status == 201
    listed = (await farm.ask("GET", f"jobs/{job}/frames/1/files"))["items"]
    assert [(file["path"], file["size"], file["sha256"]) for file in listed] == [
        ("mask.png", 5, depth.sha256),
        ("passes/depth 1.exr", 5, depth.sha256),
    ]
    assert [frame["extras"] for frame in (await farm.ask("GET", f"jobs/{job}/frames"))["items"]] == [2]
    answer = await farm.call("GET", f"api/v1/jobs/{job}/frames/1/files/passes/depth%201.exr")
    assert (answer.status, answer.data) == (200, b"depth")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    await farm.refused("GET", f"jobs/{job}/frames/1/files/passes/other.exr", 404, "not_found")
    # Rendered anew, it is another frame.
    await farm.ask("POST", f"jobs/{job}/requeue", json={"frames": "1"})
    await farm.refused("GET", f"jobs/{job}/frames/1/files", 404, "not_found")
    await agent.render_everything()
    assert (await farm.job(job))["finished"] == 2
    assert (await farm.ask("GET", f"jobs/{job}/frames/1/files"))["items"] == []


@pytest.mark.parametrize(
    "paths", [["../up.png"], ["/etc/passwd"], ["a\\b"], ["con.png"], ["a.png", "A.png"]], ids=lambda paths: paths[0]
)
async def test_paths_that_would_leave_the_folder_are_refused(farm: RunningCoordinator, paths: list[str]) -> None:
    await farm.submit("1")
    agent = await farm.agent()
    grant = await agent.must_lease()
    file = await agent.upload(grant, b"depth")
    result = replace(await agent.result(grant, picture(1)), extras=[ExtraFile(path=path, file=file) for path in paths])
    answer = await agent.hand_in(grant, 1, result)
    assert (answer.status, answer.code) == (422, "invalid")


async def test_a_farm_may_refuse_agents_without_a_sandbox(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'farm.db'}"
    async with RunningCoordinator(tmp_path / "data", database, require_sandbox=True) as farm:
        agent = FakeAgent(farm.session, farm.url, JOIN, "open")
        with pytest.raises(AssertionError, match="bubblewrap is not installed; mend that"):
            await agent.register(unsandboxed_because="bubblewrap is not installed.")
        await agent.register(sandboxed=True)
