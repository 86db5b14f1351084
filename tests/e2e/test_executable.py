"""A farm without the ``bpy`` module: the terminal and the agent have a ``blender`` executable do everything."""

import json
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.blender_scripts import make_scene
from tests.e2e.executable import ROOT_PATIENCE, make_executable, render_plainly
from tests.e2e.farm import ADMIN_TOKEN, PATIENCE, running_farm
from tests.e2e.pictures import assert_same_pixels


@pytest.mark.slow
@pytest.mark.window
@pytest.mark.xdist_group("executable")
@pytest.mark.timeout(ROOT_PATIENCE + PATIENCE)
def test_an_executable_reads_the_file_and_renders_it(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    blender = make_executable(tmp_path / "bin")
    blend = make_scene(tmp_path / "scene", executable=blender, frames=[1, 3], sound=True)
    with running_farm(tmp_path / "farm") as farm:
        farm.start_agent("ada", "--blender", str(blender))
        request = urllib.request.Request(f"{farm.url}/api/v1/agents")  # noqa: S310 - a test's own http:// address
        request.add_header("Authorization", f"Bearer {ADMIN_TOKEN}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - likewise
            [agent] = json.load(answer)["items"]
        done = farm.json("submit", str(blend), "--blender", str(blender), "--wait", "--output", str(tmp_path / "out"))
        print(farm.logs())  # noqa: T201 - shown by pytest only when something failed
    assert [(build["kind"], build["version"][:2]) for build in agent["blenders"]] == [("executable", [4, 3])]
    assert (done["state"], done["finished"], done["blender"]) == ("completed", 3, [4, 3])
    assert (done["sound_state"], done["video_ready"]) == ("ready", True)

    for plain in render_plainly(blender, blend, tmp_path / "plain", 1, 3):
        assert_same_pixels(tmp_path / "out" / plain.name, plain)
