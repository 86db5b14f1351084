"""The extension's zip file: complete, of a fixed form, and in step with the project."""

import ast
import os
import runpy
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from coordinator.extension import build_extension, sources

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def builder() -> dict[str, Any]:
    return runpy.run_path(str(PROJECT / "deploy" / "build_addon.py"))


def test_the_zip_holds_the_extension_and_nothing_of_the_terminal(builder: dict[str, Any], tmp_path: Path) -> None:
    with zipfile.ZipFile(builder["build"](PROJECT / "addon", tmp_path)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        sources = b"".join(archive.read(name) for name in names if name.endswith(".py"))
    assert {"LICENSE", "blender_manifest.toml", "__init__.py", "registration.py", "panels.py", "uploader.py"} <= set(
        names
    )
    assert names == sorted(names)
    assert not [name for name in names if "/" in name or name.endswith(".pyc")]
    assert b"import click" not in sources
    assert b"import rich" not in sources


def test_every_module_that_the_extension_imports_is_in_it(builder: dict[str, Any], tmp_path: Path) -> None:
    with zipfile.ZipFile(builder["build"](PROJECT / "addon", tmp_path)) as archive:
        modules = {name.removesuffix(".py") for name in archive.namelist() if name.endswith(".py")}
        for name in modules:
            for node in ast.walk(ast.parse(archive.read(f"{name}.py"))):
                if isinstance(node, ast.ImportFrom) and node.level == 1:
                    imported = {node.module} if node.module else {alias.name for alias in node.names}
                    assert imported <= modules, f"{name}.py: {ast.unparse(node)}"


def test_the_same_sources_give_the_same_bytes(builder: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "addon"
    copy.mkdir()
    for path in sources(PROJECT / "addon"):
        target = copy / path.name
        target.write_bytes(path.read_bytes())
        os.utime(target, (1, 1))
        target.chmod(0o600)
    (copy / "cli.py").write_text("import click\n")
    first = builder["build"](PROJECT / "addon", tmp_path / "first")
    second = builder["build"](copy, tmp_path / "second")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_the_extension_has_the_projects_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    manifest = tomllib.loads((PROJECT / "addon" / "blender_manifest.toml").read_text())
    assert manifest["version"] == project["project"]["version"]


def test_the_coordinator_serves_the_same_bytes(builder: dict[str, Any], tmp_path: Path) -> None:
    assert build_extension().data == builder["build"](PROJECT / "addon", tmp_path).read_bytes()
