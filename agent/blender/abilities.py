"""What a Blender can do on this machine: asked of itself once, then remembered."""

import asyncio
import contextlib
import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from agent.blender.locate import Blender
from agent.blender.output import Described
from agent.blender.session import Limits, Session, SessionError
from agent.gpus import Card

#: Variables by which drivers hide cards from programs.
_HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ONEAPI_DEVICE_SELECTOR")


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: str
    described: Described


async def find_abilities(
    blender: Blender,
    cards: Sequence[Card],
    environment: Mapping[str, str],
    memory: Path,
    log_path: Path,
    limits: Limits | None = None,
    *,
    devices: bool = True,
) -> Described:
    """Return what a Blender can do here; it is started for that unless it is the one that was asked before.

    Args:
        blender: the one to ask.
        cards: the machine's; with others, or another driver, it is asked again.
        environment: of this process.
        memory: the folder where answers are remembered.
        log_path: where its output goes.
        limits: how long it may take.
        devices: whether to look for any; if not, none are told.

    Raises:
        SessionError: it crashed or hung while it looked; ``not_started``: before.
    """
    file = memory / f"abilities-{hashlib.sha256(str(blender.path).encode()).hexdigest()[:12]}-{blender.kind}.json"
    fingerprint = await asyncio.to_thread(_fingerprint, blender, cards, environment, devices)
    remembered = await asyncio.to_thread(_recall, file)
    if remembered is not None and remembered.fingerprint == fingerprint:
        return remembered.described
    try:
        session = await Session.start(blender, log_path, limits)
    except SessionError as error:
        raise SessionError("not_started", error.message) from error
    try:
        described = await session.describe(devices=devices)
    finally:
        await session.close()
    await asyncio.to_thread(_remember, file, _Remembered(fingerprint=fingerprint, described=described))
    return described


def _remember(file: Path, answer: _Remembered) -> None:
    # It is asked again the next time if this cannot be written.
    with contextlib.suppress(OSError):
        file.write_bytes(msgspec.json.encode(answer))


def _recall(file: Path) -> _Remembered | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Remembered)
    except (OSError, msgspec.DecodeError):
        return None


def _fingerprint(blender: Blender, cards: Sequence[Card], environment: Mapping[str, str], devices: bool) -> str:
    """Return what changes when the answer may have: the Blender, the cards and what drives them."""
    parts = [
        repr((blender.version, devices)),
        str(_changed_at(blender)),
        *(f"{card.place} {card.name} {card.driver}" for card in cards),
        # Cards that NVML knows nothing of.
        *sorted(node.name for node in Path("/dev/dri").glob("renderD*")),
        *(f"{name}={environment.get(name)}" for name in _HIDING),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _changed_at(blender: Blender) -> int:
    """Return when a Blender was installed, in nanoseconds."""
    origin = importlib.util.find_spec("bpy") if blender.kind == "bpy" else None
    path = Path(origin.origin) if origin is not None and origin.origin else blender.path
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
