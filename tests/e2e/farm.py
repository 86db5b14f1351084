"""A whole farm of real processes on this machine: the coordinator and agents as a user would start them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

RENDERFARM = [sys.executable, "-m", "renderfarm"]
ADMIN_TOKEN = "rf_admin_" + "a" * 43
JOIN_TOKEN = "rf_join_" + "j" * 43

#: Nothing here takes longer on a slow machine with both cores busy, in seconds.
PATIENCE = 240.0

T = TypeVar("T")


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without any setting of a farm, plus ``extra``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RENDERFARM_")}
    return kept | extra


def wait_until(look: Callable[[], T | None], what: str, alive: subprocess.Popen[bytes] | None = None) -> T:
    """Return what ``look`` returns as soon as that is not None.

    Another process's progress can only be looked at, so this looks often and gives up late.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        if alive is not None and alive.poll() is not None:
            raise AssertionError(f"the process ended with {alive.returncode} before {what}")
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE:.0f} s in vain until {what}")


@dataclass
class Farm:
    """A running coordinator with its agents, each with its own folder below ``folder``."""

    folder: Path
    host: str = "127.0.0.1"
    """What the coordinator listens on."""
    port: int = 0
    """Kept when the coordinator is started again."""
    settings: dict[str, str] = field(default_factory=dict)
    """The coordinator's, by their variables."""
    coordinator: subprocess.Popen[bytes] | None = None
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'coordinator' / 'renderfarm.db'}"

    def _spawn(self, name: str, arguments: list[str], **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*RENDERFARM, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=clean_environment(**environment),
                cwd=self.folder,
                start_new_session=True,
            )

    def start_coordinator(self) -> None:
        ready = self.folder / "coordinator.ready"
        ready.unlink(missing_ok=True)
        process = self._spawn(
            "coordinator",
            [
                "coordinator",
                "--host",
                self.host,
                "--port",
                str(self.port),
                "--data-dir",
                str(self.folder / "coordinator"),
                "--ready-file",
                str(ready),
            ],
            RENDERFARM_ADMIN_TOKEN=ADMIN_TOKEN,
            RENDERFARM_JOIN_TOKEN=JOIN_TOKEN,
            **self.settings,
        )
        self.coordinator = process
        wait_until(lambda: ready.exists() or None, "the coordinator listened", process)
        self.port = int(json.loads(ready.read_text())["url"].rsplit(":", 1)[1].rstrip("/"))

    def start_agent(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        ready = self.folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        process = self._spawn(
            name,
            [
                "agent",
                "--coordinator",
                self.url,
                "--name",
                name,
                "--dir",
                str(self.folder / name),
                "--ready-file",
                str(ready),
                *options,
            ],
            RENDERFARM_JOIN_TOKEN=JOIN_TOKEN,
        )
        self.agents[name] = process
        wait_until(lambda: ready.exists() or None, f"{name} was registered", process)
        return process

    def run(
        self, *arguments: str, token: str = ADMIN_TOKEN, url: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``renderfarm`` as a person at a terminal would."""
        return subprocess.run(
            [*RENDERFARM, *arguments],
            env=clean_environment(RENDERFARM_COORDINATOR=url or self.url, RENDERFARM_TOKEN=token),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=self.folder,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """Run ``renderfarm … --json``, which must succeed, and return its object."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def job(self, job_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.json("show", str(job_id))
        return found

    def wait_for_job(self, job_id: int, look: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        def seen() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if look(job) else None

        return wait_until(seen, what)

    def logs(self) -> str:
        return "\n".join(
            f"==> {log.name}\n{log.read_text(errors='replace')[-6000:]}" for log in sorted(self.folder.glob("*.log"))
        )

    def stop(self) -> None:
        processes = [*self.agents.values(), *([self.coordinator] if self.coordinator else [])]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


@contextmanager
def running_farm(folder: Path, *agents: str, **settings: str) -> Iterator[Farm]:
    """Start a coordinator with these settings and the named agents; stop them at the end, whatever happened."""
    folder.mkdir(parents=True, exist_ok=True)
    farm = Farm(folder, settings=settings)
    try:
        farm.start_coordinator()
        for name in agents:
            farm.start_agent(name)
        yield farm
    finally:
        farm.stop()
