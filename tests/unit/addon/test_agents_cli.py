"""The terminal's commands for the farm's machines."""

import json
from typing import Any

import pytest

from tests.fakes.faulty_coordinator import FaultyCoordinator, status
from tests.unit.addon.commands import Run, answers, error_of

AGENT: dict[str, Any] = {
    "id": 4,
    "name": "ada",
    "presence": "working",
    "explanation": "It renders for the farm.",
    "slots": [{"slot": 0, "job": 1}, {"slot": 1, "job": None}],
    "speed": 1.5,
    "set_aside_jobs": [],
    "sandboxed": True,
    "telemetry": None,
}


def listed(coordinator: FaultyCoordinator, *agents: dict[str, Any], times: int = 1) -> None:
    """Have the coordinator list these agents."""
    answers(coordinator, "GET /api/v1/agents", *[{"items": list(agents), "next": None}] * times)


def test_agents_are_listed_with_how_their_machines_are(run: Run, coordinator: FaultyCoordinator) -> None:
    silent = dict.fromkeys(("celsius", "watts", "memory_used_bytes", "memory_bytes", "utilization"))
    warm = {
        "celsius": 61.4,
        "watts": 120.5,
        "memory_used_bytes": 5 * 2**30,
        "memory_bytes": 24 * 2**30,
        "utilization": 0.87,
    }
    telemetry = {
        "gpus": [{"name": "RTX 4090", **warm}, {"name": "GB10", **silent}],
        "cpu_utilization": 0.12,
        "memory_used_bytes": 2**30,
        "disk_free_bytes": 69 * 2**30,
    }
    listed(coordinator, {**AGENT, "telemetry": telemetry}, {**AGENT, "presence": "offline", "telemetry": telemetry})
    shown = run("agents").stdout
    assert shown.count("        RTX 4090: 61 °C, 120 W, 87%, 5.0 of 24.0 GiB\n        GB10: tells nothing\n") == 1
    assert "        processor 12%, 69 GiB free on disk\n" in shown


def test_agents_are_listed_with_what_is_the_matter(run: Run, coordinator: FaultyCoordinator) -> None:
    aside = {
        "presence": "set_aside",
        "explanation": "It failed frames of 3 jobs.",
        "set_aside_jobs": [7, 8],
        "recent_finished": 8,
        "recent_failed": 2,
    }
    bad = {**AGENT, "id": 5, "name": "bob", "sandboxed": False, **aside}
    listed(coordinator, AGENT, bad, times=2)
    shown = run("agents").stdout
    assert "1/2    1.5  ada\n" in shown
    assert "set aside" in shown
    assert (
        "bob: It failed frames of 3 jobs.; no sandbox; 2 of its last 10 attempts failed; kept from jobs 7, 8" in shown
    )
    assert json.loads(run("agents", "--json").stdout) == {"items": [AGENT, bad]}


@pytest.mark.parametrize(
    ("command", "action", "words"),
    [
        ("pause-agent", "drain", "renderfarm resume-agent ada"),
        ("resume-agent", "resume", "ada gets work again."),
        ("stop-agent", "stop", "renderfarm resume-agent ada"),
        ("reinstate", "reinstate", "ada works again."),
    ],
)
def test_an_agent_is_steered_by_its_name_or_number(
    run: Run, coordinator: FaultyCoordinator, command: str, action: str, words: str
) -> None:
    listed(coordinator, AGENT, times=3)
    answers(coordinator, f"POST /api/v1/agents/4/{action}", AGENT, AGENT)
    assert words in run(command, "ada").stdout
    assert json.loads(run(command, "4", "--json").stdout) == AGENT
    assert "There is no agent eve" in error_of(run(command, "eve"))


def test_an_agent_is_set_aside_with_a_reason(run: Run, coordinator: FaultyCoordinator) -> None:
    listed(coordinator, AGENT)
    answers(coordinator, "POST /api/v1/agents/4/set-aside", AGENT)
    assert "renderfarm reinstate ada" in run("set-aside", "ada", "its fan rattles").stdout


def test_an_agent_is_given_tags_and_pools(run: Run, coordinator: FaultyCoordinator) -> None:
    listed(coordinator, AGENT, times=2)
    labelled = {**AGENT, "tags": ["fast", "quiet"], "pools": []}
    answers(coordinator, "PATCH /api/v1/agents/4", labelled, {**labelled, "tags": []})
    assert run("set-agent", "ada", "--tag", "fast", "--tag", "quiet").stdout == "ada has tags fast, quiet.\n"
    assert run("set-agent", "ada", "--tag", "none", "--pool", "none").stdout == "ada has no tags and no pools.\n"
    assert "nothing to change" in run("set-agent", "ada").stderr


@pytest.mark.parametrize(
    ("command", "path", "words"),
    [("send-away", "/credential", "out of the farm"), ("remove-agent", "", "off the list")],
)
def test_an_agent_is_sent_away(run: Run, coordinator: FaultyCoordinator, command: str, path: str, words: str) -> None:
    listed(coordinator, AGENT, times=2)
    coordinator.fail(f"DELETE /api/v1/agents/4{path}", lambda handler: handler.answer(204, b""))
    assert words in run(command, "ada").stdout
    coordinator.fail(f"DELETE /api/v1/agents/4{path}", lambda handler: handler.refuse(409, "conflict", "ada is online"))
    assert "is online" in error_of(run(command, "ada"))


def test_a_join_code_is_shown_with_what_to_do(run: Run, coordinator: FaultyCoordinator) -> None:
    made = {"id": 1, "code": "ABCD-EFGH", "expires_at": "2026-01-01T00:15:00Z"}
    coordinator.fail("POST /api/v1/join-codes", status(201, made), status(201, made))
    shown = run("join-code")
    # The address of a coordinator on this very machine means nothing on another one.
    assert shown.stdout == "renderfarm agent --join-code ABCD-EFGH\n"
    assert "within 15 minutes" in shown.stderr
    assert json.loads(run("join-code", "--json").stdout) == made
