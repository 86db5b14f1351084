"""Processes that die at the worst moment: nothing rendered is lost, nothing is recorded twice."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa

from coordinator.db.engine import open_database
from tests.conformance.farm import SetClock
from tests.conformance.invariants import check_invariants
from tests.e2e.blender_scripts import make_scene
from tests.e2e.farm import Farm, running_farm, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-mishaps")]


@pytest.fixture
def start_farm(tmp_path: Path) -> Iterator[Callable[..., Farm]]:
    """Start a farm with the named agents; at the end stop it and check what must always be true of its database."""
    stack = []

    def start(*agents: str) -> Farm:
        context = running_farm(tmp_path / "farm", *agents)
        farm = context.__enter__()
        stack.append((context, farm))
        return farm

    yield start
    for context, farm in stack:
        context.__exit__(None, None, None)
        print(farm.logs())  # noqa: T201 - shown by pytest only when something failed
        asyncio.run(checked(farm.database))


async def checked(url: str) -> None:
    """Check what must always be true of a database."""
    database = await asyncio.to_thread(open_database, url, SetClock())
    try:
        await database.read(lambda tx: check_invariants(tx.conn))
    finally:
        await database.close()


def long_scene(folder: Path) -> Path:
    """A scene whose frames take long enough (about half a second) to be interrupted in the middle of a chunk."""
    return make_scene(folder, frames=[1, 12], resolution=[160, 90], samples=200)


def rendering_slot(job: dict[str, Any]) -> dict[str, Any] | None:
    return next((slot for slot in job["slots"] if slot["stage"] == "rendering"), None)


def submit_and_see_rendering(farm: Farm, blend: Path) -> tuple[int, dict[str, Any]]:
    """Submit ``blend``; return the job's id and the slot seen rendering once a frame is finished."""
    job_id = farm.json("submit", str(blend), "--no-video")["id"]
    job = farm.wait_for_job(
        job_id, lambda job: job["finished"] >= 1 and rendering_slot(job) is not None, "a frame was finished"
    )
    slot = rendering_slot(job)
    assert slot is not None
    return job_id, slot


def assert_completed_once(farm: Farm, job_id: int, frames: int) -> None:
    done = farm.json("wait", str(job_id))
    assert done["state"] == "completed"
    assert done["finished"] == frames
    engine = sa.create_engine(farm.database)
    with engine.connect() as connection:
        finished = connection.execute(
            sa.text("SELECT count(*) FROM events WHERE job_id = :job AND kind = 'frame_finished'"), {"job": job_id}
        ).scalar_one()
    engine.dispose()
    assert finished == frames, "a frame was recorded more than once"


def test_an_agent_killed_in_the_middle_of_a_chunk_loses_nothing(
    start_farm: Callable[..., Farm], tmp_path: Path
) -> None:
    farm = start_farm("ada", "bob")
    job_id, slot = submit_and_see_rendering(farm, long_scene(tmp_path / "scene"))
    victim = farm.agents[slot["agent"]]
    family = psutil.Process(victim.pid).children(recursive=True)

    victim.kill()

    assert_completed_once(farm, job_id, 12)
    # A Blender must not outlive its agent: it would go on using the machine for nobody.
    wait_until(lambda: None if any(_alive(child) for child in family) else True, "the agent's Blender ended")


def _alive(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def test_an_agent_asked_to_stop_finishes_its_frame_and_hands_the_rest_back(
    start_farm: Callable[..., Farm], tmp_path: Path
) -> None:
    farm = start_farm("ada")
    job_id, slot = submit_and_see_rendering(farm, long_scene(tmp_path / "scene"))

    farm.agents["ada"].send_signal(signal.SIGTERM)

    assert farm.agents["ada"].wait(60) == 0
    job = farm.job(job_id)
    assert slot["frame"] <= job["finished"] < 12, "the frame being rendered must be finished, the others not"
    assert job["slots"] == []
    farm.start_agent("bob")
    assert_completed_once(farm, job_id, 12)
    assert all(frame["attempts"] == 1 for frame in _frames(farm, job_id)), "leaving in order is nobody's failure"


def _frames(farm: Farm, job_id: int) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = farm.json("show", str(job_id), "--frames")["frames"]
    return shown


def test_a_coordinator_killed_and_started_again_goes_on(start_farm: Callable[..., Farm], tmp_path: Path) -> None:
    farm = start_farm("ada")
    job_id, _ = submit_and_see_rendering(farm, long_scene(tmp_path / "scene"))
    assert farm.coordinator is not None

    os.killpg(farm.coordinator.pid, signal.SIGKILL)
    farm.coordinator.wait()
    farm.start_coordinator()

    assert_completed_once(farm, job_id, 12)
    assert all(frame["attempts"] == 1 for frame in _frames(farm, job_id)), "the agent's work was not to be lost"


def test_frames_outlive_their_agent_and_the_coordinator_that_was_away(
    start_farm: Callable[..., Farm], tmp_path: Path
) -> None:
    farm = start_farm("ada")
    job_id, _ = submit_and_see_rendering(farm, long_scene(tmp_path / "scene"))
    assert farm.coordinator is not None
    before = {frame["frame"] for frame in _frames(farm, job_id)}

    os.killpg(farm.coordinator.pid, signal.SIGKILL)
    farm.coordinator.wait()
    notes = wait_until(lambda: _kept(farm, "ada", at_least=2), "frames waited for the coordinator")
    farm.agents["ada"].kill()
    farm.agents["ada"].wait()
    farm.start_coordinator()
    farm.start_agent("ada")

    assert_completed_once(farm, job_id, 12)
    # What was rendered before is not rendered again: only the frame that the agent died with may have been tried twice.
    kept = {int(note.parent.name) for note in notes} - before
    assert kept
    assert all(frame["attempts"] == 1 for frame in _frames(farm, job_id) if frame["frame"] in kept)


def _kept(farm: Farm, agent: str, at_least: int) -> list[Path] | None:
    """Return the notes of the frames that an agent has rendered and could not deliver, once there are some."""
    notes = list((farm.folder / agent).glob("coordinators/*/frames/*/*/note.json"))
    return notes if len(notes) >= at_least else None


def test_a_blender_that_dies_costs_one_attempt(start_farm: Callable[..., Farm], tmp_path: Path) -> None:
    farm = start_farm("ada")
    job_id, _ = submit_and_see_rendering(farm, long_scene(tmp_path / "scene"))

    for child in psutil.Process(farm.agents["ada"].pid).children(recursive=True):
        child.kill()

    assert_completed_once(farm, job_id, 12)
    assert sum(frame["attempts"] for frame in _frames(farm, job_id)) == 12 + 1


def test_cancelling_stops_the_agents_and_frees_them(start_farm: Callable[..., Farm], tmp_path: Path) -> None:
    farm = start_farm("ada")
    blend = long_scene(tmp_path / "scene")
    job_id, _ = submit_and_see_rendering(farm, blend)

    farm.json("cancel", str(job_id))

    waited = farm.run("wait", str(job_id))
    assert waited.returncode != 0
    assert farm.job(job_id)["state"] == "cancelled"
    again = farm.json("submit", str(blend), "--frames", "1", "--wait")
    assert again["state"] == "completed"
