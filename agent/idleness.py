"""When people last used this machine: its keyboard and mouse, its terminals.

Nothing here tells what was typed.  Each source tells how long ago it saw somebody; docs/CONFIGURATION.md says which of
them sees what, on which system.
"""

import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

#: Seconds for a program that is asked.
_PATIENCE = 5.0

Clock = Callable[[], float]
"""Seconds since 1970."""

Ask = Callable[[Sequence[str]], str | None]
"""Runs a program and returns what it prints; None when there is none, or it fails."""


class Source(Protocol):
    """Something that sees whether a machine is used."""

    name: str
    """For people."""

    def idle_seconds(self) -> float | None:
        """Return how long it has seen nobody; infinite: ever since; None: it cannot tell."""


class LoginSessions:
    """The sessions of systemd-logind.

    A desktop says by itself that nobody is there, after a delay of its own; one that never does counts as used while
    somebody is logged in.  Sessions without a desktop are judged by their terminals, as logind does.
    """

    name = "login sessions"
    _PROPERTIES = ("Class", "Type", "State", "IdleHint", "IdleSinceHint")
    _DESKTOPS = frozenset({"x11", "wayland", "mir"})

    def __init__(self, ask: Ask, clock: Clock, *, desktops: bool = True) -> None:
        """Watch sessions, those with a desktop only if ``desktops`` says so: something else may see them better."""
        self._ask = ask
        self._clock = clock
        self._watch_desktops = desktops

    def idle_seconds(self) -> float | None:
        """Return how long nobody who is logged in has done anything."""
        # A session may end in between; then they are listed anew.
        for _ in range(2):
            listed = self._ask(("loginctl", "list-sessions", "--no-legend"))
            if listed is None:
                return None
            sessions = [line.split()[0] for line in listed.splitlines() if line.strip()]
            if not sessions:
                return math.inf
            options = [option for name in self._PROPERTIES for option in ("-p", name)]
            shown = self._ask(("loginctl", "show-session", *options, *sessions))
            if shown is not None:
                return min(self._of_session(_properties(block)) for block in shown.split("\n\n"))
        return None

    def _of_session(self, session: Mapping[str, str]) -> float:
        if not session.get("Class", "").startswith("user"):
            return math.inf  # a screen to log in at, or nobody's; root's class is user-early
        microseconds = session.get("IdleSinceHint", "")
        since = int(microseconds) / 1e6 if microseconds.isdigit() else 0.0
        if session.get("Type") not in self._DESKTOPS:
            # Without a terminal there is nobody to type.
            return max(0.0, self._clock() - since) if since else math.inf
        if not self._watch_desktops or session.get("State") != "active":
            return math.inf  # another one is on the screen
        return max(0.0, self._clock() - since) if session.get("IdleHint") == "yes" else 0.0


class XServer:
    """The keyboard and mouse of an X server, told by ``xprintidle``."""

    name = "the X server"

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def idle_seconds(self) -> float | None:
        """Return what the X server counts."""
        printed = (self._ask(("xprintidle",)) or "").strip()
        return int(printed) / 1000 if printed.isdigit() else None


class Terminals:
    """The machine's consoles and the terminals of its users.

    The kernel notes when a program has read what was typed there (to some seconds, so that nobody learns a password
    from its rhythm); it notes nothing of the kind for keyboards and mice themselves.
    """

    name = "terminals"

    def __init__(self, clock: Clock, devices: Path = Path("/dev")) -> None:
        self._clock = clock
        self._devices = devices

    def idle_seconds(self) -> float | None:
        """Return how long nothing was typed."""
        read = [path.stat().st_atime for path in self._terminals() if path.is_char_device()]
        return max(0.0, self._clock() - max(read)) if read else math.inf

    def _terminals(self) -> Iterable[Path]:
        for pattern in ("tty[0-9]*", "ttys[0-9]*", "pts/[0-9]*"):
            yield from self._devices.glob(pattern)


class MacInput:
    """The keyboard and mouse of a Mac, told by ``ioreg``."""

    name = "keyboard and mouse"
    _IDLE = re.compile(r'"HIDIdleTime"\s*=\s*(\d+)')

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def idle_seconds(self) -> float | None:
        """Return what the system counts, in nanoseconds."""
        found = self._IDLE.search(self._ask(("ioreg", "-c", "IOHIDSystem")) or "")
        return int(found[1]) / 1e9 if found else None


def people_sources(
    environment: Mapping[str, str], *, platform: str = sys.platform, ask: Ask | None = None, clock: Clock = time.time
) -> list[Source]:
    """Return what can tell here whether somebody works at the machine; may block for some seconds.

    Args:
        environment: of the process; ``DISPLAY`` names its X server.
        platform: as :data:`sys.platform`.
        ask: how programs are asked.
        clock: what time it is.
    """
    ask = ask or ask_program
    candidates: list[Source] = [Terminals(clock)]
    if platform == "darwin":
        candidates.insert(0, MacInput(ask))
    else:
        display = XServer(ask)
        # Its own count is better than what desktops say of themselves.
        sees_display = "DISPLAY" in environment and display.idle_seconds() is not None
        candidates[:0] = [*([display] if sees_display else []), LoginSessions(ask, clock, desktops=not sees_display)]
    return [source for source in candidates if source.idle_seconds() is not None]


def _properties(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def ask_program(argv: Sequence[str]) -> str | None:
    """Return what a program prints; None when there is none, or it fails."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for the agent
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
