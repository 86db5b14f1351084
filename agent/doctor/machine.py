"""The machine itself: graphics cards and their drivers, the agent's folder, the sandbox."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent.blender.confine import NoSandboxError, find_sandbox
from agent.blender.locate import Blender
from agent.blender.output import Described
from agent.devices import DeviceError, Wish, choose
from agent.doctor.findings import Finding, fail, ok, warn
from agent.gpus import Gpus
from coordinator.protocol import Device

GIGABYTE = 1024**3

#: Free space below which an agent is soon full: a pack, its textures and some frames.
_LITTLE = 20 * GIGABYTE
_TOO_LITTLE = GIGABYTE

#: PCI's vendor numbers, and the class of what draws.
_NVIDIA, _AMD = "0x10de", "0x1002"
_DISPLAY = "0x03"

_PCI = Path("/sys/bus/pci/devices")
_KFD = Path("/dev/kfd")
_SYSCTL = Path("/proc/sys")

#: Settings of the kernel that keep ordinary users from making a sandbox, as they are then and as they must be.  The
#: first is Ubuntu's (from 24.04), the second Debian's; any Linux may have the third.
_NO_NAMESPACES = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "15000"),
)


def check_drivers(gpus: Gpus, wish: Wish, *, pci: Path = _PCI, kfd: Path = _KFD) -> list[Finding]:
    """Return whether each kind of card has its driver."""
    findings = [ok("driver", f"{card.name} has driver {card.driver}.") for card in gpus.cards]
    vendors = _vendors(pci)
    asked = wish.kind in (Device.CUDA, Device.OPTIX)
    for lost in gpus.lost:
        tell = fail if asked and not gpus.cards else warn
        findings.append(tell("driver", lost, "nvidia-smi -q; then restart the machine"))
    if gpus.trouble is not None and (_NVIDIA in vendors or asked):
        tell = fail if asked else warn
        findings.append(tell("driver", f"There is no telling of NVIDIA cards: {gpus.trouble}.", _driver(gpus.trouble)))
    if _AMD in vendors and not kfd.exists():
        tell = fail if wish.kind == Device.HIP else warn
        message = f"There is an AMD card and no {kfd}, by which HIP reaches it."
        findings.append(tell("driver", message, "sudo modprobe amdgpu; then install ROCm's HIP runtime"))
    return findings or [ok("driver", "There is no graphics card that needs a driver: the processor renders.")]


def check_devices(wish: Wish, described: Described, gpus: Gpus) -> list[Finding]:
    """Return what slots would render with, and the cards that Blender does not see."""
    ids = [device.id for device in described.devices]
    findings = [
        warn(
            "devices",
            f"{card.name} ({card.place}) has a driver, but Cycles does not see it.",
            "in a container, start it with NVIDIA_DRIVER_CAPABILITIES=all; else update the driver, and use the Blender "
            "of https://www.blender.org/download/: a distribution's may lack the kernels",
        )
        for card in gpus.cards
        if wish.kind != Device.CPU and not any(card.place in name for name in ids)
    ]
    try:
        choice = choose(wish, described.devices, gpus.cards)
    except DeviceError as error:
        return [*findings, fail("slots", str(error), "RENDERFARM_DEVICE=auto takes the best there is")]
    return [*findings, ok("slots", f"{len(choice.slots)} slot(s): {', '.join(slot.text for slot in choice.slots)}.")]


def check_folder(folder: Path) -> list[Finding]:
    """Return whether the agent can write into its folder, and how much fits."""
    existing = folder
    try:
        while not _exists(existing):
            existing = existing.parent
        with tempfile.NamedTemporaryFile(dir=existing):
            pass
    except OSError as error:
        mend = f"sudo chown -R {os.geteuid()} {existing}; or name another folder with --dir"
        return [fail("folder", f"The agent cannot write into {existing}: {error.strerror}.", mend)]
    free = shutil.disk_usage(existing).free
    gigabytes = f"{free / GIGABYTE:.1f} GiB are free for {folder}"
    mend = "make room, or name a folder on another disk with --dir"
    if free < _TOO_LITTLE:
        return [fail("folder", f"Only {gigabytes}: no frame will fit for long.", mend)]
    if free < _LITTLE:
        return [warn("folder", f"{gigabytes}; scenes with many textures need more.", mend)]
    return [ok("folder", f"{gigabytes}.")]


def check_sandbox(
    wanted: str, blenders: Sequence[Blender], folder: Path, *, cards: bool, sysctl: Path = _SYSCTL
) -> Finding:
    """Return whether scenes can be kept from the machine.

    Args:
        wanted: ``auto``, ``on`` or ``off``.
        blenders: the first one is tried in it.
        folder: the agent's.
        cards: a graphics card renders.
        sysctl: where the kernel's settings lie.
    """
    if wanted == "off":
        return warn("sandbox", "The sandbox is off: scenes see what this user sees.", "RENDERFARM_SANDBOX=auto")
    try:
        find_sandbox(blenders[0], folder, cards=cards)
    except NoSandboxError as error:
        tell = fail if wanted == "on" else warn
        return tell("sandbox", f"Scenes cannot be kept from this machine. {error}", _mend_sandbox(sysctl))
    return ok("sandbox", "Scenes see their own files only, and no network (bubblewrap).")


def _exists(path: Path) -> bool:
    """Tell whether something is there.

    Raises:
        OSError: nobody can tell: one of them is another user's.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _vendors(pci: Path) -> set[str]:
    """Return the makers of the graphics cards that are plugged in, whether they have a driver or not."""
    vendors = set()
    for device in pci.glob("*"):
        try:
            if (device / "class").read_text().startswith(_DISPLAY):
                vendors.add((device / "vendor").read_text().strip())
        except OSError:
            continue  # unplugged meanwhile
    return vendors


def _mend_sandbox(sysctl: Path) -> str:
    if shutil.which("bwrap") is None:
        return "sudo apt-get install bubblewrap"
    for name, forbidden, wanted in _NO_NAMESPACES:
        try:
            value = (sysctl / name.replace(".", "/")).read_text().strip()
        except OSError:
            continue  # this kernel has no such setting
        if value == forbidden:
            return f"echo {name}={wanted} | sudo tee /etc/sysctl.d/60-renderfarm.conf && sudo sysctl --system"
    return "see the sentence before; bwrap --unshare-all --ro-bind / / true tells whether bubblewrap works at all"


def _driver(trouble: str) -> str:
    if "mismatch" in trouble.lower():
        return "sudo reboot (the driver was updated, and the old one is still loaded)"
    if "not loaded" in trouble.lower():
        return "sudo modprobe nvidia; if that fails, install the driver anew and restart the machine"
    return "sudo apt-get install nvidia-driver (Debian) or sudo ubuntu-drivers install (Ubuntu); then restart"
