"""What this agent has to render with: found out once, before it joins."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.blender.abilities import find_abilities
from agent.blender.locate import Blender, NoBlenderError
from agent.blender.output import Described
from agent.blender.session import Limits, SessionError
from agent.card_meter import CardMeter
from agent.devices import Choice, DeviceError, Wish, choose
from agent.gpus import Card, Gpus
from coordinator.protocol import BlenderBuild, Device

log = logging.getLogger(__name__)

#: Blender's own engines.
_ALL_ENGINES = 3


@dataclass(frozen=True, slots=True)
class Equipment:
    """A Blender, the machine's cards, and what each slot takes of them."""

    blender: Blender
    abilities: Described
    gpus: Gpus
    choice: Choice

    def build(self) -> BlenderBuild:
        """Return what the coordinator is told of the Blender."""
        return BlenderBuild(
            version=self.blender.version,
            kind=self.blender.kind,
            engines=self.abilities.engines,
            denoisers=self.abilities.denoisers,
            devices=list(dict.fromkeys(device.type for device in self.abilities.devices)),
        )

    def cards(self) -> tuple[Card, ...]:
        """Return the cards that slots render with, each once."""
        return tuple(dict.fromkeys(card for slot in self.choice.slots for card in slot.cards))

    def card_meters(self) -> list[CardMeter]:
        """Return, for each slot, what measures its cards."""
        users = Counter(card for slot in self.choice.slots for card in slot.cards)
        return [
            CardMeter(self.gpus, slot.cards, sharers=max((users[card] for card in slot.cards), default=1))
            for slot in self.choice.slots
        ]

    def engines(self) -> list[str]:
        """Return the engines that the Blender renders with; empty when it lacks none, nor is known to."""
        return self.abilities.engines if len(self.abilities.engines) < _ALL_ENGINES else []


async def find_equipment(
    wish: Wish,
    blenders: Sequence[Blender],
    gpus: Gpus,
    memory: Path,
    logs: Path,
    limits: Limits | None = None,
) -> Equipment:
    """Return what to render with.

    Args:
        wish: the devices and slots that a person asked for.
        blenders: those that could render; the first one that starts does.
        gpus: the machine's cards.
        memory: the folder where what a Blender told is remembered.
        logs: the folder for its output.
        limits: how long each Blender may take.

    Raises:
        NoBlenderError: none of them starts.
        DeviceError: there is no such device here.
    """
    failures = []
    for blender in blenders:
        try:
            abilities = await find_abilities(
                blender,
                gpus.cards,
                os.environ,
                memory,
                logs / "devices.log",
                limits,
                devices=wish.kind is not Device.CPU,
            )
        except SessionError as error:
            if error.code == "not_started":
                log.warning("Blender at %s is passed over: %s", blender.path, error.message)
                failures.append(error.message)
                continue
            if wish.kind not in (None, Device.CPU):
                raise DeviceError(
                    f"Blender at {blender.path} cannot look for {wish.kind} devices: {error.message} "
                    "Mend the driver (`renderfarm doctor` looks at it), or render with RENDERFARM_DEVICE=CPU."
                ) from error
            log.warning("Rendering on the processor: Blender cannot look for other devices. %s", error.message)
            abilities = Described(engines=[], denoisers=[], devices=[])
        choice = choose(wish, abilities.devices, gpus.cards)
        log.info("Rendering with Blender %s at %s on %s.", _dotted(blender), blender.path, _named(choice))
        return Equipment(blender, abilities, gpus, choice)
    raise NoBlenderError(f"{failures[0]} `renderfarm doctor` tells what it needs.")


async def look_at_cards() -> Gpus:
    """Return the machine's cards; may take seconds when the driver has to wake them."""
    return await asyncio.to_thread(Gpus)


def _dotted(blender: Blender) -> str:
    return ".".join(map(str, blender.version))


def _named(choice: Choice) -> str:
    return ", ".join(slot.text for slot in choice.slots)
