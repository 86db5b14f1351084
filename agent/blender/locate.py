"""Finding a Blender on this machine: the ``bpy`` module of this Python, or a ``blender`` executable."""

import glob
import importlib.metadata
import importlib.util
import os
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
    "~/blender*/blender",
    "/snap/bin/blender",
    "/var/lib/flatpak/exports/bin/org.blender.Blender",
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


@dataclass(frozen=True, slots=True)
class Useless:
    """Something that looks like a Blender and cannot render for the farm."""

    path: Path
    why: str
    """A sentence."""


def find_blender(wanted: str | None, paths: Iterable[str] = ()) -> Blender:
    """Return the Blender to render with: the one that is ``wanted``, or the first of :func:`find_blenders`.

    Raises:
        NoBlenderError: there is none, it does not start, or it is too old.
    """
    return find_blenders(wanted, paths)[0]


def find_blenders(
    wanted: str | None, paths: Iterable[str] = (), *, places: Iterable[str] = USUAL_PLACES
) -> list[Blender]:
    """Return the Blenders that could render, the newest first (executables before a module of the same version).

    Args:
        wanted: a path, or ``bpy``: that one alone.
        paths: glob patterns of executables to look at as well.
        places: the usual ones.

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
        return [_check_version(module)]
    if wanted is not None:
        return [_check_version(_ask_version(Path(wanted)))]
    found = survey(paths, places=places)
    good = [blender for blender in found if isinstance(blender, Blender)]
    if not good:
        useless = [blender.why for blender in found if isinstance(blender, Useless)]
        raise NoBlenderError(
            useless[0]
            if useless
            else "No Blender was found: install Blender, or the bpy module (pip install bpy), or say where it is "
            "with --blender or RENDERFARM_BLENDER."
        )
    return sorted(good, key=lambda blender: blender.version, reverse=True)


def survey(paths: Iterable[str] = (), *, places: Iterable[str] = USUAL_PLACES) -> list[Blender | Useless]:
    """Return every Blender that is found, and what is wrong with those that will not do.

    Args:
        paths: glob patterns of executables to look at first.
        places: the usual ones.
    """
    found: list[Blender | Useless] = []
    for path in _executables([*paths, *places]):
        try:
            found.append(_check_version(_ask_version(path)))
        except NoBlenderError as error:
            found.append(Useless(path, str(error)))
    module = _find_module()
    if module is not None:
        try:
            found.append(_check_version(module))
        except NoBlenderError as error:
            found.append(Useless(module.path, str(error)))
    return found


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
        # Unlike Path's, these raise for nothing that a person may write.
        found += map(Path, sorted(glob.glob(os.path.expanduser(pattern))))  # noqa: PTH111, PTH207 - see above
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
