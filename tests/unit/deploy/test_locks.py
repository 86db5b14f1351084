"""The lock files: exact, with hashes, without any registry's address, and true to pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[3]
LOCKS = PROJECT / "deploy" / "locks"
NAMES = ["build", "coordinator", "agent", "dev"]
PYTHONS = ["3.11", "3.12", "3.13"]


def locked(name: str, python: str) -> dict[str, str]:
    """Return package → version of a lock as a Linux machine with that Python reads it."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    entries = (LOCKS / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found: dict[str, str] = {}
    for entry in entries:
        requirement = Requirement(entry.partition(" --hash")[0])
        if requirement.marker is None or requirement.marker.evaluate(environment):
            [pin] = requirement.specifier
            assert pin.operator == "=="
            assert found.setdefault(canonicalize_name(requirement.name), pin.version) == pin.version
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_holds_pins_and_their_hashes_only(name: str) -> None:
    pin = re.compile(r"[a-z0-9-]+==\S+( ; [^\\]+)? \\")
    digest = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")
    previous = ""
    for line in (LOCKS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        assert pin.fullmatch(line) or digest.fullmatch(line), line
        assert not (pin.fullmatch(line) and previous.endswith("\\") and "--hash" in previous), line
        previous = line


@pytest.mark.parametrize("python", PYTHONS)
def test_the_locks_agree_with_each_other(python: str) -> None:
    coordinator, agent, dev = (locked(name, python) for name in ("coordinator", "agent", "dev"))
    assert coordinator.items() <= agent.items() <= dev.items()


@pytest.mark.parametrize("python", PYTHONS)
def test_the_locks_fulfil_pyproject(python: str) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        "coordinator": project["dependencies"],
        "agent": project["dependencies"] + extras["bpy"],
        "dev": project["dependencies"] + extras["bpy"] + extras["dev"],
    }
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    for name, requirements in wanted.items():
        pins = locked(name, python)
        for requirement in map(Requirement, requirements):
            if (requirement.marker or Marker("python_version > '0'")).evaluate(environment):
                assert pins[canonicalize_name(requirement.name)] in requirement.specifier, f"{name}: {requirement}"
