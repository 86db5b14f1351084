"""The command line of an agent."""

from collections.abc import Callable
from pathlib import Path

import click

#: An option for each setting.
_SETTINGS = (
    click.option(
        "--coordinator", help="Its address; the one on the local network if not given (RENDERFARM_COORDINATOR)."
    ),
    click.option(
        "--join-code", help="Code of the page's “Add a machine”, for the first time only (RENDERFARM_JOIN_CODE)."
    ),
    click.option("--join-token", help="Or a join token of the farm (RENDERFARM_JOIN_TOKEN)."),
    click.option("--name", help="Name of this agent; the host name if not given (RENDERFARM_AGENT_NAME)."),
    click.option("--slots", help="Frames rendered at the same time; one for each graphics card (RENDERFARM_SLOTS)."),
    click.option("--blender", help="A blender executable, or bpy for the Python module (RENDERFARM_BLENDER)."),
    click.option("--blender-paths", help="More places to look for Blenders, as patterns (RENDERFARM_BLENDER_PATHS)."),
    click.option("--device", help="auto, CPU, CUDA, OPTIX, HIP, ONEAPI or METAL (RENDERFARM_DEVICE)."),
    click.option("--devices", help="Numbers of the graphics cards to use, such as 0,2; all (RENDERFARM_DEVICES)."),
    click.option("--gpus-per-slot", help="Graphics cards that render a frame together (RENDERFARM_GPUS_PER_SLOT)."),
    click.option("--threads", help="Processor threads for each slot (RENDERFARM_THREADS)."),
    click.option("--tags", help="Words that describe this agent, separated by commas (RENDERFARM_TAGS)."),
    click.option("--pools", help="Pools this agent belongs to, separated by commas (RENDERFARM_POOLS)."),
    click.option(
        "--engines", help="Engines it can render with, if not all, such as CYCLES,EEVEE (RENDERFARM_ENGINES)."
    ),
    click.option("--sandbox", help="auto, on (do not start without one) or off (RENDERFARM_SANDBOX)."),
    click.option("--dir", help="Folder for the cache and for frames on their way (RENDERFARM_AGENT_DIR)."),
    click.option("--cache-gb", help="Most gigabytes of downloaded files to keep (RENDERFARM_CACHE_GB)."),
    click.option("--hours", help="When it may work, such as 'Mon-Fri 19:00-07:00, Sat-Sun' (RENDERFARM_HOURS)."),
    click.option(
        "--when-idle", help="Work after so many minutes without anybody at the machine (RENDERFARM_WHEN_IDLE)."
    ),
    click.option("--rest", help="finish the frame being rendered first, or at-once (RENDERFARM_REST)."),
    click.option("--frame-timeout", help="Seconds after which a frame counts as hung (RENDERFARM_FRAME_TIMEOUT)."),
)


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the agent's settings."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


@click.command("agent")
@_with_settings
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once the agent has joined the farm.")
def agent_command(ready_file: Path | None, **options: str | None) -> None:
    """Render for the farm on this machine."""
    import asyncio
    import logging
    import os

    from agent.blender.confine import NoSandboxError
    from agent.blender.locate import NoBlenderError, find_blenders
    from agent.client import StopAgentError
    from agent.daemon import Agent, run_until_signalled
    from agent.devices import DeviceError
    from agent.discovery import DiscoveryError, with_coordinator
    from agent.identity import IdentityError
    from agent.logs import FORMAT
    from agent.notify import ServiceManager
    from agent.settings import SettingsError, read_settings

    logging.basicConfig(level=os.environ.get("RENDERFARM_LOG_LEVEL", "INFO").upper(), format=FORMAT)
    try:
        settings = asyncio.run(with_coordinator(read_settings(os.environ, options)))
        agent = Agent(settings, find_blenders(settings.blender, settings.blender_paths), ready_file)
        asyncio.run(run_until_signalled(agent, ServiceManager.of(os.environ)))
    except (
        SettingsError,
        NoBlenderError,
        DeviceError,
        NoSandboxError,
        IdentityError,
        StopAgentError,
        DiscoveryError,
    ) as error:
        raise click.ClickException(str(error)) from error
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise click.ClickException("Stopped at once; the frame being rendered is lost.") from None


@click.command()
def discover() -> None:
    """List the coordinators that announce themselves on the local network."""
    import asyncio

    from agent.discovery import find_coordinators

    found = asyncio.run(find_coordinators())
    if not found:
        raise click.ClickException(
            "No coordinator announces itself on this network.  One that listens on 127.0.0.1 does not: start it with "
            "--host 0.0.0.0.  Networks that keep machines apart (guest Wi-Fi, VPNs) let nothing through: there, "
            "name its address with --coordinator."
        )
    for coordinator in found:
        click.echo(f"{coordinator.url}  {coordinator.name}, version {coordinator.version}")


#: How the doctor's lines are drawn, by what they say.
_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@_with_settings
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
def doctor(as_json: bool, **options: str | None) -> None:
    """Check this machine as an agent, and say what to mend; takes the options of the agent."""
    import asyncio
    import json
    import os
    import sys
    from dataclasses import asdict

    from agent.doctor.examination import examine, worst

    findings = asyncio.run(examine(os.environ, options))
    if as_json:
        click.echo(json.dumps({"state": worst(findings), "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            state = click.style(f"{finding.state:<4}", fg=_COLORS[finding.state])
            click.echo(f"{state}  {finding.check:<11}  {finding.message}")
            if finding.mend is not None:
                click.echo(f"{'':<19}→ {finding.mend}")
    sys.exit(1 if worst(findings) == "fail" else 0)


COMMANDS: dict[str, list[click.Command]] = {"This machine": [agent_command, doctor, discover]}
