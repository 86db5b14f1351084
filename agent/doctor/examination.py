"""Everything the doctor looks at, one after the other."""

import asyncio
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from agent.blender.output import Described
from agent.discovery import DiscoveryError, with_coordinator
from agent.doctor.blenders import check_libraries, look_for_blenders, try_blender
from agent.doctor.farm import check_farm
from agent.doctor.findings import Finding, State, fail, ok
from agent.doctor.machine import check_devices, check_drivers, check_folder, check_sandbox
from agent.equipment import look_at_cards
from agent.gpus import Gpus
from agent.identity import AgentFolder
from agent.settings import AgentSettings, SettingsError, read_settings
from coordinator.protocol import Device


async def examine(environment: Mapping[str, str], options: Mapping[str, str | None]) -> list[Finding]:
    """Return what is well with this machine as an agent, and what is not.

    Args:
        environment: of the process.
        options: of the command line, as :func:`agent.settings.read_settings` takes them.
    """
    try:
        settings = read_settings(environment, options)
    except SettingsError as error:
        return [fail("settings", str(error), "change it, or leave it out")]
    gpus = await look_at_cards()
    return [
        ok("python", f"Python {platform.python_version()} at {sys.executable}."),
        *await asyncio.to_thread(check_drivers, gpus, settings.wish),
        *await _examine_blenders(settings, gpus, environment),
        *await asyncio.to_thread(check_folder, settings.folder),
        *await _examine_farm(settings),
    ]


async def _examine_blenders(settings: AgentSettings, gpus: Gpus, environment: Mapping[str, str]) -> list[Finding]:
    findings, blenders = await asyncio.to_thread(look_for_blenders, settings.blender, settings.blender_paths)
    used: Described | None = None
    for blender in blenders:
        libraries = await asyncio.to_thread(check_libraries, blender)
        findings += [] if libraries is None else [libraries]
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="renderfarm-doctor-"))
        try:
            told, described = await try_blender(blender, gpus.cards, environment, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder)
        findings += told
        used = used or described
    if used is not None:
        # The agent passes over what does not start.
        findings = [_milder(it) if it.check in ("libraries", "start") else it for it in findings]
        findings += check_devices(settings.wish, used, gpus)
    elif blenders and settings.wish.kind not in (None, Device.CPU):
        message = f"RENDERFARM_DEVICE asks for {settings.wish.kind}, and no Blender here can look for it."
        findings.append(fail("slots", message, "see the lines above, or render with RENDERFARM_DEVICE=CPU"))
    if blenders:
        cards = bool(gpus.cards) and settings.wish.kind != Device.CPU
        findings.append(
            await asyncio.to_thread(check_sandbox, settings.sandbox, blenders, settings.folder, cards=cards)
        )
    return findings


async def _examine_farm(settings: AgentSettings) -> list[Finding]:
    try:
        url = (await with_coordinator(settings)).coordinator
    except DiscoveryError as error:
        return [fail("coordinator", str(error), "name one with --coordinator or RENDERFARM_COORDINATOR")]
    identity = await asyncio.to_thread(AgentFolder(settings.folder, url).load)
    token = settings.join_token if identity is None else identity.token
    return await check_farm(url, token, lambda: datetime.now(UTC))


def _milder(finding: Finding) -> Finding:
    return replace(finding, state=State.WARN) if finding.state == State.FAIL else finding


def worst(findings: list[Finding]) -> State:
    """Return how bad the worst of it is."""
    states = {finding.state for finding in findings}
    return next((state for state in (State.FAIL, State.WARN) if state in states), State.OK)
