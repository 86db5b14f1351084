"""The farm's machines from the terminal: let them in, look at them, take them back, send them away."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import click

from .terminal import Failure, Terminal, farm_command

#: What people call how an agent is, where that is not what the API calls it.
_CALLED = {"draining": "pausing", "drained": "paused", "set_aside": "set aside"}

#: What such an agent told last is not so any more.
_GONE = ("offline", "left")

_GIBIBYTE = 1024**3

#: Takes tags and pools away.
_NONE = "none"

_ONLY_HERE = ("localhost", "127.0.0.1", "::1")


@farm_command
def agents(terminal: Terminal) -> None:
    """List the agents and what is the matter with them."""
    items = terminal.client.agents()
    lines = [f"{'agent':>6}  {'state':<9}  {'slots':>5}  {'speed':>5}  name"]
    for agent in items:
        busy = sum(slot["job"] is not None for slot in agent["slots"])
        slots = f"{busy}/{len(agent['slots'])}"
        state = _called(agent)
        lines.append(f"{agent['id']:>6}  {state:<9}  {slots:>5}  {agent['speed']:>5.2g}  {_described(agent)}")
        if agent["telemetry"] is not None and agent["presence"] not in _GONE:
            lines += [f"{'':>8}{line}" for line in _load(agent["telemetry"])]
    terminal.answer({"items": items}, "\n".join(lines) if items else "No agent has joined the farm yet.")


@farm_command
def join_code(terminal: Terminal) -> None:
    """Make a code that lets one machine join the farm, for 15 minutes."""
    made = terminal.client.join_code()
    address = terminal.client.base_url
    terminal.say("On the machine that is to join, within 15 minutes:")
    if urlsplit(address).hostname in _ONLY_HERE:
        # What it is called here is of no use there: it looks for the coordinator itself.
        terminal.answer(made, f"renderfarm agent --join-code {made['code']}")
    else:
        terminal.answer(made, f"renderfarm agent --coordinator {address} --join-code {made['code']}")


@farm_command
@click.argument("agent")
def reinstate(terminal: Terminal, agent: str) -> None:
    """Let AGENT (its name, or its number) work again that was set aside, also on the jobs it was kept from."""
    view = terminal.client.steer_agent(_agent_id(terminal, agent), "reinstate")
    terminal.answer(view, f"{view['name']} works again.")


@farm_command
@click.argument("agent")
@click.argument("reason")
def set_aside(terminal: Terminal, agent: str, reason: str) -> None:
    """Give AGENT (its name, or its number) no more work, and tell everybody the REASON; it finishes its frames."""
    view = terminal.client.set_agent_aside(_agent_id(terminal, agent), reason)
    name = view["name"]
    terminal.answer(view, f"{name} is set aside; to let it work again: renderfarm reinstate {name}")


@farm_command
@click.argument("agent")
@click.option("--tag", "tags", multiple=True, metavar="TAG|none", help="What it is tagged with; may be repeated.")
@click.option("--pool", "pools", multiple=True, metavar="POOL|none", help="The pools it is in; may be repeated.")
def set_agent(terminal: Terminal, agent: str, tags: tuple[str, ...], pools: tuple[str, ...]) -> None:
    """Give AGENT (its name, or its number) tags or pools, in place of those given before; “none” takes them away.

    Those of its own settings stay.
    """
    wanted = {"tags": tags, "pools": pools}
    changes = {what: [name for name in names if name != _NONE] for what, names in wanted.items() if names}
    if not changes:
        raise click.UsageError("There is nothing to change: say what with --tag or --pool.")
    view = terminal.client.change_agent(_agent_id(terminal, agent), changes)
    has = [f"{what} {', '.join(view[what])}" for what in ("tags", "pools") if view[what]]
    terminal.answer(view, f"{view['name']} has {' and '.join(has) or 'no tags and no pools'}.")


@farm_command
@click.argument("agent")
def pause_agent(terminal: Terminal, agent: str) -> None:
    """Have AGENT (its name, or its number) finish the frames that it renders and give it no others."""
    view = terminal.client.steer_agent(_agent_id(terminal, agent), "drain")
    name = view["name"]
    terminal.answer(view, f"{name} is {_called(view)}; to let it work again: renderfarm resume-agent {name}")


@farm_command
@click.argument("agent")
def resume_agent(terminal: Terminal, agent: str) -> None:
    """Let AGENT (its name, or its number) work again that was paused or stopped."""
    view = terminal.client.steer_agent(_agent_id(terminal, agent), "resume")
    terminal.answer(view, f"{view['name']} gets work again.")


@farm_command
@click.argument("agent")
def stop_agent(terminal: Terminal, agent: str) -> None:
    """Take the frames of AGENT (its name, or its number) from it at once, and pause it: others render them anew."""
    view = terminal.client.steer_agent(_agent_id(terminal, agent), "stop")
    name = view["name"]
    terminal.answer(view, f"{name} is stopped; to let it work again: renderfarm resume-agent {name}")


@farm_command
@click.argument("agent")
def send_away(terminal: Terminal, agent: str) -> None:
    """Stop AGENT (its name, or its number) and let it in no more: it comes back with a new join code only."""
    agent_id = _agent_id(terminal, agent)
    terminal.client.revoke_agent(agent_id)
    terminal.answer(
        {"id": agent_id},
        f"{agent} is out of the farm.  If it was started with a join token, revoke that one too: renderfarm token",
    )


@farm_command
@click.argument("agent")
def remove_agent(terminal: Terminal, agent: str) -> None:
    """Take AGENT (its name, or its number) off the list; it is on it again when it comes back."""
    agent_id = _agent_id(terminal, agent)
    terminal.client.remove_agent(agent_id)
    terminal.answer({"id": agent_id}, f"{agent} is off the list.")


def _called(agent: dict[str, Any]) -> str:
    """Return how an agent is, in the words of the page."""
    presence = str(agent["presence"])
    return _CALLED.get(presence, presence)


def _described(agent: dict[str, Any]) -> str:
    """Return an agent's name, and why it gets or takes no work, or no work of some jobs."""
    notes = [agent["explanation"]] if agent["presence"] not in ("working", "idle") else []
    if not agent["sandboxed"]:
        notes.append("no sandbox")
    finished, failed = agent.get("recent_finished", 0), agent.get("recent_failed", 0)
    if failed:
        notes.append(f"{failed} of its last {finished + failed} attempts failed")
    if agent["set_aside_jobs"]:
        notes.append(f"kept from jobs {', '.join(map(str, agent['set_aside_jobs']))}")
    return f"{agent['name']}: {'; '.join(notes)}" if notes else str(agent["name"])


