"""Finding a Blender on this machine: the ``bpy`` module of this Python, or a ``blender`` executable."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: The oldest Blender that renders for the farm.
MINIMUM_VERSION = (4, 2, 0)

#: ``blender --version`` may have to load its libraries from a cold disk (seconds).
VERSION_TIMEOUT = 60.0

_VERSION_LINE = re.compile(r"^Blender (\d+)\.(\d+)(?:\.(\d+))?", re.MULTILINE)

#: Where Blender is found when it is not on PATH; the folder's name often carries the version.
USUAL_PLACES = (
    "/opt/blender*/blender",
    "/usr/local/blender*/blender",
    "/snap/bin/blender",
    "/Applications/Blender*.app/Contents/MacOS/Blender",
)


class NoBlenderError(Exception):
    """There is no Blender to render with; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Blender:
    """A Blender that can render for the farm."""

    version: tuple[int, int, int]
    kind: Literal["bpy", "executable"]
    path: Path
    """The executable; for ``bpy`` the Python that imports it."""


def find_blender(wanted: str | None, *, places: Iterable[str] = USUAL_PLACES) -> Blender:
    """Return the Blender to render with.

    Args:
        wanted: a path, ``bpy``, or None for the newest there is (an executable before a module of the same version).
        places: glob patterns of executables to look at beside PATH.

    Raises:
        NoBlenderError: there is none, it does not start, or it is too old.
    """
    if wanted == "bpy":
        module = _find_module()
        if module is None:
            raise NoBlenderError(
                f"The Python {sys.executable} has no bpy module; "
                "install it (pip install bpy) or name a blender executable."
            )
        return _check_version(module)
    if wanted is not None:
        return _check_version(_ask_version(Path(wanted)))
    found: list[Blender] = []
    for path in _executables(places):
        try:
            found.append(_ask_version(path))
        except NoBlenderError:
            continue  # one of several candidates; a person asked for none of them by name
    module = _find_module()
    if module is not None:
        found.append(module)
    if not found:
        raise NoBlenderError(
            "No Blender was found: install Blender, or the bpy module (pip install bpy), or say where it is "
            "with --blender or RENDERFARM_BLENDER."
        )
    # max() keeps the first of equals: executables come before the module.
    return _check_version(max(found, key=lambda blender: blender.version))


def parse_version(output: str) -> tuple[int, int, int] | None:
    """Return the version that ``blender --version`` printed, or None."""
    match = _VERSION_LINE.search(output)
    if match is None:
        return None
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


def _check_version(blender: Blender) -> Blender:
    if blender.version < MINIMUM_VERSION:
        here, least = (".".join(map(str, version[:2])) for version in (blender.version, MINIMUM_VERSION))
        raise NoBlenderError(f"Blender {here} at {blender.path} is too old; the farm needs {least} or newer.")
    return blender


def _find_module() -> Blender | None:
    # Its metadata tells the version: importing it would load all of Blender into the agent.
    if importlib.util.find_spec("bpy") is None:
        return None
    try:
        numbers = importlib.metadata.version("bpy").split(".")
    except importlib.metadata.PackageNotFoundError:
        return None
    major, minor, patch = (int(re.sub(r"\D.*", "", number) or 0) for number in (*numbers, "0", "0")[:3])
    return Blender((major, minor, patch), "bpy", Path(sys.executable))


def _executables(places: Iterable[str]) -> list[Path]:
    on_path = shutil.which("blender")
    found = [Path(on_path)] if on_path else []
    for pattern in places:
        found += sorted(Path("/").glob(pattern.lstrip("/")))
    return list(dict.fromkeys(found))


def _ask_version(path: Path) -> Blender:
    try:
        answer = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoBlenderError(f"{path} did not tell its version within {VERSION_TIMEOUT:.0f} seconds.") from error
    except OSError as error:
        raise NoBlenderError(f"Blender at {path} cannot be started: {error.strerror}.") from error
    version = parse_version(answer.stdout)
    if version is None:
        complaint = (answer.stderr or answer.stdout).strip().splitlines()[-1:] or ["it printed nothing"]
        raise NoBlenderError(f"{path} is not a Blender that works here: {complaint[0]}")
    return Blender(version, "executable", path)
