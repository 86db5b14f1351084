"""What a farm can do, as far as a submission cares: its Blenders, its devices, its pools, what its users may (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client import FarmClient

#: Devices of Cycles that are graphics cards.
_CARDS = frozenset({"CUDA", "OPTIX", "HIP", "ONEAPI", "METAL"})


@dataclass(frozen=True)
class FarmFacts:
    """What is known of a farm's agents and of the person who submits; of agents that are there or may come back."""

    version: str = ""
    """Of the coordinator."""
    user: str = ""
    """Whom the token belongs to."""
    may_run_scripts: bool = False
    sends_mail: bool = False
    """It writes to people when a job ends."""
    agents: int = 0
    """How many are known."""
    newest_blender: tuple[int, int] | None = None
    """None: no agent has told."""
    devices: frozenset[str] = frozenset()
    """What slots render with, by Blender's identifiers; ``GPU`` too where there is any card."""
    denoisers: frozenset[str] = frozenset()
    """Empty: not told."""
    pools: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def read_facts(client: FarmClient) -> FarmFacts:
    """Ask the farm.

    Raises:
        FarmError: it does not answer, or not as a coordinator does.
    """
    health, session = client.health(), client.session()
    name = str(session["name"])
    mine = next((user for user in client.users() if user["name"] == name), {})
    agents = [agent for agent in client.agents() if agent.get("state") != "left"]
    builds = [build for agent in agents for build in _items(agent, "blenders")]
    devices = {str(agent.get("device") or "") for agent in agents} - {""}
    return FarmFacts(
        version=str(health["version"]),
        user=name,
        may_run_scripts=bool(mine.get("scripts")),
        sends_mail=bool(client.notifications()["email"]),
        agents=len(agents),
        newest_blender=max((version for build in builds if (version := _version(build)) is not None), default=None),
        devices=frozenset(devices | ({"GPU"} if devices & _CARDS else set())),
        denoisers=frozenset(str(name) for build in builds for name in _items(build, "denoisers")),
        pools=tuple(sorted({str(name) for agent in agents for name in _items(agent, "pools")})),
        tags=tuple(sorted({str(name) for agent in agents for name in _items(agent, "tags")})),
    )


def _items(owner: Mapping[str, Any], name: str) -> list[Any]:
    value = owner.get(name)
    return value if isinstance(value, list) else []


def _version(build: Mapping[str, Any]) -> tuple[int, int] | None:
    try:
        major, minor = build["version"][:2]
        return int(major), int(minor)
    except (KeyError, TypeError, ValueError):
        return None
