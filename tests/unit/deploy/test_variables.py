"""The RENDERFARM_* variables: what deployments set exists, and all that exists is explained."""

import re
from pathlib import Path
from typing import get_type_hints

import agent.settings
import coordinator.settings

PROJECT = Path(__file__).resolve().parents[3]
TERMINAL = {"RENDERFARM_COORDINATOR", "RENDERFARM_TOKEN"}
FOR_DEVELOPERS = {"RENDERFARM_WINDOW_ROOT"}  # deploy/window_root.sh explains it


class RecordingEnvironment(dict[str, str]):
    """An empty environment that remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override] # narrower is enough here
        self.asked.add(name)
        return default


def agent_variables() -> set[str]:
    environment = RecordingEnvironment()
    agent.settings.read_settings(environment, {})
    return environment.asked


def coordinator_variables() -> set[str]:
    return {f"RENDERFARM_{field.upper()}" for field in get_type_hints(coordinator.settings.Settings)}


def mentioned(path: Path) -> set[str]:
    return set(re.findall(r"\bRENDERFARM_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8")))


def test_the_documentation_has_every_variable_and_no_other() -> None:
    known = coordinator_variables() | agent_variables() | TERMINAL
    documented = mentioned(PROJECT / "docs" / "CONFIGURATION.md")
    assert documented == known


def test_what_deployments_mention_exists() -> None:
    known = coordinator_variables() | agent_variables() | TERMINAL | FOR_DEVELOPERS
    files = [
        path
        for path in (PROJECT / "deploy").rglob("*")
        if path.is_file() and path.suffix in {".Dockerfile", ".conf", ".env", ".md", ".service", ".sh", ""}
    ]
    files += [PROJECT / name for name in ("docker-compose.yml", ".env.example", "README.md", "Makefile")]
    assert {path.name: unknown for path in files if (unknown := mentioned(path) - known)} == {}
