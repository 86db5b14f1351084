"""Has a Blender of this computer look into a .blend, for the terminal."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .blend_header import BlendHeader
from .snapshot import Dependency, SceneSnapshot, dependency_from_plain, snapshot_from_plain

#: What starts :mod:`headless` in Blender's own Python: only this package is added to what that Python has, since the
#: terminal's other packages are built for another one.
_PROGRAM = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("addon", {init!a}, submodule_search_locations=[{folder!a}])
sys.modules["addon"] = importlib.util.module_from_spec(spec)
from addon import headless
headless.main({blend!a}, {scene!a}, {answer!a})
"""


class InspectionError(Exception):
    """Blender cannot tell what is in the file; the text is a sentence or two for people."""


@dataclass(frozen=True)
class Inspection:
    """What is in a .blend."""

    snapshot: SceneSnapshot
    dependencies: tuple[Dependency, ...]


def find_blender(wanted: str | None) -> list[str]:
    """Return the start of a command line that runs a Python program in Blender, the program to follow.

    ``wanted`` is the path of a Blender or ``bpy`` for this Python's module; None takes the module or what is on PATH.

    Raises:
        InspectionError: there is none.
    """
    if wanted in (None, "bpy") and importlib.util.find_spec("bpy") is not None:
        return [sys.executable, "-c"]
    executable = shutil.which(wanted or "blender")
    if executable is None:
        raise InspectionError(
            f"There is no Blender at {wanted}; set RENDERFARM_BLENDER to where it is."
            if wanted
            else "There is no Blender on this computer to read the file with; install it, or set RENDERFARM_BLENDER to "
            "where it is."
        )
    return [executable, "--background", "--factory-startup", "-noaudio", "--python-exit-code", "1", "--python-expr"]


def inspect(blend: Path, header: BlendHeader, scene: str | None, blender: list[str]) -> Inspection:
    """Return what Blender finds in the file, in the named scene or else the active one.

    Raises:
        InspectionError: it cannot be opened, or has no such scene.
    """
    with tempfile.TemporaryDirectory(prefix="renderfarm-") as folder:
        answer, log = Path(folder, "answer.json"), Path(folder, "log")
        here = Path(__file__).parent
        program = _PROGRAM.format(
            init=str(here / "__init__.py"),
            folder=str(here),
            blend=str(blend.absolute()),
            scene=scene,
            answer=str(answer),
        )
        with log.open("wb") as output:
            ended = subprocess.run(
                [*blender, program],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )
        if not answer.exists():
            raise InspectionError(
                f"Blender cannot be started: {_last_line(log) or f'it ended with {ended.returncode}'}"
            )
        if ended.returncode == -9:  # SIGKILL, which Windows does not name
            raise InspectionError(
                f"Blender was stopped while it read {blend.name}, probably for want of memory; close other programs."
            )
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        raise InspectionError(_refusal(blend, header, scene, found))
    return Inspection(
        snapshot_from_plain(found["snapshot"]),
        tuple(dependency_from_plain(plain) for plain in found["dependencies"]),
    )


def _refusal(blend: Path, header: BlendHeader, scene: str | None, found: dict[str, Any]) -> str:
    if found["error"] == "no_scene":
        return f"{blend.name} has no scene named “{scene}”; it has: {', '.join(found['scenes'])}."
    here = (found["blender"][0], found["blender"][1])
    if header.version is not None and header.version > here:
        newer, older = (".".join(map(str, version)) for version in (header.version, here))
        return (
            f"{blend.name} was saved by Blender {newer}, which this computer's Blender {older} cannot read; set "
            f"RENDERFARM_BLENDER to a Blender {newer} or newer."
        )
    return (
        f"{blend.name} is damaged: Blender cannot open it; try File → Recover → Auto Save in Blender, or its backup "
        f"{blend.name}1."
    )


def _last_line(log: Path) -> str:
    # An executable says that it quits whatever the reason.
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip() not in ("", "Blender quit")]
    return said[-1] if said else ""
