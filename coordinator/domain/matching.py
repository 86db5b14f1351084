"""Which slots can render a job, and why none can: what a job needs against what a slot has."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from coordinator.domain.model import Agent, Job
from coordinator.domain.versions import blender_number, blender_version

#: Measured memory counts in whole steps of so many bytes, so that jobs that need about the same share one set of needs.
#: What was too little is raised by a step: less would not tell it from what was enough.
MEMORY_STEP = 64 * 2**20
#: How many sets of needs, capabilities and answers are remembered: more than farms have.
REMEMBERED = 2**14
#: Of the memory asked for, a slot must have this much: what is sold as 24 GB reports a little less to its system.
NOMINAL = 0.95
GIB = 2**30

PLATFORMS = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}
DEVICES = {"OPTIX": "OptiX", "ONEAPI": "oneAPI", "METAL": "Metal", "GPU": "a GPU", "CPU": "the CPU"}
ENGINES = {"CYCLES": "Cycles", "WORKBENCH": "Workbench"}
"""As people write them; those left out are written as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a slot must have to render a job."""

    tags: frozenset[str] = frozenset()
    """All of them."""
    pool: str | None = None
    min_blender: int = 0
    """As :func:`~coordinator.domain.versions.blender_number`, like the next."""
    max_blender: int | None = None
    engine: str | None = None
    device: str | None = None
    """``GPU`` is everything but ``CPU``; the others are exact."""
    platform: str | None = None
    sandbox: bool = False
    """Its Blender sees nothing of the machine but the job's files."""
    ram_bytes: int = 0
    """As asked for."""
    vram_bytes: int = 0
    """The same of graphics cards, and of those only: a slot that renders on the processor needs none."""
    ram_used: int = 0
    """What rendering it took, or more than what was too little (bytes); 0 while unknown."""
    vram_used: int = 0
    """The same of graphics cards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What one slot of an agent has."""

    tags: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    blender: int
    engines: frozenset[str] = frozenset()
    """Empty: all of them."""
    device: str = "CPU"
    platform: str = "linux"
    sandboxed: bool = False
    ram_bytes: int = 0
    vram_bytes: int | None = None
    """None: it cannot be told, and is taken to be enough until the card runs out of it."""


@lru_cache(REMEMBERED)
def decode_needs(text: str, min_blender: int) -> Needs:
    """Return the needs in a job's JSON (the public API's ``needs``; what is left out is not needed)."""
    fields = json.loads(text)
    newest = fields.get("max_blender")
    engine = fields.get("engine")
    return Needs(
        tags=frozenset(fields.get("tags", ())),
        pool=fields.get("pool"),
        min_blender=min_blender,
        max_blender=None if newest is None else blender_number(*newest),
        engine=None if engine is None else engine_name(engine),
        device=fields.get("device"),
        platform=fields.get("platform"),
        sandbox=fields.get("sandbox", False),
        ram_bytes=fields.get("ram_bytes", 0),
        vram_bytes=fields.get("vram_bytes", 0),
    )


def needs_of(job: Job) -> Needs:
    """Return what a job needs: what was asked for and what rendering it took."""
    return _raised(job.needs, job.min_blender, job.ram_needed, job.vram_needed)


def capability_of(agent: Agent, blender: int | None = None) -> Capability:
    """Return what an agent's slots have; ``blender`` is a slot's own version, by default the agent's newest.

    Tags and pools count whether its own settings or people gave them to it.
    """
    return _capability(
        agent.tags,
        agent.pools,
        agent.farm_tags,
        agent.farm_pools,
        agent.max_blender if blender is None else blender,
        agent.engines,
        agent.device,
        agent.platform,
        agent.ram_bytes,
        agent.vram_bytes,
        sandboxed=agent.sandboxed,
    )


def engine_name(identifier: str) -> str:
    """Return an engine's name without what versions of Blender put around it: BLENDER_EEVEE_NEXT is EEVEE."""
    return identifier.upper().removeprefix("BLENDER_").removesuffix("_NEXT")


@lru_cache(4 * REMEMBERED)
def can_run(needs: Needs, capability: Capability) -> bool:
    """Tell whether a slot can render a job."""
    return not _unmet(needs, capability)


