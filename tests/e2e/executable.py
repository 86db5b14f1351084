"""A ``blender`` executable for tests: the one in the Debian root that ``deploy/window_root.sh`` makes."""

import shlex
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.farm import PATIENCE

PROJECT = Path(__file__).parents[2]

WINDOW_ROOT = PROJECT / "deploy" / "window_root.sh"

#: Seconds to make the root in, where it was not made yet.
ROOT_PATIENCE = 900.0


def make_window_root() -> Path:
    """Make the root unless it is there, and return it."""
    done = subprocess.run([WINDOW_ROOT], capture_output=True, text=True, timeout=ROOT_PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def make_executable(folder: Path) -> Path:
    """Write a ``blender`` into ``folder`` that runs the root's Blender as if it were installed here.

    It sees this project (and cannot change it), the temporary folder and the folder that holds ``folder``, each at its
    own path; what is given to it, such as open pipes and its environment, reaches Blender.
    """
    root = make_window_root()
    temporary = tempfile.gettempdir()
    arguments = [
        *("--ro-bind", f"{root}/usr", "/usr", "--ro-bind", f"{root}/etc", "/etc"),
        *(part for name in ("bin", "lib", "lib64") for part in ("--symlink", f"usr/{name}", f"/{name}")),
        *("--dev", "/dev", "--proc", "/proc", "--bind", temporary, temporary),
        *("--ro-bind", str(PROJECT), str(PROJECT), "--bind", str(folder.parent), str(folder.parent)),
        "--die-with-parent",
    ]
    executable = folder / "blender"
    executable.write_text(f'#!/bin/sh\nexec bwrap {shlex.join(arguments)} /usr/bin/blender "$@"\n')
    executable.chmod(0o755)
    return executable


def render_plainly(executable: Path, blend: Path, folder: Path, *frames: int) -> list[Path]:
    """Render frames of a file into ``folder`` as a person would at a command line; return the files in order."""
    wanted = [word for frame in frames for word in ("--render-frame", str(frame))]
    subprocess.run(
        [str(executable), "--background", str(blend), "--render-output", f"{folder}/####", *wanted],
        stdout=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=True,
    )
    return sorted(folder.iterdir())
