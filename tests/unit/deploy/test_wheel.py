"""What pip installs of this project: every file of the rooms, those that are no Python too."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from coordinator.extension import build_extension

PROJECT = Path(__file__).resolve().parents[3]
ROOMS = ("addon", "agent", "coordinator", "web")


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_rooms(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for room in ROOMS:
        shutil.copytree(PROJECT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml", "renderfarm.py"):
        shutil.copy(PROJECT / name, source)
    expected = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}

    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", ".", "-w", tmp_path],
        cwd=source,
        check=True,
        timeout=120,
    )

    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path / "installed")
    assert held == expected - {"LICENSE", "README.md", "pyproject.toml"}

    # What was installed makes the same Blender extension as a checkout does.
    program = (
        "import sys; from coordinator.extension import build_extension; sys.stdout.buffer.write(build_extension().data)"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "installed", check=True, timeout=60, stdout=subprocess.PIPE
    )
    assert made.stdout == build_extension(PROJECT / "addon").data
