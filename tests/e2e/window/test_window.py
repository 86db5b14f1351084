"""The extension in a real Blender window: what an artist sees and does, from an empty page to a finished film."""

import hashlib
import json
import runpy
import shutil
import subprocess
from contextlib import closing
from pathlib import Path, PurePosixPath

import pytest

from addon.transport import Transport
from tests.e2e.executable import PROJECT, ROOT_PATIENCE, WINDOW_ROOT, make_window_root
from tests.e2e.farm import ADMIN_TOKEN, running_farm, wait_until
from tests.fakes.held_uploads import held_uploads

pytestmark = [pytest.mark.slow, pytest.mark.window]

HERE = Path(__file__).parent
#: Seconds, for the whole visit.
PATIENCE = 400.0
#: Where the root has the desk.
INSIDE = PurePosixPath("/tmp/window")  # noqa: S108 - not of this machine


@pytest.mark.timeout(ROOT_PATIENCE + 2 * PATIENCE)
def test_an_artist_submits_and_follows_a_job(tmp_path: Path) -> None:
    make_window_root()
    desk = tmp_path / "desk"
    desk.mkdir()
    for name in ("artist.py", "scene.py", "desk.sh"):
        shutil.copy(HERE / name, desk)
    extension = runpy.run_path(str(PROJECT / "deploy" / "build_addon.py"))["build"](PROJECT / "addon", desk)
    with (
        running_farm(tmp_path / "farm", "agent-1") as farm,
        held_uploads(farm.url.removeprefix("http://"), PATIENCE) as door,
    ):
        (desk / "plan.json").write_text(json.dumps({"url": door.url, "token": ADMIN_TOKEN}))
        log = tmp_path / "desk.log"
        with log.open("wb") as output:
            visit = subprocess.Popen(
                [WINDOW_ROOT, "run", desk, "sh", "desk.sh", extension.name, farm.url, ADMIN_TOKEN],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            page, code = wait_until(lambda: read_code(desk), "the artist asks to be let in", visit)
            request_id = page.rpartition("/")[2]
            with closing(Transport(farm.url, ADMIN_TOKEN)) as transport:
                path = f"/api/v1/connect-requests/{request_id}/approve"
                approved = transport.call("POST", path, {"code": code})
            wait_until(lambda: (desk / "open").exists() or None, "the artist saw the upload", visit)
            held_until_seen = door.waiting.is_set()
            door.open.set()
            visit.wait(PATIENCE)
        finally:
            visit.kill()
            visit.wait()
        assert (desk / "told.json").exists(), log.read_text()
        told = json.loads((desk / "told.json").read_text())
        assert told.get("finished"), told.get("trouble")
        jobs = farm.json("jobs")["items"]

    assert "There is no coordinator at http://127.0.0.1:1" in told["unreachable"]
    assert "token" in told["wrong_token"]
    assert told["wrong_token"].endswith("Press Connect… to be let in.")
    assert told["problems"] == ["no_camera"]
    assert not told["sent_in_spite_of_problems"]

    assert held_until_seen
    assert told["sending_while_the_window_lives"]
    spoilt, job, from_the_shell = jobs
    assert (spoilt["state"], "no view layer" in spoilt["reason"]) == ("failed", True)
    assert (approved["state"], told["token"]) == ("approved", "rf_admin_")
    assert told["after_escape"] == "cancelled"
    assert told["notice"] == "“010” is rendered: 24 frames."
    assert told["downloaded"] == ["010.mp4", *(f"beauty_{frame:03}.png" for frame in range(1, 25))]
    assert told["shown"] == [160, 90]
    assert told["strips"] == [["IMAGE", 24], ["MOVIE", 24]]
    assert told["job"] == {"id": job["id"], "name": "010", "state": "completed"}
    assert (job["state"], job["finished"], job["failed"], job["video_ready"]) == ("completed", 24, 0, True)

    assert "Submitted “From the shell” as job 1." in (desk / "command.log").read_text()
    assert (from_the_shell["name"], from_the_shell["frames"]) == ("From the shell", "1")

    assert told["before"] == [str(INSIDE / "shots" / "010.blend"), True, 0.5, 3]
    assert told["after"] == told["before"]
    assert told["undone_to"] == 0.0, "submitting is no step of the artist's to undo"
    assert sorted(path.name for path in (desk / "shots").iterdir()) == ["010.blend", "render"]
    saved = (desk / "shots" / "010.blend").read_bytes()
    assert hashlib.sha256(saved).hexdigest() == (desk / "digest").read_text()
    assert len(list(desk.glob("*_*.png"))) == 11


def read_code(desk: Path) -> list[str] | None:
    """What the artist's Blender shows, once it does."""
    try:
        words = (desk / "code").read_text().split()
    except OSError:
        return None
    return words if len(words) == 2 else None
