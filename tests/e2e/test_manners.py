"""A guest's manners, as those see them who use the farm."""

import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.blender_scripts import make_scene
from tests.e2e.farm import running_farm, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-manners")]


def test_an_agent_outside_its_hours_says_so_and_leaves_the_work_to_others(tmp_path: Path) -> None:
    blend = make_scene(tmp_path / "scene", frames=[1, 1], resolution=[64, 36], samples=1)
    now = datetime.now().astimezone()
    later = f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=3):%H:%M}"
    with running_farm(tmp_path / "farm") as farm:
        farm.start_agent("guest", "--hours", later)
        job_id = farm.json("submit", str(blend), "--no-video")["id"]
        guest = wait_until(
            lambda: next((one for one in farm.json("agents")["items"] if one["resting"]), None), "the guest rested"
        )
        assert (guest["name"], guest["state"]) == ("guest", "online")
        assert guest["resting"].startswith("Outside its hours until ")
        assert "rest" in farm.job(job_id)["waiting"]
        assert "Outside its hours" in farm.run("agents").stdout

        farm.agents["guest"].send_signal(signal.SIGTERM)
        assert farm.agents["guest"].wait(60) == 0
        farm.start_agent("guest")
        assert farm.json("wait", str(job_id))["state"] == "completed"
        assert all(one["resting"] is None for one in farm.json("agents")["items"])