def _load(telemetry: dict[str, Any]) -> list[str]:
    """Return how a machine is: a line for each graphics card, and one for the rest."""
    lines = []
    for gpu in telemetry["gpus"]:
        used, whole = gpu["memory_used_bytes"], gpu["memory_bytes"]
        parts = [
            None if gpu["celsius"] is None else f"{gpu['celsius']:.0f} °C",
            None if gpu["watts"] is None else f"{gpu['watts']:.0f} W",
            None if gpu["utilization"] is None else f"{gpu['utilization']:.0%}",
            None if used is None or whole is None else f"{used / _GIBIBYTE:.1f} of {whole / _GIBIBYTE:.1f} GiB",
        ]
        lines.append(f"{gpu['name']}: {', '.join(filter(None, parts)) or 'tells nothing'}")
    processor, room = telemetry["cpu_utilization"], telemetry["disk_free_bytes"]
    rest = [
        None if processor is None else f"processor {processor:.0%}",
        None if room is None else f"{room / _GIBIBYTE:.0f} GiB free on disk",
    ]
    return lines + ([", ".join(filter(None, rest))] if any(rest) else [])


def _agent_id(terminal: Terminal, wanted: str) -> int:
    items: Sequence[dict[str, Any]] = terminal.client.agents()
    found = [agent for agent in items if agent["name"] == wanted] or [
        agent for agent in items if str(agent["id"]) == wanted
    ]
    if not found:
        raise Failure(f"There is no agent {wanted}; to see them all: renderfarm agents")
    return int(found[0]["id"])


COMMANDS: list[click.Command] = [
    agents,
    join_code,
    pause_agent,
    resume_agent,
    stop_agent,
    set_aside,
    set_agent,
    reinstate,
    send_away,
    remove_agent,
]
