"""The agent's settings: options of the command line before RENDERFARM_* variables before defaults."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_COORDINATOR = "http://127.0.0.1:8420"
DEVICE = re.compile(r"^(CPU|(CUDA|OPTIX|HIP|ONEAPI|METAL)(:\d{1,2})?)$")
GIGABYTE = 1024**3

#: The protocol's limits for tags and pools, for engines, and for the length of each.
MAX_WORDS = 64
MAX_ENGINES = 32
MAX_WORD_LENGTH = 200


class SettingsError(Exception):
    """A setting is no good; the text names it and says what it must be."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """How this agent runs; docs/CONFIGURATION.md explains each."""

    coordinator: str
    join_token: str
    """Empty when there is none: then the agent must have met the coordinator before."""
    name: str
    folder: Path
    slots: int
    blender: str | None
    """A path, ``bpy``, or None for the newest there is."""
    device: str
    """``CPU``, or a compute device type of Cycles with an optional index."""
    threads: int | None
    """For each slot; None leaves the choice to the scene."""
    tags: tuple[str, ...]
    """What is special about the machine."""
    pools: tuple[str, ...]
    """It renders their jobs, and those of no pool."""
    engines: tuple[str, ...]
    """What its Blender can render with; empty: everything."""
    cache_bytes: int
    """The most that downloaded files of packs may take; those of running jobs stay whatever their size."""
    frame_timeout: float | None
    """Seconds after which a frame counts as hung; None: never."""


def read_settings(environment: Mapping[str, str], options: Mapping[str, str | None]) -> AgentSettings:
    """Return the settings.

    Args:
        environment: of the process.
        options: of the command line, by the variable's name without ``RENDERFARM_`` in lower case; None: not given.

    Raises:
        SettingsError: one of them is no good.
    """

    def text(option: str, variable: str, default: str = "") -> str:
        given = options.get(option)
        value = environment.get(f"RENDERFARM_{variable}", default) if given is None else given
        return value.strip() or default

    def number(
        option: str, variable: str, default: str, low: float, high: float, *, whole: bool = False
    ) -> float | None:
        value = text(option, variable, default)
        if not value:
            return None
        try:
            parsed = float(value)
        except ValueError:
            parsed = float("nan")
        if not low <= parsed <= high or (whole and parsed != int(parsed)):
            raise SettingsError(
                f"RENDERFARM_{variable} (--{option.replace('_', '-')}) must be a {'whole ' if whole else ''}number "
                f"from {low:g} to {high:g}, not {value!r}."
            )
        return parsed

    def words(option: str, variable: str, most: int) -> tuple[str, ...]:
        value = text(option, variable)
        found = tuple(dict.fromkeys(word for word in map(str.strip, value.split(",")) if word))
        if len(found) > most or any(len(word) > MAX_WORD_LENGTH or not word.isprintable() for word in found):
            raise SettingsError(
                f"RENDERFARM_{variable} (--{option}) must be at most {most} names separated by commas, each of at most "
                f"{MAX_WORD_LENGTH} printable characters, not {value!r}."
            )
        return found

    coordinator = text("coordinator", "COORDINATOR", DEFAULT_COORDINATOR).rstrip("/")
    address = urlsplit(coordinator)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise SettingsError(
            f"RENDERFARM_COORDINATOR (--coordinator) must be an address like {DEFAULT_COORDINATOR}, "
            f"not {coordinator!r}."
        )
    name = text("name", "AGENT_NAME", socket.gethostname())
    if len(name) > 200 or "/" in name or name in (".", "..") or not name.isprintable():
        raise SettingsError(
            f"RENDERFARM_AGENT_NAME (--name) must be at most 200 printable characters without '/', not {name!r}."
        )
    device = text("device", "DEVICE", "CPU").upper()
    if not DEVICE.match(device):
        raise SettingsError(
            "RENDERFARM_DEVICE (--device) must be CPU, CUDA, OPTIX, HIP, ONEAPI or METAL, "
            f"with ':' and a number for one device of several, not {device!r}."
        )
    folder = text("dir", "AGENT_DIR")
    threads = number("threads", "THREADS", "", 1, 1024, whole=True)
    return AgentSettings(
        coordinator=coordinator,
        join_token=text("join_token", "JOIN_TOKEN"),
        name=name,
        folder=Path(folder).expanduser() if folder else Path.home() / ".local/share/renderfarm/agent" / name,
        slots=int(number("slots", "SLOTS", "1", 1, 64, whole=True) or 1),
        blender=text("blender", "BLENDER") or None,
        device=device,
        threads=None if threads is None else int(threads),
        tags=words("tags", "TAGS", MAX_WORDS),
        pools=words("pools", "POOLS", MAX_WORDS),
        engines=tuple(dict.fromkeys(map(_engine, words("engines", "ENGINES", MAX_ENGINES)))),
        cache_bytes=int((number("cache_gb", "CACHE_GB", "50", 0, 1e6) or 0) * GIGABYTE),
        frame_timeout=number("frame_timeout", "FRAME_TIMEOUT", "", 1, 1e7),
    )


def slot_device(device: str, slot: int, slots: int) -> str:
    """Return the device of one slot: with several slots each has a device of its own."""
    return device if device == "CPU" or ":" in device or slots == 1 else f"{device}:{slot}"


def _engine(name: str) -> str:
    """Return an engine's name as jobs give it; Blender's own identifiers are taken too."""
    upper = name.upper()
    return {"BLENDER_EEVEE": "EEVEE", "BLENDER_EEVEE_NEXT": "EEVEE", "BLENDER_WORKBENCH": "WORKBENCH"}.get(upper, upper)
