"""The doctor's lines on this machine: what is broken here is really broken, where that can be had."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.blender.locate import Blender
from agent.blender.output import ComputeDevice, Described
from agent.blender.session import Limits
from agent.devices import Wish
from agent.doctor import blenders
from agent.doctor.blenders import check_libraries, look_for_blenders, try_blender
from agent.doctor.examination import examine
from agent.doctor.findings import Finding, State
from agent.doctor.machine import check_devices, check_drivers, check_folder, check_sandbox
from agent.gpus import Gpus
from coordinator.protocol import Device
from tests.fakes.nvml import FakeCard, FakeNvml, no_driver
from tests.unit.agent.blenders import DESCRIBED, child

LIMITS = Limits(start=20.0, describe=20.0, close=5.0)
NOBODY = 65534


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Hide the Blenders of this machine and its programs but for the shell; return the folder that is on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    return folder


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be another user than root, who may do everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def only(findings: Sequence[Finding], check: str) -> Finding:
    """Return the one finding of a check."""
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def pci_card(folder: Path, vendor: str, kind: str = "0x030000") -> Path:
    """Plug a device in."""
    (folder / "0000:01:00.0").mkdir(parents=True)
    (folder / "0000:01:00.0/vendor").write_text(f"{vendor}\n")
    (folder / "0000:01:00.0/class").write_text(f"{kind}\n")
    return folder


# ── Blender ──


def test_no_blender_on_the_path(bare_machine: Path) -> None:
    findings, found = look_for_blenders(None, [str(bare_machine / "*/blender")])
    assert (found, [finding.state for finding in findings]) == ([], [State.FAIL])
    assert "pip install bpy" in (findings[0].mend or "")


@pytest.mark.usefixtures("bare_machine")
def test_the_newest_renders_and_what_will_not_do_is_told(tmp_path: Path) -> None:
    good, old = (tmp_path / name for name in ("good", "old"))
    for folder, version in ((good, "4.5.0"), (old, "3.4.1")):
        folder.mkdir()
        (folder / "blender").write_text(f"#!/bin/sh\necho Blender {version}\n")
        (folder / "blender").chmod(0o755)
    findings, found = look_for_blenders(None, [str(tmp_path / "*/blender")])
    assert [blender.path for blender in found] == [good / "blender"]
    assert [finding.state for finding in findings] == [State.WARN, State.OK]
    assert "too old" in findings[0].message


def test_library_that_is_missing_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(shutil.which("ls") or "/bin/ls").read_bytes()
    assert b"libselinux.so.1\0" in program
    (tmp_path / "blender").write_bytes(program.replace(b"libselinux.so.1\0", b"libnothere.so.6\0"))
    (tmp_path / "blender").chmod(0o755)
    broken = Blender((4, 5, 0), "executable", tmp_path / "blender")
    found = check_libraries(broken)
    assert found is not None
    assert found.state == State.FAIL
    assert "lacks libnothere.so.6" in found.message
    assert found.mend == "apt-file search libnothere.so.6"
    monkeypatch.setitem(blenders._PACKAGES, "libnothere.so.6", "libnothere6")
    found = check_libraries(broken)
    assert found is not None
    assert found.mend == "sudo apt-get install --no-install-recommends libnothere6"


@pytest.mark.parametrize(
    ("body", "check", "state", "words"),
    [
        (DESCRIBED, "start", State.OK, "engines: CYCLES"),
        (DESCRIBED, "denoiser", State.WARN, "without a denoiser"),
        (DESCRIBED, "devices", State.OK, "computes on CUDA, the processor"),
        ("commands.readline()\nos.kill(os.getpid(), signal.SIGSEGV)", "start", State.WARN, "SIGSEGV"),
    ],
)
async def test_blender_is_started(tmp_path: Path, body: str, check: str, state: State, words: str) -> None:
    blender = await asyncio.to_thread(child, tmp_path, body)
    findings, _ = await try_blender(blender, (), {}, tmp_path, LIMITS)
    found = only(findings, check)
    assert found.state == state
    assert words in found.message
    assert (found.mend is None) == (state == State.OK)


async def test_blender_that_does_not_start(tmp_path: Path) -> None:
    findings, described = await try_blender(
        Blender((4, 5, 0), "executable", Path("/bin/false")), (), {}, tmp_path, LIMITS
    )
    assert (findings[0].state, described) == (State.FAIL, None)


# ── Cards ──


@pytest.mark.parametrize(("kind", "state"), [(None, State.WARN), (Device.OPTIX, State.FAIL), (Device.CPU, State.WARN)])
def test_nvidia_card_without_a_driver(tmp_path: Path, kind: Device | None, state: State) -> None:
    found = only(check_drivers(Gpus(no_driver), Wish(kind), pci=pci_card(tmp_path, "0x10de")), "driver")
    assert found.state == state
    assert "Driver Not Loaded" in found.message
    assert "modprobe nvidia" in (found.mend or "")


def test_machine_without_cards_needs_no_driver(tmp_path: Path) -> None:
    network_only = pci_card(tmp_path, "0x10de", "0x020000")
    assert only(check_drivers(Gpus(no_driver), Wish(None), pci=network_only), "driver").state == State.OK


def test_amd_card_that_hip_cannot_reach(tmp_path: Path) -> None:
    pci = pci_card(tmp_path, "0x1002")
    for kind, state in ((None, State.WARN), (Device.HIP, State.FAIL)):
        assert only(check_drivers(Gpus(no_driver), Wish(kind), pci=pci, kfd=tmp_path / "kfd"), "driver").state == state


def test_card_that_is_lost(tmp_path: Path) -> None:
    good, lost = check_drivers(Gpus(FakeNvml(FakeCard(), FakeCard(lost=True)).load), Wish(None), pci=tmp_path)
    assert (good.state, lost.state) == (State.OK, State.WARN)
    assert "GPU is lost" in lost.message
    (lost,) = check_drivers(Gpus(FakeNvml(FakeCard(lost=True)).load), Wish(Device.CUDA), pci=tmp_path)
    assert lost.state == State.FAIL


def test_card_that_cycles_does_not_see() -> None:
    gpus = Gpus(FakeNvml(FakeCard(bus=1), FakeCard(bus=2)).load)
    seen = ComputeDevice(type=Device.CUDA, name="RTX 4090", id="CUDA_RTX 4090_0000:01:00")
    described = Described(engines=[], denoisers=[], devices=[seen])
    unseen, slots = check_devices(Wish(None), described, gpus)
    assert unseen.state == State.WARN
    assert "(0000:02:00)" in unseen.message
    assert "NVIDIA_DRIVER_CAPABILITIES=all" in (unseen.mend or "")
    assert (slots.state, slots.message) == (State.OK, "1 slot(s): CUDA:0.")
    assert [it.check for it in check_devices(Wish(Device.CPU), described, gpus)] == ["slots"]
    assert check_devices(Wish(Device.OPTIX), described, gpus)[-1].state == State.FAIL


# ── Folder and sandbox ──


@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["not writable", "not to be entered"])
def test_folder_of_another_user(mode: int) -> None:
    # pytest's own folders are shut to everybody else.
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        shut = Path(outer) / "shut"
        shut.mkdir(mode=mode)
        folder = shut / "agent"
        with as_nobody():
            (found,) = check_folder(folder)
    assert found.state == State.FAIL
    assert "Permission denied" in found.message
    assert f"chown -R {NOBODY if os.geteuid() == 0 else os.geteuid()} {outer}" in (found.mend or "")


@pytest.mark.parametrize(("gigabytes", "state"), [(0.5, State.FAIL), (5, State.WARN), (500, State.OK)])
def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gigabytes: float, state: State) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=int(gigabytes * 1024**3)))
    (found,) = check_folder(tmp_path / "not/made/yet")
    assert found.state == state
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(("wanted", "state"), [("auto", State.WARN), ("on", State.FAIL), ("off", State.WARN)])
def test_machine_without_bubblewrap(bare_machine: Path, wanted: str, state: State) -> None:
    blender = Blender((4, 5, 0), "executable", Path("/bin/false"))
    found = check_sandbox(wanted, [blender], bare_machine, cards=False)
    assert found.state == state
    assert ("apt-get install bubblewrap" in (found.mend or "")) == (wanted != "off")


@pytest.mark.parametrize(
    ("setting", "value", "mend"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
        ("user/max_user_namespaces", "63000", "bwrap --unshare-all"),
    ],
)
def test_kernel_that_lets_nobody_make_a_sandbox(bare_machine: Path, setting: str, value: str, mend: str) -> None:
    bwrap = bare_machine / "bwrap"
    bwrap.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    bwrap.chmod(0o755)
    (bare_machine / setting).parent.mkdir()
    (bare_machine / setting).write_text(f"{value}\n")
    blender = Blender((4, 5, 0), "executable", Path("/bin/false"))
    found = check_sandbox("auto", [blender], bare_machine / "agent", cards=False, sysctl=bare_machine)
    assert found.state == State.WARN
    assert "setting up uid map" in found.message
    assert mend in (found.mend or "")


# ── All of it ──


async def test_setting_that_cannot_be_used() -> None:
    (found,) = await examine({"RENDERFARM_DEVICE": "TPU"}, {})
    assert (found.check, found.state) == ("settings", State.FAIL)
