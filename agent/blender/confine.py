"""Whether Blender can be shut in on this machine: tried, not guessed."""

import asyncio
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from agent.blender.command import HOST
from agent.blender.locate import Blender
from agent.blender.sandbox import FIRST_GUEST, Bounds, Cell, Sandbox, sandbox_environment
from agent.blender.session import Session, SessionError
from coordinator.protocol import Device

log = logging.getLogger(__name__)

#: Blender may have to be loaded from a cold disk (seconds).
TRIAL_TIMEOUT = 60.0

#: Folders of the system beside /usr: links into it, on most machines.
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

#: Processes and threads that a Blender may have: these, and so many for each processor.  Blender's own libraries keep
#: some four threads for each.
_PROCESSES = 256
_PROCESSES_EACH = 16

#: Since this Linux a user's processes are counted for each user namespace; before, all over the machine.
_COUNTS_BY_NAMESPACE = (5, 14)

_CARDS = ("nvidia*", "dri", "kfd")


class NoSandboxError(Exception):
    """There is no sandbox on this machine; the text says why, and what to do."""


async def arrange_sandbox(wanted: str, blender: Blender, folder: Path, device: Device) -> tuple[Sandbox | None, str]:
    """Return the machine's sandbox as a person wants it, or None and why there is none.

    Args:
        wanted: ``auto``, ``on`` or ``off``.
        blender: what is to run in it.
        folder: the agent's folder, which nothing in the sandbox may see.
        device: what renders; a Blender that does not find it in the sandbox cannot use the sandbox.

    Raises:
        NoSandboxError: it is to be ``on``, and there is none.
    """
    if wanted == "off":
        log.warning("Blender runs without a sandbox: RENDERFARM_SANDBOX is off.")
        return None, "It was turned off (RENDERFARM_SANDBOX)."
    try:
        sandbox = await asyncio.to_thread(find_sandbox, blender, folder, cards=device != Device.CPU)
        if device != Device.CPU:
            await _look_for(device, sandbox, blender)
    except NoSandboxError as error:
        if wanted == "on":
            raise NoSandboxError(f"RENDERFARM_SANDBOX is on, and there is no sandbox here. {error}") from error
        log.warning("Blender runs without a sandbox, and scenes see what this user sees. %s", error)
        return None, str(error)
    return sandbox, ""


def find_sandbox(blender: Blender, folder: Path, *, cards: bool) -> Sandbox:
    """Return the sandbox for a machine's Blender, which was seen to start in it.

    Args:
        blender: what is to run in it.
        folder: the agent's folder, which nothing in the sandbox may see.
        cards: a graphics card renders.

    Raises:
        NoSandboxError: there is none, or Blender does not start in it.
    """
    if not sys.platform.startswith("linux"):
        raise NoSandboxError("The sandbox needs Linux.")
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise NoSandboxError("bubblewrap is not installed (apt-get install bubblewrap).")
    nodes = _cards() if cards else ()
    sandbox = Sandbox(
        bwrap=Path(bwrap),
        bounds=Bounds(
            memory_bytes=psutil.virtual_memory().total,
            processes=_most_processes(),
        ),
        system=_system(),
        readable=_readable(blender),
        hidden=folder.resolve(),
        cards=nodes,
        card_groups=tuple(sorted(_groups(nodes))),
        as_root=os.geteuid() == 0,
        no_namespaces=_knows_disable_userns(bwrap),
    )
    _try(sandbox, blender)
    return sandbox


def give_to_guest(folder: Path, slot: int) -> None:
    """Make a folder one that the Blender of a slot can write into."""
    if os.geteuid() == 0:
        os.chown(folder, FIRST_GUEST + slot, FIRST_GUEST + slot)


def _readable(blender: Blender) -> tuple[Path, ...]:
    if blender.kind == "bpy":
        program = "import sys; print(sys.prefix, sys.base_prefix, sep='\\n')"
        asked = subprocess.run(
            [str(blender.path), "-I", "-c", program],
            capture_output=True,
            text=True,
            timeout=TRIAL_TIMEOUT,
            check=False,
        )
        folders = [Path(line) for line in asked.stdout.splitlines()]
    else:
        folders = [blender.path.resolve().parent]
    home = Path.home()
    for folder in folders:
        if home.is_relative_to(folder):
            raise NoSandboxError(f"Blender lies in {folder} itself; move it into a folder of its own.")
    ours = [HOST.parent, HOST.parents[1] / "__init__.py"]
    return tuple(path for path in dict.fromkeys([*folders, *ours]) if not path.is_relative_to("/usr"))


