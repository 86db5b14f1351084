"""The terminal's commands that steer jobs and the farm."""

import json

import pytest

from addon.terminal import FAILED
from tests.fakes.faulty_coordinator import FaultyCoordinator, status
from tests.unit.addon.commands import JOB, Run, answers, error_of, states

NEEDS = {"tags": ["old"], "pool": "day", "device": None, "vram_bytes": 7}


def test_listing_jobs(run: Run, coordinator: FaultyCoordinator) -> None:
    page = status(200, {"items": [JOB], "next": None})
    coordinator.fail("GET /api/v1/jobs?", page, page)
    listed = run("jobs", "--state", "running", "--state", "queued", "--limit", "5")
    assert "0:01:30" in listed.stdout
    assert "1/2" in listed.stdout
    assert coordinator.requests[-1] == "GET /api/v1/jobs?limit=5&state=running%2Cqueued"
    assert json.loads(run("jobs", "--json").stdout) == {"items": [JOB]}


def test_showing_a_job(run: Run, coordinator: FaultyCoordinator) -> None:
    slot = {"agent": "ada", "slot": 0, "stage": "rendering", "frame": 2, "progress": 0.5, "remaining_seconds": 1}
    frame = {"frame": 1, "state": "finished", "filename": "0001.png", "reason": None, "doubt": None, "sha256": "0" * 64}
    black = {"frame": 1, "doubt": "All black, though frame 2 is not.", "beside": [2]}
    for _ in range(2):
        states(coordinator, {"slots": [slot], "warnings": ["A texture is missing."], "doubts": [black]})
        coordinator.fail("GET /api/v1/jobs/1/frames", status(200, {"items": [frame], "next": None}))
    shown = run("show", "1", "--frames").stdout
    for words in (
        "running, 0:01:30 left; 1 of 2",
        "ada/0: rendering frame 2",
        "A texture is missing.",
        "0001.png",
        "though frame 2 is not",
    ):
        assert words in shown
    assert json.loads(run("show", "1", "--frames", "--json").stdout)["frames"] == [frame]


def test_what_a_job_took(run: Run, coordinator: FaultyCoordinator) -> None:
    cost = {"frames": 3, "seconds": 90.0, "gpu_seconds": 60.0, "energy_frames": 0, "energy_joules": 0.0, "devices": []}
    measured = {**cost, "energy_frames": 2, "energy_joules": 1_800_000.0}
    for answer in (cost, measured):
        states(coordinator, {"state": "completed"})
        coordinator.fail("GET /api/v1/jobs/1/cost", status(200, answer))
    assert "3 frames took 0:01:30, 0:01:00 of it on graphics cards\n" in run("show", "1", "--cost").stdout
    assert "on graphics cards, which used 0.5 kWh for 2 of the frames" in run("show", "1", "--cost").stdout
    states(coordinator, {"state": "completed"})
    coordinator.fail("GET /api/v1/jobs/1/cost", status(200, measured))
    assert json.loads(run("show", "1", "--cost", "--json").stdout)["cost"] == measured


def test_cancelling(run: Run, coordinator: FaultyCoordinator) -> None:
    coordinator.fail("POST /api/v1/jobs/1/cancel", status(200, {**JOB, "state": "cancelled"}))
    assert json.loads(run("cancel", "1", "--json").stdout)["state"] == "cancelled"
    coordinator.fail(
        "POST", lambda handler: handler.refuse(409, "conflict", "job 1 has ended already: it is completed")
    )
    assert "has ended already" in error_of(run("cancel", "1"))
    assert "There is no" in error_of(run("show", "9"))


@pytest.mark.parametrize(
    ("command", "state", "words"), [("pause", "paused", "renderfarm resume 1"), ("resume", "queued", "Job 1 goes on.")]
)
def test_pausing_and_resuming(run: Run, coordinator: FaultyCoordinator, command: str, state: str, words: str) -> None:
    answers(coordinator, f"POST /api/v1/jobs/1/{command}", {**JOB, "state": state}, {**JOB, "state": state})
    assert words in run(command, "1").stdout
    assert json.loads(run(command, "1", "--json").stdout)["state"] == state


def test_requeueing(run: Run, coordinator: FaultyCoordinator) -> None:
    job = {**JOB, "state": "queued", "failed": 0}
    sent = answers(coordinator, "POST /api/v1/jobs/1/requeue", job, job, job)
    assert "1 of 2 frames to render" in run("requeue", "1").stdout
    assert run("requeue", "1", "--failed").exit_code == 0
    assert run("requeue", "1", "--frames", "3-4").exit_code == 0
    assert sent == [{}, {}, {"frames": "3-4"}]
    assert run("requeue", "1", "--failed", "--frames", "3").exit_code == 2


