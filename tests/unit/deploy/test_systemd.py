"""The systemd units, judged by systemd itself where it is installed."""

import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
NAMES = ["renderfarm-coordinator.service", "renderfarm-agent@.service"]
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")


class Unit(RawConfigParser):
    """A unit file; keys keep their case."""

    def __init__(self, path: Path) -> None:
        # A key may come more than once in a unit; the last is enough here.
        super().__init__(strict=False, comment_prefixes=("#",), delimiters=("=",))
        self.read_string(path.read_text(encoding="utf-8"))

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def installed(name: str, folder: Path) -> Path:
    """Copy a unit to where systemd may look at it, with a program that exists; return its path."""
    text = (UNITS / name).read_text(encoding="utf-8")
    program = Unit(UNITS / name)["Service"]["ExecStart"].split()[0]
    path = folder / name.replace("@.", "@workstation-7.")
    path.write_text(text.replace(program, "/bin/true"), encoding="utf-8")
    return path


@needs_systemd
@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_nothing_to_complain_about(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed(name, tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    about_it = [line for line in done.stderr.splitlines() if "renderfarm" in line]
    assert (done.returncode, about_it) == (0, [])


@needs_systemd
@pytest.mark.parametrize("name", NAMES)
def test_systemd_rates_the_exposure_as_ok(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=40", str(installed(name, tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize("name", NAMES)
def test_a_service_says_that_it_runs(name: str) -> None:
    service = Unit(UNITS / name)["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "main"


def test_agent_that_hangs_is_started_anew() -> None:
    service = Unit(UNITS / "renderfarm-agent@.service")["Service"]
    assert service["WatchdogSec"] == "2min"
    assert service["Restart"] == "on-failure", "which a watchdog's end is"


def test_agent_may_make_the_sandbox_of_its_blenders() -> None:
    service = Unit(UNITS / "renderfarm-agent@.service")["Service"]
    assert set(service["RestrictNamespaces"].split()) >= {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}
    # Each covers a part of /proc, and a namespace may not mount one that shows more than its maker saw.
    assert not {"ProtectKernelTunables", "ProtectKernelLogs", "ProtectHostname", "ProcSubset"} & set(service)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_owns_its_state_folder_and_nothing_else(name: str) -> None:
    service = Unit(UNITS / name)["Service"]
    assert service["DynamicUser"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["ProtectHome"] == "yes"
    assert f"%S/{service['StateDirectory']}" in service["Environment"]
