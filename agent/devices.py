"""Which of a machine's devices each slot renders with (pure)."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.blender.output import ComputeDevice
from agent.gpus import Card
from coordinator.protocol import Device

#: The choice where none was made, after OptiX and CUDA: at most one of these is there.
_OTHERS = (Device.HIP, Device.METAL, Device.ONEAPI)

#: What Cycles writes into a device's id: its place on the bus.
_PLACE = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}")

#: The protocol's limit.
_MAX_SLOTS = 64


class DeviceError(Exception):
    """There is no such device; the text says what there is."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for."""

    kind: Device | None
    """None: the best there is."""
    numbers: tuple[int, ...] = ()
    """The devices of that kind to use, by their places on the bus; empty: all."""
    slots: int | None = None
    """None: one for each device, or each group of devices."""
    gpus_per_slot: int | None = None
    """None: as many as there are for the slots."""


@dataclass(frozen=True, slots=True)
class SlotDevice:
    """What one slot renders with."""

    text: str
    """As sessions are told: ``CPU``, or a compute device type with the numbers of its devices, ``OPTIX:0,1``."""
    cards: tuple[Card, ...] = ()
    """The cards it stands for, as far as NVML knows them."""
    vram_bytes: int | None = None
    """What the slot may use of the smallest of its devices; None on processors, or where nobody tells."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What an agent renders with."""

    kind: Device
    slots: tuple[SlotDevice, ...]

    @property
    def vram_bytes(self) -> int | None:
        """What every slot has; None on processors, or where nobody tells."""
        return min((slot.vram_bytes for slot in self.slots if slot.vram_bytes is not None), default=None)


def choose(wish: Wish, listed: Sequence[ComputeDevice], cards: Sequence[Card]) -> Choice:
    """Return what each slot renders with.

    Args:
        wish: what a person asked for.
        listed: what Cycles can compute on, as its Blender lists it.
        cards: those that NVML knows.

    Raises:
        DeviceError: there is nothing like that here.
    """
    kind = _best(listed, cards) if wish.kind is None else wish.kind
    if kind == Device.CPU:
        if wish.numbers or wish.gpus_per_slot is not None:
            raise DeviceError(
                "RENDERFARM_DEVICES and RENDERFARM_GPUS_PER_SLOT choose among graphics cards, and this agent renders "
                f"on the processor: {_there_is(listed)}"
            )
        return Choice(kind, (SlotDevice("CPU"),) * (wish.slots or 1))
    found = [device for device in listed if device.type == kind]
    if not found:
        raise DeviceError(f"Cycles lists no {kind} device on this machine: {_there_is(listed)}")
    unknown = [number for number in wish.numbers if number >= len(found)]
    if unknown:
        raise DeviceError(f"There is no device {kind}:{unknown[0]}: {_there_is(listed)}")
    shares = _share_out(wish.numbers or tuple(range(len(found))), wish)
    return Choice(kind, tuple(_slot_device(kind, share, shares, found, cards) for share in shares))


def _best(listed: Sequence[ComputeDevice], cards: Sequence[Card]) -> Device:
    kinds = {device.type for device in listed}
    if Device.OPTIX in kinds:
        known = [_card_of(device, cards) for device in listed if device.type == Device.OPTIX]
        names = [device.name for device in listed if device.type == Device.OPTIX]
        faster = any(
            card.ray_tracing if card else "RTX" in name for card, name in zip(known, names, strict=True)
        )  # without these cores CUDA is as fast, and takes less memory
        if faster or Device.CUDA not in kinds:
            return Device.OPTIX
    if Device.CUDA in kinds:
        return Device.CUDA
    return next((kind for kind in _OTHERS if kind in kinds), Device.CPU)


def _share_out(numbers: tuple[int, ...], wish: Wish) -> list[tuple[int, ...]]:
    """Return each slot's devices: groups of a wished size, or as even as can be; slots beyond that share some."""
    count = len(numbers)
    if wish.gpus_per_slot is None and wish.slots is not None and wish.slots <= count:
        ends = [slot * count // wish.slots for slot in range(wish.slots + 1)]
        return [numbers[first:last] for first, last in itertools.pairwise(ends)]
    size = wish.gpus_per_slot or 1
    groups = [numbers[first : first + size] for first in range(0, count - size + 1, size)]
    if not groups or (wish.slots is None and count % size):
        raise DeviceError(
            f"{count} devices cannot be shared out by {size} to a slot: choose another RENDERFARM_GPUS_PER_SLOT "
            "(--gpus-per-slot), or name the devices to use with RENDERFARM_DEVICES (--devices)."
        )
    return [groups[slot % len(groups)] for slot in range(min(wish.slots or len(groups), _MAX_SLOTS))]


def _slot_device(
    kind: Device,
    share: tuple[int, ...],
    shares: Sequence[tuple[int, ...]],
    found: Sequence[ComputeDevice],
    cards: Sequence[Card],
) -> SlotDevice:
    mine = tuple(card for number in share if (card := _card_of(found[number], cards)) is not None)
    memory = min((card.memory_bytes for card in mine if card.memory_bytes is not None), default=None)
    return SlotDevice(
        text=f"{kind}:{','.join(map(str, share))}",
        cards=mine,
        vram_bytes=None if memory is None else memory // shares.count(share),
    )


def _card_of(device: ComputeDevice, cards: Sequence[Card]) -> Card | None:
    place = _PLACE.search(device.id)
    return next((card for card in cards if place is not None and card.place == place.group()), None)


def _there_is(listed: Sequence[ComputeDevice]) -> str:
    gpus = [device for device in listed if device.type != Device.CPU]
    if not gpus:
        return "it has none but the processor (RENDERFARM_DEVICE=CPU); `renderfarm doctor` tells why."
    numbered: dict[str, int] = {}
    named = []
    for device in gpus:
        number = numbered[device.type] = numbered.get(device.type, -1) + 1
        named.append(f"{device.type}:{number} ({device.name})")
    return f"there is {', '.join(named)}."
