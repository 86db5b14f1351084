"""deploy/setup.sh and the Makefile: what they say to whom, without installing anything."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
SETUP = PROJECT / "deploy" / "setup.sh"
NOBODY = 65534


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A copy of what set-up needs, without a virtual environment, and a ``bin`` to be its whole PATH.

    Everybody may read it: set-up runs in it as an ordinary user, also when root runs the tests.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        shutil.copytree(PROJECT / "deploy", path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "pyproject.toml", path)
        (path / "bin").mkdir()
        for tool in ("bash", "dirname", "env", "head", "sed", "sort", "tail", "true"):
            (path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
        yield path


def stub(checkout: Path, name: str, script: str) -> None:
    """Put a small program of ours into the checkout's PATH."""
    path = checkout / "bin" / name
    path.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def set_up(checkout: Path, level: str = "demo") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "deploy" / "setup.sh", level],
        env={"PATH": str(checkout / "bin"), "HOME": str(checkout)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        user=NOBODY if os.geteuid() == 0 else None,
    )


def test_an_unknown_level_is_named(checkout: Path) -> None:
    done = set_up(checkout, "everything")
    assert done.returncode == 1
    assert done.stderr == "set-up stopped: 'everything' is not one of demo, check, test.\n"


def test_without_a_fitting_python_it_says_which_is_needed(checkout: Path) -> None:
    stub(checkout, "python3", '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    done = set_up(checkout)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, and python3 here is Python 3.9.2" in done.stderr
    assert not (checkout / ".venv").exists()


# It lacks libEGL and ensurepip, as on a fresh Debian.
BARE_PYTHON = """
case "$*" in
    *ctypes*libEGL*|*ensurepip*) exit 1 ;;
    *sys.executable*) echo "$0" ;;
    *%d.%d*) echo 3.11 ;;
esac
"""
INSTALL = "apt-get install --no-install-recommends python3.11-venv libegl1"


def test_without_root_and_sudo_it_names_the_line_to_run(checkout: Path) -> None:
    stub(checkout, "python3", BARE_PYTHON)
    stub(checkout, "apt-get", "exit 99")
    done = set_up(checkout)
    assert done.returncode == 1
    assert f"neither root nor has it sudo; have an administrator run: {INSTALL}\n" in done.stderr


def test_when_sudo_wants_a_password_that_nobody_can_type_it_names_the_line_to_run(checkout: Path) -> None:
    stub(checkout, "python3", BARE_PYTHON)
    stub(checkout, "apt-get", "exit 99")
    stub(checkout, "sudo", '[ "$1" = -n ] && exit 1; sleep 60')
    done = set_up(checkout)
    assert done.returncode == 1
    assert f"sudo refused; have an administrator run: {INSTALL}\n" in done.stderr


def test_what_is_missing_is_installed_at_one_go_and_only_that(checkout: Path) -> None:
    stub(checkout, "python3", BARE_PYTHON)
    stub(checkout, "sudo", 'shift; exec "$@"')
    stub(checkout, "apt-get", 'echo "$@" >&2; [[ "$*" != *install* ]]')
    done = set_up(checkout)
    assert done.returncode == 1
    assert "needs libegl1: Blender loads libEGL.so.1\n" in done.stderr
    assert "--yes --no-install-recommends python3.11-venv libegl1\n" in done.stderr
    assert f"apt-get could not install; see above, or run yourself: {INSTALL}\n" in done.stderr


def test_where_there_is_no_apt_it_names_the_packages(checkout: Path) -> None:
    stub(checkout, "python3", BARE_PYTHON)
    done = set_up(checkout)
    assert done.returncode == 1
    assert "needs libegl1: Blender loads libEGL.so.1" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("system's own tool: python3.11-venv libegl1.")


def test_the_agents_image_holds_what_blender_loads_and_what_shuts_it_in() -> None:
    table = re.search(r"<<'LIBRARIES'\n(.*?)\nLIBRARIES", SETUP.read_text(encoding="utf-8"), re.DOTALL)
    assert table
    packages = {line.split()[1] for line in table[1].splitlines()}
    dockerfile = (PROJECT / "deploy/docker/agent.Dockerfile").read_text(encoding="utf-8")
    installed = re.search(r"--no-install-recommends \\\n(.*?)\\\n", dockerfile)
    assert installed
    assert set(installed[1].split()) == packages | {"bubblewrap"}


def make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("arguments", [["demo", "--", "--exit"], ["demo", "ARGS=--exit"]])
def test_exit_reaches_the_demo(arguments: list[str]) -> None:
    assert "examples.demo --exit\n" in make("--dry-run", *arguments)


def test_help_lists_the_tasks() -> None:
    shown = make("help")
    for task in ("demo", "addon", "check", "test", "bench"):
        assert f"make {task} " in shown
