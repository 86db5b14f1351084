"""`make demo` as a stranger meets it: from nothing to a film, stopped half-way, and where it cannot work."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import psutil
import pytest

from tests.e2e.farm import PATIENCE, clean_environment

PROJECT = Path(__file__).resolve().parents[2]
QUICK = ["--", "--percent", "10", "--samples", "1"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_demo() -> Iterator[Start]:
    """Starts demos; those that still run when the test is over are stopped."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        demo = subprocess.Popen(
            [sys.executable, "-m", "examples.demo", "--folder", str(folder), *arguments],
            cwd=PROJECT,
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(demo)
        return demo

    yield start
    for demo in started:
        with demo:
            demo.terminate()


def read_until(demo: subprocess.Popen[str], beginning: str) -> None:
    """Read what the demo prints until a line begins like that."""
    assert demo.stdout
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if line.startswith(beginning):
            return
    raise AssertionError(f"the demo ended before it said {beginning!r}: {''.join(lines)}")


def working_in(folder: Path) -> list[str]:
    """The processes that a demo in that folder left behind."""
    command_lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [line for line in command_lines if str(folder) in line]


def test_it_ends_with_a_film_that_holds_every_frame(start_demo: Start, tmp_path: Path) -> None:
    demo = start_demo(tmp_path / "demo", "--exit", *QUICK)
    output, _ = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 0, output
    shown = re.search(r"^Film: +(.+)$", output, re.MULTILINE)
    assert shown, output
    assert imageio_ffmpeg.count_frames_and_secs(shown[1])[0] == len(list(Path(shown[1]).parent.glob("*.png"))) == 36
    assert re.search(r"^Web page: http://127\.0\.0\.1:\d+/#token=rf_admin_\S+$", output, re.MULTILINE)
    assert working_in(tmp_path) == []


@pytest.mark.parametrize("moment", ["Making a scene", "Starting", "Submitted"])
def test_stopped_half_way_it_leaves_nothing_running(start_demo: Start, tmp_path: Path, moment: str) -> None:
    demo = start_demo(tmp_path / "demo", *QUICK)
    read_until(demo, moment)

    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 130
    assert "Traceback" not in output
    assert working_in(tmp_path) == []


def test_where_blender_cannot_run_it_says_so_with_the_logs_end(start_demo: Start, tmp_path: Path) -> None:
    broken = tmp_path / "blender"
    broken.write_text("#!/bin/sh\necho 'this is no Blender'; exit 3\n", encoding="utf-8")
    broken.chmod(0o755)

    demo = start_demo(tmp_path / "demo", RENDERFARM_BLENDER=str(broken))
    output, _ = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 1
    assert "Blender could not make the scene." in output
    assert "this is no Blender" in output
    assert "Traceback" not in output


def test_a_folder_that_holds_something_else_is_left_alone(start_demo: Start, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    demo = start_demo(tmp_path)
    output, _ = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 1
    assert "holds something else" in output
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