def explain(needs: Needs, capabilities: Iterable[Capability]) -> str | None:
    """Return why none of the slots can render a job, a sentence for its owner; None if one can.

    Of several needs that are not met, those are named that keep out the slot that comes closest.
    """
    slots = list(dict.fromkeys(capabilities))
    if not slots:
        return "No agent is online."
    unmet = {slot: _unmet(needs, slot) for slot in slots}
    fewest = min(unmet.values(), key=len)
    if not fewest:
        return None
    closest = [slot for slot in slots if unmet[slot] == fewest]
    if len(fewest) == 1:
        which = "" if len(closest) == len(slots) else " that could otherwise"
        return f"It needs {fewest[0].wanted(needs)}; {fewest[0].best(needs, closest, which)}."
    nearest = max(closest, key=lambda slot: (slot.vram_bytes or 0, slot.ram_bytes, slot.blender))
    wanted = _listed([requirement.wanted(needs) for requirement in fewest])
    lacks = _listed([requirement.lack(needs, nearest) for requirement in fewest])
    return f"It needs {wanted}; the agent that comes closest {lacks}."


@dataclass(frozen=True, slots=True, eq=False)
class _Requirement:
    """One kind of need: when a slot meets it, and how one speaks of it."""

    met: Callable[[Needs, Capability], bool]
    wanted: Callable[[Needs], str]
    """What is needed: follows "It needs"."""
    best: Callable[[Needs, Sequence[Capability], str], str]
    """What is there instead: a clause; the last argument narrows "agent" down to those that meet the other needs."""
    lack: Callable[[Needs, Capability], str]
    """What one agent has instead: follows "the agent"."""


def _unmet(needs: Needs, capability: Capability) -> tuple[_Requirement, ...]:
    return tuple(requirement for requirement in _REQUIREMENTS if not requirement.met(needs, capability))


def _has_blender(needs: Needs, slot: Capability) -> bool:
    return needs.min_blender <= slot.blender and (needs.max_blender is None or slot.blender <= needs.max_blender)


def _has_device(needs: Needs, slot: Capability) -> bool:
    if needs.device == "GPU":
        return slot.device != "CPU"
    return needs.device in (None, slot.device)


def _has_ram(needs: Needs, slot: Capability) -> bool:
    return needs.ram_bytes * NOMINAL <= slot.ram_bytes and needs.ram_used <= slot.ram_bytes


def _has_vram(needs: Needs, slot: Capability) -> bool:
    if slot.device == "CPU" or slot.vram_bytes is None:
        return True
    return needs.vram_bytes * NOMINAL <= slot.vram_bytes and needs.vram_used <= slot.vram_bytes


def _wanted_tags(needs: Needs) -> str:
    return _tags(needs.tags)


def _best_tags(needs: Needs, slots: Sequence[Capability], which: str) -> str:
    missing = frozenset.intersection(*(needs.tags - slot.tags for slot in slots))
    if not missing or missing == needs.tags:
        return f"no agent{which} has {'it' if len(needs.tags) == 1 else 'them all'}"
    return f"no agent{which} has {_tags(missing)}"


def _lacking_tags(needs: Needs, slot: Capability) -> str:
    return f"does not have {_tags(needs.tags - slot.tags)}"


def _wanted_blender(needs: Needs) -> str:
    oldest = _version(needs.min_blender)
    if needs.max_blender is None:
        return f"Blender {oldest} or newer"
    newest = _version(needs.max_blender)
    if needs.min_blender == needs.max_blender:
        return f"Blender {newest}"
    return f"Blender {oldest} to {newest}" if needs.min_blender else f"Blender {newest} or older"


def _best_blender(needs: Needs, slots: Sequence[Capability], which: str) -> str:
    older = [slot.blender for slot in slots if slot.blender < needs.min_blender]
    newer = [slot.blender for slot in slots if slot.blender >= needs.min_blender]
    nearest = ([_version(max(older))] if older else []) + ([_version(min(newer))] if newer else [])
    return f"the nearest that an agent{which} has is {' or '.join(nearest)}"


def _best_ram(_: Needs, slots: Sequence[Capability], which: str) -> str:
    return f"the largest agent{which} has {_at_most(max(slot.ram_bytes for slot in slots))}"


def _best_vram(_: Needs, slots: Sequence[Capability], which: str) -> str:
    return f"the largest agent{which} has {_at_most(max(slot.vram_bytes or 0 for slot in slots))}"


def _best_platform(_: Needs, slots: Sequence[Capability], which: str) -> str:
    return f"the agents{which} run {_named(PLATFORMS, {slot.platform for slot in slots})}"


def _best_engine(_: Needs, slots: Sequence[Capability], which: str) -> str:
    return f"the agents{which} have {_named(ENGINES, frozenset[str]().union(*(slot.engines for slot in slots)))}"


