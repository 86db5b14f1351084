"""The Blenders of this machine: found, complete, and started for a look at what they can do."""

import ctypes
import importlib.util
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.blender.abilities import find_abilities
from agent.blender.locate import Blender, NoBlenderError, Useless, find_blenders, survey
from agent.blender.output import Described
from agent.blender.session import Limits, SessionError
from agent.doctor.findings import Finding, fail, ok, warn
from agent.gpus import Card
from coordinator.protocol import Device

#: Which of Debian's and Ubuntu's packages bring the libraries that Blender loads (docs/FACTS.md).
_PACKAGES = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libgomp.so.1": "libgomp1",
}

_NOT_FOUND = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)

_LDD_TIMEOUT = 60.0

_INSTALL = "pip install bpy, or unpack a Blender of https://www.blender.org/download/ into /opt"


def look_for_blenders(wanted: str | None, paths: Sequence[str]) -> tuple[list[Finding], list[Blender]]:
    """Return what is found, and the Blenders that could render, the one that would be taken first."""
    try:
        blenders = find_blenders(wanted, paths)
    except NoBlenderError as error:
        return [fail("blender", str(error), _INSTALL)], []
    found = survey(paths) if wanted is None else []
    findings = [
        warn("blender", f"{it.path} is passed over: {it.why}", "remove it, or leave it: it is not used")
        for it in found
        if isinstance(it, Useless)
    ]
    for number, blender in enumerate(blenders):
        chosen = " renders for the farm" if number == 0 else " is there too (RENDERFARM_BLENDER picks one)"
        findings.append(ok("blender", f"{named(blender)}{chosen}."))
    return findings, blenders


def check_libraries(blender: Blender) -> Finding | None:
    """Return which libraries a Blender lacks; None where nobody can tell."""
    try:
        listing = subprocess.run(
            ["ldd", str(_binary(blender))],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LDD_TIMEOUT,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # not Linux
    missing = list(dict.fromkeys(_NOT_FOUND.findall(listing)))
    if missing:
        return fail("libraries", f"{named(blender)} lacks {', '.join(missing)}, and does not start.", _bring(missing))
    if sys.platform.startswith("linux") and not _loads("libEGL.so.1"):
        return warn(
            "libraries",
            "libEGL.so.1 is missing: EEVEE and Workbench end Blender without it.",
            _bring(["libEGL.so.1"]),
        )
    return ok("libraries", f"{named(blender)} has every library it loads.")


async def try_blender(
    blender: Blender, cards: Sequence[Card], environment: Mapping[str, str], folder: Path, limits: Limits | None = None
) -> tuple[list[Finding], Described | None]:
    """Start a Blender; return what it can do.

    Args:
        blender: the one to start.
        cards: the machine's.
        environment: of this process.
        folder: for its output; nothing is remembered from another time.
        limits: how long it may take.
    """
    try:
        described = await find_abilities(blender, cards, environment, folder, folder / "doctor.log", limits)
    except SessionError as error:
        if error.code == "not_started":
            mend = "see the line on libraries above; else install Blender anew"
            return [fail("start", f"{named(blender)} does not start: {error.message}", mend)], None
        mend = "RENDERFARM_DEVICE=CPU renders without; mend the driver of the graphics card"
        return [warn("start", f"{named(blender)} cannot look for devices: {error.message}", mend)], None
    denoisers = ", ".join(described.denoisers)
    findings = [ok("start", f"{named(blender)} starts; engines: {', '.join(described.engines) or 'none'}.")]
    if denoisers:
        findings.append(ok("denoiser", f"Cycles denoises with {denoisers}."))
    elif "CYCLES" in described.engines:
        findings.append(
            warn(
                "denoiser",
                f"{named(blender)} was built without a denoiser: scenes that use one fail, or come out noisy.",
                "use the Blender of https://www.blender.org/download/ in place of the distribution's",
            )
        )
    kinds = dict.fromkeys(device.type for device in described.devices if device.type != Device.CPU)
    findings.append(ok("devices", f"Cycles computes on {', '.join([*kinds, 'the processor'])}."))
    return findings, described


def named(blender: Blender) -> str:
    """Return how a Blender is spoken of."""
    where = "the module bpy" if blender.kind == "bpy" else str(blender.path)
    return f"Blender {'.'.join(map(str, blender.version))} ({where})"


def _binary(blender: Blender) -> Path:
    """Return the file that loads the libraries."""
    module = importlib.util.find_spec("bpy") if blender.kind == "bpy" else None
    return Path(module.origin) if module is not None and module.origin else blender.path.resolve()


def _bring(libraries: Sequence[str]) -> str:
    packages = [_PACKAGES[library] for library in libraries if library in _PACKAGES]
    unknown = [library for library in libraries if library not in _PACKAGES]
    install = f"sudo apt-get install --no-install-recommends {' '.join(packages)}" if packages else ""
    search = f"apt-file search {' '.join(unknown)}" if unknown else ""
    return "; ".join(filter(None, (install, search)))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
