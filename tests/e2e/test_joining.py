"""Machines that find their farm, join it by a code, and are taken back: real processes on a real network."""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.discovery import Found, find_coordinators
from coordinator.discovery import reachable_addresses
from tests.e2e.blender_scripts import make_scene
from tests.e2e.farm import Farm, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-joining")]

EVERY_NETWORK = "0.0.0.0"  # noqa: S104 - a farm of this test's


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """A farm without agents that other machines could reach, on a network with no other."""
    if not reachable_addresses(EVERY_NETWORK):
        pytest.skip("this machine has no network")
    if asyncio.run(find_coordinators(1.0)):
        pytest.skip("another farm announces itself on this network")
    farm = Farm(tmp_path, host=EVERY_NETWORK)
    try:
        farm.start_coordinator()
        yield farm
        print(farm.logs())  # noqa: T201 - shown by pytest only when something failed
    finally:
        farm.stop()


def start(farm: Farm, label: str, *options: str) -> subprocess.Popen[bytes]:
    """Start an agent that is told nothing but these options; return once it has joined."""
    ready = farm.folder / f"{label}.ready"
    ready.unlink(missing_ok=True)
    process = farm._spawn(label, ["agent", "--ready-file", str(ready), *options], HOME=str(farm.folder / "home"))
    farm.agents[label] = process
    wait_until(lambda: ready.exists() or None, f"{label} joined", process)
    return process


def agents(farm: Farm) -> dict[str, dict[str, Any]]:
    """Return the agents by name."""
    return {agent["name"]: agent for agent in farm.json("agents")["items"]}


def test_machines_find_their_coordinator_join_by_a_code_and_name_themselves(farm: Farm) -> None:
    def announced() -> Found | None:
        return next(iter(asyncio.run(find_coordinators(1.0))), None)

    found = wait_until(announced, "the coordinator was announced")
    assert found.url.endswith(f":{farm.port}")
    assert found.url in farm.run("discover").stdout
    host = socket.gethostname()
    first_code = farm.json("join-code")["code"]
    start(farm, "first", "--join-code", first_code)
    start(farm, "second", "--join-code", farm.json("join-code")["code"])
    joined = agents(farm)
    assert set(joined) == {host, f"{host}-2"}
    # The second one is who it was when it starts again, without any code.
    farm.agents["second"].terminate()
    assert farm.agents["second"].wait(60) == 0
    start(farm, "second")
    again = agents(farm)
    assert {name: agent["id"] for name, agent in again.items()} == {name: agent["id"] for name, agent in joined.items()}
    # A code that was used lets no one in, and says so.
    late = farm.run("agent", "--dir", str(farm.folder / "third"), "--join-code", first_code)
    assert late.returncode == 1
    assert "was used already" in late.stderr
    assert "Traceback" not in late.stderr


def test_an_agent_that_is_stopped_drops_its_frame_and_nothing_is_counted(farm: Farm, tmp_path: Path) -> None:
    farm.start_agent("ada")
    blend = make_scene(tmp_path / "scene", frames=[1, 4], resolution=[160, 90], samples=400)
    job = farm.json("submit", str(blend), "--no-video")["id"]
    farm.wait_for_job(job, lambda it: any(slot["stage"] == "rendering" for slot in it["slots"]), "a frame was begun")
    assert farm.json("stop-agent", "ada")["presence"] == "drained"
    stopped = farm.job(job)
    assert stopped["slots"] == []
    assert "paused" in stopped["waiting"]
    farm.json("resume-agent", "ada")
    done = farm.json("wait", str(job))
    assert (done["state"], done["finished"]) == ("completed", 4)
    assert all(frame["attempts"] == 1 for frame in farm.json("show", str(job), "--frames")["frames"])