def _best_device(_: Needs, slots: Sequence[Capability], which: str) -> str:
    return f"the agents{which} render with {_named(DEVICES, {slot.device for slot in slots})}"


_REQUIREMENTS = (
    _Requirement(
        met=lambda needs, slot: needs.pool is None or needs.pool in slot.pools,
        wanted=lambda needs: f"an agent of the pool “{needs.pool}”",
        best=lambda _, __, which: f"no agent{which} is in it",
        lack=lambda _, __: "is not in that pool",
    ),
    _Requirement(
        met=lambda needs, slot: needs.tags <= slot.tags,
        wanted=_wanted_tags,
        best=_best_tags,
        lack=_lacking_tags,
    ),
    _Requirement(
        met=lambda needs, slot: needs.platform in (None, slot.platform),
        wanted=lambda needs: _named(PLATFORMS, {needs.platform or ""}),
        best=_best_platform,
        lack=lambda _, slot: f"runs {_named(PLATFORMS, {slot.platform})}",
    ),
    _Requirement(
        met=lambda needs, slot: slot.sandboxed or not needs.sandbox,
        wanted=lambda _: "an agent with a sandbox",
        best=lambda _, __, which: f"no agent{which} has one (bubblewrap must be installed on it)",
        lack=lambda _, __: "has none",
    ),
    _Requirement(
        met=_has_blender,
        wanted=_wanted_blender,
        best=_best_blender,
        lack=lambda _, slot: f"has Blender {_version(slot.blender)}",
    ),
    _Requirement(
        met=lambda needs, slot: needs.engine is None or not slot.engines or needs.engine in slot.engines,
        wanted=lambda needs: f"the engine {_named(ENGINES, {needs.engine or ''})}",
        best=_best_engine,
        lack=lambda _, slot: f"has only {_named(ENGINES, slot.engines)}",
    ),
    _Requirement(
        met=_has_device,
        wanted=lambda needs: _named(DEVICES, {needs.device or ""}),
        best=_best_device,
        lack=lambda _, slot: f"renders with {_named(DEVICES, {slot.device})}",
    ),
    _Requirement(
        met=_has_ram,
        wanted=lambda needs: f"{_at_least(max(needs.ram_bytes, needs.ram_used))} of memory",
        best=_best_ram,
        lack=lambda _, slot: f"has {_at_most(slot.ram_bytes)} of memory",
    ),
    _Requirement(
        met=_has_vram,
        wanted=lambda needs: f"{_at_least(max(needs.vram_bytes, needs.vram_used))} of GPU memory",
        best=_best_vram,
        lack=lambda _, slot: f"has {_at_most(slot.vram_bytes or 0)} of GPU memory",
    ),
)


@lru_cache(REMEMBERED)
def _raised(text: str, min_blender: int, ram_needed: int, vram_needed: int) -> Needs:
    return replace(
        decode_needs(text, min_blender),
        ram_used=ram_needed // MEMORY_STEP * MEMORY_STEP,
        vram_used=vram_needed // MEMORY_STEP * MEMORY_STEP,
    )


@lru_cache(REMEMBERED)
def _capability(
    tags: str,
    pools: str,
    farm_tags: str,
    farm_pools: str,
    blender: int,
    engines: str,
    device: str,
    platform: str,
    ram_bytes: int,
    vram_bytes: int | None,
    *,
    sandboxed: bool,
) -> Capability:
    return Capability(
        tags=frozenset(json.loads(tags) + json.loads(farm_tags)),
        pools=frozenset(json.loads(pools) + json.loads(farm_pools)),
        blender=blender,
        engines=frozenset(map(engine_name, json.loads(engines))),
        device=device,
        platform=platform,
        sandboxed=sandboxed,
        ram_bytes=ram_bytes,
        vram_bytes=vram_bytes,
    )


def _version(number: int) -> str:
    return "{}.{}".format(*blender_version(number))


def _at_least(size: int) -> str:
    """Write a need, rounded up: beside what is there, rounded down, it shows that the one is more than the other."""
    return f"{math.ceil(size / GIB * 10) / 10:g} GB"


def _at_most(size: int) -> str:
    return f"{math.floor(size / GIB * 10) / 10:g} GB"


def _tags(tags: Iterable[str]) -> str:
    names = [f"“{tag}”" for tag in sorted(tags)]
    return f"the tag{'s' if len(names) > 1 else ''} {_listed(names)}"


def _named(names: dict[str, str], identifiers: Iterable[str]) -> str:
    return _listed(sorted(names.get(identifier, identifier) for identifier in identifiers))


def _listed(words: Sequence[str]) -> str:
    """Join words as in "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
