"""The terminal's commands as tests run them, and a job for them to look at."""

import json
from collections.abc import Callable
from typing import Any

from click.testing import Result

from addon import cli
from tests.fakes.faulty_coordinator import FaultyCoordinator, Handler, status

COMMANDS = {command.name: command for commands in cli.COMMANDS.values() for command in commands}
JOB: dict[str, Any] = {
    "id": 1,
    "name": "shot",
    "state": "running",
    "reason": None,
    "frame_count": 2,
    "finished": 1,
    "progress": 0.5,
    "eta_seconds": 90.0,
    "warnings": [],
    "failures": [],
    "doubts": [],
    "slots": [],
    "video_ready": False,
}

Run = Callable[..., Result]


def error_of(result: Result) -> str:
    """Return the message of a command that failed as people should see it."""
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.stderr
    return result.stderr


def states(coordinator: FaultyCoordinator, *jobs: dict[str, Any]) -> None:
    """Have the coordinator show job 1 like this, one after the other."""
    coordinator.fail("GET /api/v1/jobs/1", *[status(200, {**JOB, **job}) for job in jobs])


def answers(coordinator: FaultyCoordinator, request: str, *bodies: dict[str, Any]) -> list[Any]:
    """Have the coordinator answer a request like this; return where it puts what it was sent."""
    sent: list[Any] = []

    def answer(body: dict[str, Any], handler: Handler) -> None:
        sent.append(json.loads(handler.body) if handler.body else None)
        handler.answer(200, body)

    coordinator.fail(request, *[lambda handler, body=body: answer(body, handler) for body in bodies])
    return sent
