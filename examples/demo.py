"""The farm on one machine: makes a scene, renders it on two agents, and ends with a film.

``make demo`` runs it.  Everything happens as a person would do it, through the ``renderfarm`` command, in a folder of
its own (``.demo``) that each run begins anew.
"""

import argparse
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import imageio_ffmpeg

PROJECT = Path(__file__).resolve().parent.parent
SCENE_SCRIPT = PROJECT / "examples" / "demo_scene.py"
RENDERFARM = [sys.executable, "-m", "renderfarm"]
AGENTS = ("demo-ada", "demo-bob")
USUAL_PORT = 8420

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_SECONDS = 120
"""A process that is not ready by then is stuck; a cold disk alone can cost Blender 15 s."""
STOP_SECONDS = 10
"""An agent that is asked to leave first ends its frame."""
LOG_TAIL_LINES = 15


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


@dataclass(frozen=True)
class Part:
    """A process of the farm and where it writes its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise DemoError, with the end of the log, if the process has ended."""
        status = self.process.poll()
        if status is not None:
            raise DemoError(f"The {self.name} ended with status {status}.\n{log_tail(self.log)}")


class Farm:
    """A coordinator and agents as processes of their own, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.admin_token = f"rf_admin_{secrets.token_urlsafe(32)}"
        self._join_token = f"rf_join_{secrets.token_urlsafe(32)}"
        self._parts: list[Part] = []

    @property
    def page(self) -> str:
        """The web page's address; what follows the # stays in the browser, which signs in with it."""
        return f"{self.url}/#token={self.admin_token}"

    def start(self) -> None:
        """Start the coordinator, then the agents; return when all are ready.

        Raises:
            DemoError: a process ended or hung instead.
        """
        port = free_port(USUAL_PORT)
        try:
            self.url = self._start_coordinator(port)
        except DemoError as error:
            if not port or f"Port {port} " not in str(error):
                raise
            # Another program took it just now.
            self._parts.clear()
            self.url = self._start_coordinator(0)
        threads = max(1, (os.cpu_count() or 1) // len(AGENTS))
        agents = [
            self._start(
                f"agent {name}",
                "agent", "--coordinator", self.url, "--name", name, "--dir", str(self.folder / name),
                RENDERFARM_JOIN_TOKEN=self._join_token, RENDERFARM_THREADS=str(threads),
            )
            for name in AGENTS
        ]  # fmt: skip
        for ready in agents:
            ready()

    def _start_coordinator(self, port: int) -> str:
        """Start the coordinator at a port, 0 for any free one; return its address."""
        ready = self._start(
            "coordinator",
            "coordinator", "--port", str(port), "--data-dir", str(self.folder / "coordinator"),
            RENDERFARM_ADMIN_TOKEN=self.admin_token, RENDERFARM_JOIN_TOKEN=self._join_token,
        )  # fmt: skip
        return str(json.loads(ready())["url"]).rstrip("/")

    def _start(self, name: str, *arguments: str, **environment: str) -> Callable[[], str]:
        """Start a part of the farm; return a function that waits for its ready file and returns what it holds."""
        log = self.folder / "logs" / f"{name.replace(' ', '-')}.log"
        ready = self.folder / f"{name.replace(' ', '-')}.ready"
        with undisturbed():
            process = spawn([*RENDERFARM, *arguments, "--ready-file", str(ready)], log, **environment)
            part = Part(name, process, log)
            self._parts.append(part)

        def wait() -> str:
            deadline = time.monotonic() + START_SECONDS
            while not ready.exists():
                part.check()
                if time.monotonic() > deadline:
                    raise DemoError(f"The {name} was not ready after {START_SECONDS} s.\n{log_tail(log)}")
                time.sleep(0.05)
            return ready.read_text(encoding="utf-8")

        return wait

    def check(self) -> None:
        """Raise DemoError if a part of the farm has ended."""
        for part in self._parts:
            part.check()

    def stop(self) -> None:
        """Ask every part to end, the agents first so that they can say goodbye; end by force what does not."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        coordinator, agents = self._parts[:1], self._parts[1:]
        for parts in (agents, coordinator):
            for part in parts:
                part.process.terminate()
            for part in parts:
                end(part.process)

    def renderfarm(self, *arguments: str) -> Any:
        """Run ``renderfarm … --json`` against this farm and return what it prints.

        Raises:
            DemoError: it failed.
        """
        done = subprocess.run(
            [*RENDERFARM, *arguments, "--json"], env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemoError(f"`renderfarm {' '.join(arguments)}` failed: {done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout)

    def environment(self) -> dict[str, str]:
        """What a terminal needs to speak to this farm."""
        return clean_environment(RENDERFARM_COORDINATOR=self.url, RENDERFARM_TOKEN=self.admin_token)


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without the settings of another farm; which Blender to use stays."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RENDERFARM_")}
    if blender := os.environ.get("RENDERFARM_BLENDER"):
        kept["RENDERFARM_BLENDER"] = blender
    return kept | extra


def spawn(command: list[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C reaches the demo alone, which then ends it in order."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=clean_environment(**environment),
            cwd=PROJECT,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process of ours and its children, kindly first."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port(wanted: int) -> int:
    """Return ``wanted`` if nothing listens there, else 0 for any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def log_tail(log: Path) -> str:
    """The last lines of a log, with its path above them."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join([f"Its log, {shown(log)}, ends:", *(f"    {line}" for line in lines or ["(it is empty)"])])


def shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def scene_command(folder: Path) -> list[str]:
    """The command that makes the scene: Blender's module if this Python has it, else an executable.

    Raises:
        DemoError: there is neither.
    """
    wanted = os.environ.get("RENDERFARM_BLENDER", "")
    if wanted in ("", "bpy") and find_spec("bpy"):
        return [sys.executable, str(SCENE_SCRIPT), str(folder)]
    executable = shutil.which(wanted if wanted not in ("", "bpy") else "blender")
    if executable is None:
        raise DemoError("There is no Blender here; `make demo` installs one, or name yours in RENDERFARM_BLENDER.")
    return [
        executable, "--background", "--factory-startup", "--python-exit-code", "1", "--python", str(SCENE_SCRIPT),
        "--", str(folder),
    ]  # fmt: skip


def make_scene(folder: Path, log: Path) -> Path:
    """Make the scene in ``folder`` and return its .blend.

    Raises:
        DemoError: Blender failed or hung.
    """
    with ExitStack() as stack:
        with undisturbed():
            process = spawn(scene_command(folder), log)
            stack.callback(end, process)
        try:
            failed = process.wait(START_SECONDS) != 0
        except subprocess.TimeoutExpired:
            failed = True
    blends = list(folder.glob("*.blend"))
    if failed or not blends:
        raise DemoError(f"Blender could not make the scene.\n{log_tail(log)}")
    return blends[0]


def submit(farm: Farm, blend: Path, folder: Path, options: list[str]) -> None:
    """Submit the scene, follow it to its end on the terminal and fetch its frames and its film into ``folder``.

    Raises:
        DemoError: the job did not complete, or a part of the farm ended meanwhile.
    """
    arguments = ["submit", shown(blend), "--wait", "--output", shown(folder), *options]
    say(f"$ renderfarm {' '.join(arguments)}")
    # It shares the demo's terminal, for its progress bar; Ctrl-C reaches both.
    with ExitStack() as stack:
        with undisturbed():
            process = subprocess.Popen([*RENDERFARM, *arguments], env=farm.environment(), stdin=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
        while process.poll() is None:
            farm.check()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
    if process.returncode:
        farm.check()
        raise DemoError(f"The job did not complete; the logs in {shown(farm.folder / 'logs')} say more.")


def check_film(farm: Farm, folder: Path) -> tuple[Path, int]:
    """Return the film in ``folder`` and its number of pictures.

    Raises:
        DemoError: there is none, or it does not hold every frame of the job.
    """
    [job] = farm.renderfarm("jobs")["items"]
    films = list(folder.glob("*.mp4"))
    if len(films) != 1:
        raise DemoError(f"The job completed, but {shown(folder)} holds {len(films)} films instead of one.")
    count, _ = imageio_ffmpeg.count_frames_and_secs(str(films[0]))
    if count != job["frame_count"]:
        raise DemoError(f"{shown(films[0])} holds {count} pictures, but the job has {job['frame_count']} frames.")
    return films[0], count


def say(text: str) -> None:
    """Print at once, also when the output is a file."""
    print(text, flush=True)


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """Empty the folder and hold it, so that a second demo does not work in it too.

    Raises:
        DemoError: another demo holds it, or it is not a demo's folder.
    """
    lock = folder / ".demo-lock"
    if folder.exists() and any(folder.iterdir()) and not lock.exists():
        raise DemoError(f"{shown(folder)} holds something else; name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError(f"Another demo runs in {shown(folder)}; stop it with Ctrl-C first.") from None
        for entry in folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry != lock:
                entry.unlink()
        yield folder


def run(folder: Path, submit_options: list[str], *, leave: bool) -> None:
    """Run the demo; return when the film is there (``leave``) or the farm was stopped with Ctrl-C.

    Raises:
        DemoError: it failed; the text says where.
    """
    with ExitStack() as stack:
        stack.enter_context(own_folder(folder))
        began = time.monotonic()
        say("Making a scene with Blender …")
        blend = make_scene(folder / "scene", folder / "logs" / "scene.log")
        farm = Farm(folder)
        stack.callback(farm.stop)
        say(f"Starting a coordinator and {len(AGENTS)} agents …")
        farm.start()
        say(f"Follow it in a browser: {farm.page}\n")
        submit(farm, blend, folder / "film", submit_options)
        film, count = check_film(farm, folder / "film")
        say(f"\n{count} frames on {len(AGENTS)} agents, {time.monotonic() - began:.0f} s from nothing to the film.")
        say(f"Film:     {film}")
        say(f"Web page: {farm.page}")
        if leave:
            return
        say("\nThe farm stays up for you to look at.  Ctrl-C stops it.")
        with suppress(KeyboardInterrupt):
            while True:
                farm.check()
                time.sleep(0.5)


def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """A request to end from elsewhere than the keyboard goes the same way as Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put Ctrl-C off until the block ends: a process just started must be written down before anything is raised."""
    put_off: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: put_off.append(number)) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if put_off:
        raise KeyboardInterrupt


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--exit", action="store_true", help="leave when the film is there")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".demo", help="where to work (default: .demo)")
    parser.add_argument("options", nargs="*", help="after --: further options for `renderfarm submit`")
    arguments = parser.parse_args()
    for number in STOP_SIGNALS:
        signal.signal(number, interrupt)
    try:
        run(arguments.folder.resolve(), arguments.options, leave=arguments.exit)
    except DemoError as error:
        print(f"\nThe demo stopped.  {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
