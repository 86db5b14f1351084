"""The agent's settings: options of the command line before RENDERFARM_* variables before defaults."""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agent.devices import Wish
from agent.hours import HoursError, parse_hours
from agent.rest import Manners
from coordinator.protocol import Device

DEFAULT_COORDINATOR = "http://127.0.0.1:8420"
DEVICE = re.compile(r"^(AUTO|CPU|(CUDA|OPTIX|HIP|ONEAPI|METAL)(:\d{1,2}(,\d{1,2})*)?)$")
JOIN_CODE = re.compile(r"^[0-9A-Za-z]{4}[- ]?[0-9A-Za-z]{4}$")
NUMBERS = re.compile(r"^\d{1,2}(\s*,\s*\d{1,2})*$")
SANDBOX = ("auto", "on", "off")
REST = ("finish", "at-once")
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
    """Empty: it is looked for on the local network."""
    join_token: str
    """Or a join code.  Empty when there is none: then the agent must have met the coordinator before."""
    name: str
    named: bool
    """It was given this name; one that has it from its host takes another if an agent of the farm has it already."""
    folder: Path
    folder_given: bool
    """So was the folder; otherwise agents of one name on this machine have one each."""
    wish: Wish
    """How many slots render, and with which devices."""
    blender: str | None
    """A path, ``bpy``, or None for the newest there is."""
    blender_paths: tuple[str, ...]
    """Glob patterns of executables to look at beside the usual places."""
    threads: int | None
    """For each slot; None leaves the choice to the scene."""
    tags: tuple[str, ...]
    """What is special about the machine."""
    pools: tuple[str, ...]
    """It renders their jobs, and those of no pool."""
    engines: tuple[str, ...]
    """What its Blender can render with; empty: everything."""
    sandbox: str
    """``auto``, ``on`` (none is no agent) or ``off``."""
    cache_bytes: int
    """The most that downloaded files of packs may take; those of running jobs stay whatever their size."""
    manners: Manners
    """When it leaves the machine to others."""
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

    coordinator = text("coordinator", "COORDINATOR").rstrip("/")
    address = urlsplit(coordinator)
    if coordinator and (address.scheme not in ("http", "https") or not address.hostname):
        raise SettingsError(
            f"RENDERFARM_COORDINATOR (--coordinator) must be an address like {DEFAULT_COORDINATOR}, "
            f"not {coordinator!r}."
        )
    code = text("join_code", "JOIN_CODE")
    if code and not JOIN_CODE.match(code):
        raise SettingsError(
            "RENDERFARM_JOIN_CODE (--join-code) must be a code like ABCD-EFGH, as “Add a machine” on the farm's page "
            f"shows it, not {code!r}."
        )
    given_name = text("name", "AGENT_NAME")
    name = given_name or socket.gethostname()
    if len(name) > 200 or "/" in name or name in (".", "..") or not name.isprintable():
        raise SettingsError(
            f"RENDERFARM_AGENT_NAME (--name) must be at most 200 printable characters without '/', not {name!r}."
        )
    sandbox = text("sandbox", "SANDBOX", "auto").lower()
    if sandbox not in SANDBOX:
        raise SettingsError(f"RENDERFARM_SANDBOX (--sandbox) must be auto, on or off, not {sandbox!r}.")
    folder = text("dir", "AGENT_DIR")
    threads = number("threads", "THREADS", "", 1, 1024, whole=True)
    return AgentSettings(
        coordinator=coordinator,
        join_token=code or text("join_token", "JOIN_TOKEN"),
        name=name,
        named=bool(given_name),
        folder=Path(folder).expanduser() if folder else Path.home() / ".local/share/renderfarm/agent" / name,
        folder_given=bool(folder),
        wish=_wish(
            text("device", "DEVICE", "auto"),
            text("devices", "DEVICES"),
            slots=number("slots", "SLOTS", "", 1, 64, whole=True),
            gpus_per_slot=number("gpus_per_slot", "GPUS_PER_SLOT", "", 1, 64, whole=True),
        ),
        blender=text("blender", "BLENDER") or None,
        blender_paths=tuple(filter(None, map(str.strip, text("blender_paths", "BLENDER_PATHS").split(os.pathsep)))),
        threads=None if threads is None else int(threads),
        tags=words("tags", "TAGS", MAX_WORDS),
        pools=words("pools", "POOLS", MAX_WORDS),
        engines=tuple(dict.fromkeys(map(_engine, words("engines", "ENGINES", MAX_ENGINES)))),
        sandbox=sandbox,
        cache_bytes=int((number("cache_gb", "CACHE_GB", "50", 0, 1e6) or 0) * GIGABYTE),
        manners=_manners(
            text("hours", "HOURS"), number("when_idle", "WHEN_IDLE", "", 0.1, 100_000), text("rest", "REST", REST[0])
        ),
        frame_timeout=number("frame_timeout", "FRAME_TIMEOUT", "", 1, 1e7),
    )


def _wish(device: str, devices: str, *, slots: float | None, gpus_per_slot: float | None) -> Wish:
    """Return what is asked for.  ``OPTIX:0,2`` and ``OPTIX`` with the devices ``0,2`` mean the same."""
    if not DEVICE.match(device.upper()):
        raise SettingsError(
            "RENDERFARM_DEVICE (--device) must be auto, CPU, CUDA, OPTIX, HIP, ONEAPI or METAL, "
            f"the last five with ':' and the numbers of some devices if not all are meant, not {device!r}."
        )
    if devices and not NUMBERS.match(devices):
        raise SettingsError(
            "RENDERFARM_DEVICES (--devices) must be the numbers of graphics cards separated by commas, counted from 0 "
            f"by their places on the bus, not {devices!r}."
        )
    kind, _, numbers = device.upper().partition(":")
    if numbers and devices:
        raise SettingsError(
            f"RENDERFARM_DEVICE (--device) names devices, {device!r}, and so does RENDERFARM_DEVICES (--devices): "
            "leave one of them out."
        )
    return Wish(
        kind=None if kind == "AUTO" else Device(kind),
        numbers=tuple(dict.fromkeys(int(number) for number in (numbers or devices).split(",") if number)),
        slots=None if slots is None else int(slots),
        gpus_per_slot=None if gpus_per_slot is None else int(gpus_per_slot),
    )


def _manners(hours: str, idle_minutes: float | None, rest: str) -> Manners:
    if rest.lower() not in REST:
        raise SettingsError(
            f"RENDERFARM_REST (--rest) must be finish, to end the frame being rendered first, or at-once, not {rest!r}."
        )
    try:
        return Manners(
            hours=parse_hours(hours) if hours else None,
            idle_seconds=None if idle_minutes is None else idle_minutes * 60,
            at_once=rest.lower() != REST[0],
        )
    except HoursError as error:
        raise SettingsError(f"RENDERFARM_HOURS (--hours) is {hours!r}, and that cannot be read: {error}") from error


def _engine(name: str) -> str:
    """Return an engine's name as jobs give it; Blender's own identifiers are taken too."""
    upper = name.upper()
    return {"BLENDER_EEVEE": "EEVEE", "BLENDER_EEVEE_NEXT": "EEVEE", "BLENDER_WORKBENCH": "WORKBENCH"}.get(upper, upper)