def _system() -> tuple[str, ...]:
    arguments: list[str] = []
    for path in (Path("/", name) for name in _SYSTEM):
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    return tuple(arguments)


def _cards() -> tuple[Path, ...]:
    return tuple(sorted(path for pattern in _CARDS for path in Path("/dev").glob(pattern)))


def _groups(nodes: Iterable[Path]) -> set[int]:
    """Return the groups that own device nodes; root's says nothing."""
    devices = [device for node in nodes for device in (node.iterdir() if node.is_dir() else [node])]
    return {device.stat().st_gid for device in devices if not device.is_dir()} - {0}


def _most_processes() -> int | None:
    """Return how many processes and threads a session may have, None where a limit would count others as well."""
    kernel = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
    if os.geteuid() != 0 and kernel < _COUNTS_BY_NAMESPACE:
        return None
    return _PROCESSES + _PROCESSES_EACH * (psutil.cpu_count() or 1)


def _knows_disable_userns(bwrap: str) -> bool:
    # 0.8 and newer; one that is installed setuid refuses it.
    options = subprocess.run([bwrap, "--help"], capture_output=True, text=True, timeout=TRIAL_TIMEOUT, check=False)
    return "--disable-userns" in options.stdout and not Path(bwrap).stat().st_mode & 0o4000


def _try(sandbox: Sandbox, blender: Blender) -> None:
    """Have Blender start in the sandbox and write a file there.

    Raises:
        NoSandboxError: it cannot.
    """
    start = ["-I", "-c", "import zlib"] if blender.kind == "bpy" else ["--version"]
    with _trial_cell(sandbox) as cell:
        written = cell.output / "written"
        program = ["sh", "-c", 'echo >"$1" && shift && exec "$@"', "sh", str(written), str(blender.path), *start]
        try:
            done = subprocess.run(
                sandbox.command(cell, program),
                env=sandbox_environment(os.environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TRIAL_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoSandboxError(f"Blender did not start in the sandbox: {error}") from error
        if done.returncode != 0 or not written.exists():
            said = done.stderr.strip().splitlines()[-1:] or [f"it ended with exit status {done.returncode}"]
            raise NoSandboxError(f"Blender did not start in the sandbox: {said[0]}")


async def _look_for(device: Device, sandbox: Sandbox, blender: Blender) -> None:
    """Have Blender find the devices that are to render, in the sandbox.

    Raises:
        NoSandboxError: it does not.
    """
    cells = _trial_cell(sandbox)
    cell = await asyncio.to_thread(cells.__enter__)
    try:
        session = await Session.start(blender, cell.output / "log", None, (sandbox, cell))
        try:
            described = await session.describe(devices=True)
        finally:
            await session.kill()
    except SessionError as error:
        raise NoSandboxError(f"Blender cannot look for graphics cards in the sandbox: {error.message}") from error
    finally:
        await asyncio.to_thread(cells.__exit__, None, None, None)
    if all(found.type != device for found in described.devices):
        raise NoSandboxError(f"Blender finds no {device} device in the sandbox; its driver needs more than that shows.")


@contextmanager
def _trial_cell(sandbox: Sandbox) -> Iterator[Cell]:
    """Make a cell that there is nothing in."""
    with tempfile.TemporaryDirectory(prefix="renderfarm-", dir=_parent(sandbox.hidden)) as name:
        pack, output, temporary = (Path(name, part) for part in ("pack", "output", "tmp"))
        for folder in (pack, output, temporary):
            folder.mkdir(mode=0o755)
            give_to_guest(folder, 0)
        yield Cell(pack=pack, output=output, temporary=temporary, slot=0)


def _parent(folder: Path) -> Path:
    """Return the nearest folder there is: a trial elsewhere would say nothing of the agent's own file system."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())