def test_changing_a_job(run: Run, coordinator: FaultyCoordinator) -> None:
    job = {**JOB, "frames": "1-2", "priority": 80}
    sent = answers(coordinator, "PATCH /api/v1/jobs/1", job, job, job)
    states(coordinator, {"needs": NEEDS}, {"needs": NEEDS})
    options = "--name Later --priority 80 --frames 1-2 --max-slots 3 --no-hedge"
    assert "priority 80" in run("set", "1", *options.split()).stdout
    assert run("set", "1", "--tag", "big", "--pool", "none", "--device", "gpu").exit_code == 0
    assert run("set", "1", "--max-slots", "none", "--tag", "none").exit_code == 0
    assert sent == [
        {"name": "Later", "priority": 80, "frames": "1-2", "max_slots": 3, "hedge": False},
        {"needs": {"tags": ["big"], "pool": None, "device": "GPU", "vram_bytes": 7}},
        {"max_slots": None, "needs": {**NEEDS, "tags": []}},
    ]


@pytest.mark.parametrize(("options", "words"), [("", "nothing to change"), ("--max-slots many", "number of slots")])
def test_changes_that_are_none(run: Run, options: str, words: str) -> None:
    result = run("set", "1", *options.split())
    assert result.exit_code == 2
    assert words in result.stderr


def test_rerendering(run: Run, coordinator: FaultyCoordinator) -> None:
    render = {"scene": "Scene", "samples": 64, "percentage": None}
    states(coordinator, {"render": render})
    made = {"id": 2, "name": "shot", "state": "queued", "warnings": ["No agent is there."]}
    sent = answers(coordinator, "POST /api/v1/jobs/1/rerender", made, made)
    result = run("rerender", "1", "--samples", "512", "--percent", "200", "--frames", "5")
    assert "as job 2" in result.stdout
    assert "Warning: No agent is there." in result.stderr
    assert run("rerender", "1").exit_code == 0
    assert sent[0]["render"] == {"scene": "Scene", "samples": 512, "percentage": 200}
    assert sent[0]["frames"] == "5"
    # Two requests are two submissions.
    assert sent[1].keys() == {"submission"}
    assert sent[0]["submission"] != sent[1]["submission"]


def test_users(run: Run, coordinator: FaultyCoordinator) -> None:
    user = {"name": "ana b", "max_slots": 3, "slots": 2}
    answers(coordinator, "GET /api/v1/users", {"items": [user], "next": None}, {"items": [], "next": None})
    assert "ana b" in run("users").stdout
    assert "No one" in run("users").stdout
    sent = answers(coordinator, "PATCH /api/v1/users/ana%20b", user, {**user, "max_slots": None})
    assert "3 slots at most" in run("limit", "ana b", "3").stdout
    assert "as many slots as there are" in run("limit", "ana b", "none").stdout
    assert sent == [{"max_slots": 3}, {"max_slots": None}]


def test_scripts_are_allowed_and_forbidden(run: Run, coordinator: FaultyCoordinator) -> None:
    user = {"name": "ana", "max_slots": None, "scripts": True, "slots": 0}
    sent = answers(coordinator, "PATCH /api/v1/users/ana", user, {**user, "scripts": False})
    assert "Jobs of ana may run" in run("allow-scripts", "ana").stdout
    assert "Jobs of ana may not run" in run("allow-scripts", "ana", "--no").stdout
    assert sent == [{"scripts": True}, {"scripts": False}]


def test_a_test_message_is_sent(run: Run, coordinator: FaultyCoordinator) -> None:
    answers(coordinator, "GET /api/v1/notifications", *[{"email": True, "webhooks": hooks} for hooks in (0, 2)])
    answers(coordinator, "POST /api/v1/notifications/test", *[{"delivered": count, "problems": []} for count in (1, 2)])
    assert "delivered to ana@example.com." in run("notify-test", "ana@example.com").stdout
    assert "has no webhooks" in error_of(run("notify-test"))
    assert "delivered to all 2 webhooks." in run("notify-test").stdout


def test_a_test_message_that_does_not_arrive_is_told_of(run: Run, coordinator: FaultyCoordinator) -> None:
    failed = {"delivered": 0, "problems": ["The mail server did not take it: it refused the address."]}
    answers(coordinator, "POST /api/v1/notifications/test", failed, failed)
    told = run("notify-test", "ana@example.com")
    assert told.exit_code == FAILED
    assert "refused the address" in told.stderr
    told = run("notify-test", "ana@example.com", "--json")
    assert (told.exit_code, json.loads(told.stdout)) == (FAILED, failed)
