"""A coordinator that breaks on demand, for the tests of what talks to one, and the commands that do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from addon import cli
from tests.fakes.faulty_coordinator import TOKEN, FaultyCoordinator, faulty_coordinator
from tests.unit.addon.commands import COMMANDS, Run


@pytest.fixture
def coordinator() -> Iterator[FaultyCoordinator]:
    with faulty_coordinator() as coordinator:
        yield coordinator


@pytest.fixture
def run(coordinator: FaultyCoordinator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return what runs a command against the faulty coordinator, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "LOOK_SECONDS", 0.0)
    for name in ("RENDERFARM_COORDINATOR", "RENDERFARM_TOKEN", "RENDERFARM_BLENDER"):
        monkeypatch.delenv(name, raising=False)

    def run(command: str, *arguments: str, url: str | None = None, token: str = TOKEN) -> Result:
        environment = {"RENDERFARM_COORDINATOR": url or coordinator.url, "RENDERFARM_TOKEN": token}
        return CliRunner().invoke(COMMANDS[command], arguments, env=environment, prog_name="renderfarm")

    return run
