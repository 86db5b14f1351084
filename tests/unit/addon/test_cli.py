"""The terminal's commands that submit, follow and fetch: what they print, and how they end."""

import json
import socket
from pathlib import Path

import pytest

from addon import cli, inspection
from addon.inspection import Inspection
from addon.snapshot import Dependency
from tests.fakes.faulty_coordinator import FaultyCoordinator, status
from tests.unit.addon.commands import Run, answers, error_of, states
from tests.unit.addon.snapshots import scene, texture

#: The scene is set to another format.
UNTOLD = {"color_mode": None, "color_depth": None}


@pytest.fixture
def blend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a stand-in for Blender finds a plain scene with sound in (real Blenders read it elsewhere)."""
    blend = tmp_path / "shot.blend"
    blend.write_bytes(b"BLENDER-v402 and so on")
    lost: list[Dependency] = [texture("//lost.png")]
    found = Inspection(scene(blend_path=str(blend), has_sound=True), tuple(lost))
    monkeypatch.setattr(inspection, "inspect", lambda *_: found)
    monkeypatch.setattr(inspection, "find_blender", lambda _: [])
    return blend


def test_submitting(run: Run, blend: Path, coordinator: FaultyCoordinator) -> None:
    result = run("submit", str(blend))
    assert result.exit_code == 0
    assert "Warning: The image “wood”" in result.stderr
    assert "renderfarm wait 1" in result.stdout
    [job] = coordinator.jobs
    assert job["name"] == "shot"
    assert job["frames"] == "1-24"
    assert job["blender"] == [4, 2]
    assert job["sound"] is True
    assert len(job["warnings"]) == 1


def test_every_option_reaches_the_job(run: Run, blend: Path, coordinator: FaultyCoordinator) -> None:
    options = (
        "--frames 1-4 --samples 8 --resolution 640X360 --percent 50 --engine eevee --format exr --video --no-sound "
        "--camera Camera --priority 9 --name Later --tag fast --tag big --pool night --device gpu --max-slots 4 "
        "--chunk 2 --first-look --stop-on-missing --cpu-fallback --after 3 --after 5 --json"
    )
    result = run("submit", str(blend), *options.split())
    assert json.loads(result.stdout) == coordinator.jobs[0]
    [job] = coordinator.jobs
    assert job["render"] == {
        "scene": "Scene",
        "camera": "Camera",
        "engine": "EEVEE",
        "samples": 8,
        "resolution": [640, 360],
        "percentage": 50,
        "view_layers": None,
        "persistent_data": True,
        "allow_scripts": False,
    }
    assert job["output"] == {"format": "OPEN_EXR", "width": 320, "height": 180, "fps": 24.0, "display": True} | UNTOLD
    assert (job["name"], job["frames"], job["priority"]) == ("Later", "1-4", 9)
    assert (job["video"], job["sound"]) == (True, False)
    assert job["needs"] == {"tags": ["fast", "big"], "pool": "night", "device": "GPU"}
    assert (job["max_slots"], job["chunk_frames"], job["first_look"], job["after"]) == (4, 2, True, [3, 5])
    assert (job["stop_on_missing"], job["cpu_fallback"]) == (True, True)


def test_who_is_told_of_the_end(run: Run, blend: Path, coordinator: FaultyCoordinator) -> None:
    answers(coordinator, "GET /api/v1/notifications", *[{"email": email, "webhooks": 0} for email in (False, True)])
    options = ("--notify", "ana@example.com", "--notify", "ben@example.com")
    assert "sends no e-mail" in error_of(run("submit", str(blend), *options))
    assert coordinator.jobs == []
    assert run("submit", str(blend), *options).exit_code == 0
    assert coordinator.jobs[0]["notify"] == ["ana@example.com", "ben@example.com"]


@pytest.mark.parametrize(
    ("options", "words"),
    [("--resolution 640", "640x360"), ("--format TIFF", "PNG, JPEG"), ("--percent 0", "1<=x"), ("--priority x", "int")],
)
def test_misused_options(run: Run, blend: Path, options: str, words: str) -> None:
    result = run("submit", str(blend), *options.split())
    assert result.exit_code == 2
    assert words in result.stderr


def test_the_cheap_checks_come_first(run: Run, blend: Path, coordinator: FaultyCoordinator, tmp_path: Path) -> None:
    notes = tmp_path / "notes.blend"
    notes.write_text("shopping list")
    assert "not a Blender file" in error_of(run("submit", str(notes)))
    assert "nowhere.blend" in error_of(run("submit", "nowhere.blend"))
    assert coordinator.requests == []
    assert "token" in error_of(run("submit", str(blend), token=""))
    assert "token" in error_of(run("submit", str(blend), token="rf_admin_wrong"))
    assert not any(request.startswith("POST") for request in coordinator.requests)


def test_what_the_coordinator_warns_of_is_said_too(run: Run, blend: Path, coordinator: FaultyCoordinator) -> None:
    job = {"id": 1, "name": "shot", "state": "queued", "warnings": ["No agent has joined the farm yet."]}
    coordinator.fail("POST /api/v1/jobs", status(201, job))
    assert "Warning: No agent has joined the farm yet.\n" in run("submit", str(blend)).stderr


def test_what_the_preflight_refuses_is_not_sent(run: Run, blend: Path, coordinator: FaultyCoordinator) -> None:
    assert "write 1-5" in error_of(run("submit", str(blend), "--frames", "5-1"))
    assert "Choose one of: Camera" in error_of(run("submit", str(blend), "--camera", "Drone"))
    assert not any(request.startswith("POST") for request in coordinator.requests)


def test_a_refused_job_is_explained_field_by_field(run: Run, blend: Path, coordinator: FaultyCoordinator) -> None:
    fields = {"blender": "no agent has it", "name": "the job needs a name"}
    body = {"error": {"code": "invalid", "message": "the job needs a name", "fields": fields}}
    coordinator.fail("POST /api/v1/jobs", status(422, body))
    result = run("submit", str(blend), "--json")
    assert error_of(result).endswith("Error: The job needs a name. blender: no agent has it\n")
    assert json.loads(result.stdout)["error"]["code"] == "invalid"


def test_a_coordinator_that_is_not_there(run: Run, blend: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    result = run("submit", str(blend), "--json", url=url)
    assert f"no coordinator at {url}" in error_of(result)
    assert json.loads(result.stdout)["error"]["code"] == "unreachable"


@pytest.mark.parametrize(("state", "code"), [("completed", 0), ("failed", 1), ("cancelled", 1)])
def test_waiting_ends_as_the_job_does(run: Run, coordinator: FaultyCoordinator, state: str, code: int) -> None:
    states(coordinator, {}, {"state": "stitching"}, {"state": state})
    result = run("wait", "1", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["state"] == state


def test_why_a_job_failed_is_said(run: Run, coordinator: FaultyCoordinator) -> None:
    failure = {"frame": 3, "reason": "Blender crashed.", "attempts": 4}
    states(coordinator, {"state": "failed", "reason": "One frame failed.", "failures": [failure]})
    assert error_of(run("wait", "1")) == (
        "Job 1 is failed: One frame failed.\nFrame 3 failed 4 times: Blender crashed.\n"
    )


def test_waiting_outlives_a_coordinator_that_is_started_again(run: Run, coordinator: FaultyCoordinator) -> None:
    states(coordinator, {})
    coordinator.fail("GET /api/v1/jobs/1", status(503), status(503))
    states(coordinator, {"state": "completed"})
    assert run("wait", "1").exit_code == 0


def test_leaving_while_waiting_lets_the_job_go_on(
    run: Run, coordinator: FaultyCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_control_c(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("addon.cli.time.sleep", press_control_c)
    states(coordinator, {})
    result = run("wait", "1")
    assert result.exit_code == 130
    assert "renderfarm cancel 1" in result.stderr
    assert not any("cancel" in request for request in coordinator.requests)


def test_submitting_and_waiting_prints_one_object(
    run: Run, blend: Path, coordinator: FaultyCoordinator, tmp_path: Path
) -> None:
    states(coordinator, {}, {"state": "completed"}, {"state": "completed", "finished": 0})
    coordinator.fail("GET /api/v1/jobs/1/frames", status(200, {"items": [], "next": None}))
    result = run("submit", str(blend), "--output", str(tmp_path / "out"), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["state"] == "completed"
    assert (tmp_path / "out").is_dir()


def test_leaving_while_uploading_makes_no_job(
    run: Run, blend: Path, coordinator: FaultyCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_control_c(_sending: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_show_upload", press_control_c)
    coordinator.fail("POST /api/v1/packs", *[status(503)] * 9)  # It waits and tries again, until it is cancelled.
    result = run("submit", str(blend))
    assert result.exit_code == 130
    assert "No job was made" in result.stderr
    assert coordinator.jobs == []


def test_leaving_before_anything_is_sent(run: Run, blend: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press_control_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "inspect", press_control_c)
    result = run("submit", str(blend))
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")
