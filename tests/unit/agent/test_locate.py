"""Finding a Blender, and starting it."""

import importlib.util
import sys
from pathlib import Path

import pytest

from agent.blender.command import HOST, session_argv, session_environment
from agent.blender.locate import Blender, NoBlenderError, Useless, find_blender, find_blenders, parse_version, survey


def fake_blender(folder: Path, prints: str, status: int = 0) -> Path:
    """Make an executable that prints something."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "blender"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}\nEND\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the Blenders of this machine, but leave the shell."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def test_the_newest_is_taken(tmp_path: Path) -> None:
    fake_blender(tmp_path / "bin", "Blender 4.2.3 LTS\n\tbuild date: 2024")
    newest = fake_blender(tmp_path / "opt/blender-5.0", "Blender 5.0.1")
    fake_blender(tmp_path / "opt/blender-broken", "cannot open shared object file", 127)
    found = find_blenders(None, places=[f"{tmp_path}/opt/blender*/blender"])
    assert found[0] == Blender((5, 0, 1), "executable", newest)
    assert [blender.version for blender in found] == [(5, 0, 1), (4, 2, 3)]


def test_places_of_ones_own_are_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    mine = fake_blender(tmp_path / "farm/5.1", "Blender 5.1.0")
    old = fake_blender(tmp_path / "old", "Blender 3.4.1")
    assert find_blender(None, ["~/farm/*/blender"]) == Blender((5, 1, 0), "executable", mine)
    (useless,) = [found for found in survey([str(old)], places=[]) if isinstance(found, Useless)]
    assert useless.path == old
    assert "too old" in useless.why
    with pytest.raises(NoBlenderError, match="too old"):
        find_blenders(None, [str(old)], places=[])


def test_a_named_one(tmp_path: Path) -> None:
    path = fake_blender(tmp_path, "Read prefs\nBlender 4.5.3 LTS")
    assert find_blender(str(path)) == Blender((4, 5, 3), "executable", path)


def test_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = find_blender("bpy")
    assert (found.kind, found.path) == ("bpy", Path(sys.executable))
    assert found.version >= (4, 2, 0)


@pytest.mark.parametrize(
    ("prints", "status", "words"),
    [("Blender 3.4.1", 0, "too old"), ("Krita 5.2", 0, "is not a Blender that works here"), ("", 1, "not a Blender")],
)
def test_one_that_will_not_do(tmp_path: Path, prints: str, status: int, words: str) -> None:
    with pytest.raises(NoBlenderError, match=words):
        find_blender(str(fake_blender(tmp_path, prints, status)))


def test_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(NoBlenderError, match="install Blender"):
        find_blenders(None, places=[f"{tmp_path}/opt/*"])
    with pytest.raises(NoBlenderError, match="No such file"):
        find_blender(str(tmp_path / "nothing"))
    with pytest.raises(NoBlenderError, match="no bpy module"):
        find_blender("bpy")


@pytest.mark.parametrize(
    ("output", "version"),
    [("Blender 4.5.15 LTS", (4, 5, 15)), ("Blender 5.1", (5, 1, 0)), ("A Blender 4.5.1", None), ("", None)],
)
def test_parse_version(output: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(output) == version


def test_command_lines() -> None:
    module = session_argv(Blender((4, 5, 0), "bpy", Path("/p/python")), None, 7, 8)
    assert module == ["/p/python", "-I", str(HOST), "--commands-fd", "7", "--events-fd", "8"]
    program = session_argv(Blender((4, 5, 0), "executable", Path("/b/blender")), None, 7, 8)
    assert program[:4] == ["/b/blender", "--background", "--factory-startup", "--disable-autoexec"]
    assert program[-5:] == ["--", "--commands-fd", "7", "--events-fd", "8"]
    assert HOST.is_file()


def test_blender_does_not_see_the_farms_tokens() -> None:
    environment = {"HOME": "/h", "RENDERFARM_JOIN_TOKEN": "t", "PYTHONPATH": "/x", "BLENDER_USER_SCRIPTS": "/y"}
    assert session_environment(environment) == {"HOME": "/h", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert session_environment({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}) == {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}
