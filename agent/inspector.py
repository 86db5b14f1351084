"""Looks into the .blend of packs for people who are about to submit them: beside the slots, so that a busy farm answers
within seconds, too."""

import asyncio
import dataclasses
import logging
import posixpath
from collections.abc import Mapping, Sequence
from time import monotonic

import msgspec
import psutil

from agent.blender.output import Inspected, MissingFile
from agent.blender.session import Limits, Session, SessionError
from agent.client import DropLeaseError, RefusedError
from agent.inputs import InputsError, Pack
from agent.logs import fresh_log
from agent.scratch import Scratch
from agent.tools import Tools
from coordinator.protocol import (
    Findings,
    InspectionGrant,
    InspectionReport,
    InspectionRequest,
    InspectionResult,
    MissingInput,
    Stage,
)
from coordinator.protocol.inspections import MAX_MISSING, MAX_NAMES, MAX_SCENES, MAX_WARNINGS

log = logging.getLogger(__name__)

#: Its Blender is that of the slot after the last there can be.
PLACE = 64

#: How long (seconds) Blender may take: people wait.
LIMITS = Limits(start=60.0, open=180.0)

#: How much of the machine's memory: the slots render meanwhile.
MEMORY_SHARE = 0.5

#: Seconds between reports, and between requests at least.
REPORT_INTERVAL = 2.0
ASK_INTERVAL = 1.0

#: A coordinator that knows of no inspections is asked again after so many seconds.
UNKNOWN_INTERVAL = 600.0

#: Failures that another agent would have as well.
_THE_FILES_OWN = frozenset({"cannot_open", "timeout", "hung"})

#: Longer paths and sentences are cut, longer names left out.
_PATH, _SENTENCE, _NAME = 1024, 1000, 200

#: A path that climbs further out of its pack than this cannot be given a place there.
_MAX_CLIMB = 8


class Inspector:
    """One agent's inspector; it looks into one pack at a time."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._awake = asyncio.Event()
        self._awake.set()
        self._pack: str | None = None
        self._stage = Stage.FETCHING

    def packs(self) -> set[str]:
        """Return the pack that it needs on disk just now."""
        return set() if self._pack is None else {self._pack}

    def rest(self, reason: str | None) -> None:
        """Look into nothing more while the machine is left to others; None: go on."""
        if reason is None:
            self._awake.set()
        else:
            self._awake.clear()

    async def run(self) -> None:
        """Look into packs until cancelled."""
        link, wait_seconds = self._tools.link, self._tools.timing.poll_seconds
        request = InspectionRequest(blender=self._tools.blender.version, wait_seconds=wait_seconds)
        while True:
            await self._awake.wait()
            began = monotonic()
            try:
                grant = await link.call(lambda: link.client.take_inspection(request))
            except RefusedError as error:
                log.info("The coordinator gives no scenes to look into: %s", error)
                await asyncio.sleep(UNKNOWN_INTERVAL)
                continue
            if grant is not None:
                await self._serve(grant)
            await asyncio.sleep(ASK_INTERVAL - (monotonic() - began))

    async def _serve(self, grant: InspectionGrant) -> None:
        """Look into a pack, and say so while it lasts."""
        link, claim = self._tools.link, grant.claim
        self._pack, self._stage = grant.pack_id, Stage.FETCHING
        looking = asyncio.create_task(self._look(grant.pack_id), name="inspector")
        try:
            while not looking.done():
                report = InspectionReport(stage=self._stage)
                await link.call(lambda: link.client.report_inspection(claim, report))  # noqa: B023 - called at once
                await asyncio.wait({looking}, timeout=REPORT_INTERVAL)
            result = looking.result()
            await link.call(lambda: link.client.put_inspection(claim, result))
        except DropLeaseError:
            log.info("Another agent looks into pack %.12s now.", grant.pack_id)
        except RefusedError as error:
            log.warning("The coordinator refused what was found in pack %.12s: %s", grant.pack_id, error)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            self._pack = None

    async def _look(self, pack_id: str) -> InspectionResult:
        inputs = self._tools.inputs
        try:
            await inputs.prepare(pack_id)
            self._stage = Stage.OPENING
            pack = inputs.pack(pack_id)
            inspected = await self._inspect(pack)
            version, folder = self._tools.blender.version, str(pack.folder)
            return InspectionResult(findings=findings(inspected, version, folder))
        except InputsError as error:
            return _failed(error.message, again=True)
        except SessionError as error:
            words = error.message.replace(f"{pack.folder}/", "")
            return _failed(words, again=error.code not in _THE_FILES_OWN)
        except OSError as error:
            return _failed(f"The agent cannot write its files: {error}", again=True)
        except msgspec.ValidationError as error:
            return _failed(f"What Blender tells of the file makes no sense ({error}); it may be damaged.", again=False)

    async def _inspect(self, pack: Pack) -> Inspected:
        tools, sandbox = self._tools, self._tools.sandbox
        log_path = await asyncio.to_thread(fresh_log, tools.logs, "inspector")
        scratch = await asyncio.to_thread(Scratch.make, tools.sessions, PLACE, sandboxed=sandbox is not None)
        session = None
        try:
            cell = None
            if sandbox is not None:
                most = int(psutil.virtual_memory().total * MEMORY_SHARE)
                bounds = dataclasses.replace(sandbox.bounds, memory_bytes=most)
                cell = dataclasses.replace(sandbox, bounds=bounds), scratch.cell(pack.folder, PLACE)
            session = await Session.start(tools.blender, log_path, LIMITS, cell)
            return await session.inspect(pack.main, pack.remap)
        finally:
            if session is not None:
                await session.kill()
            await asyncio.to_thread(scratch.remove)


def findings(inspected: Inspected, blender: tuple[int, int, int], folder: str) -> Findings:
    """Return what Blender told, within the protocol's limits.

    Args:
        inspected: as a Blender told it that may have been taken over.
        blender: its version.
        folder: the pack's.

    Raises:
        msgspec.ValidationError: something in it cannot be.
    """
    known = [scene for scene in map(_within_limits, inspected.scenes) if _fits(scene.get("name"))]
    # The active scene is told whatever the number of others.
    known.sort(key=lambda scene: scene["name"] != inspected.scene)
    told = {
        "file_version": inspected.file_version,
        "blender": blender,
        "scene": known[0]["name"] if known else None,
        "scenes": known[:MAX_SCENES],
        "missing": [_missing(file, folder) for file in inspected.missing[:MAX_MISSING]],
        "missing_count": len(inspected.missing),
        "warnings": [text[:_SENTENCE] for text in inspected.warnings[:MAX_WARNINGS]],
    }
    return msgspec.convert(told, Findings)


def _within_limits(scene: Mapping[str, object]) -> dict[str, object]:
    """Return a scene's values without names that no job could give, and without lists that are too long."""
    kept = dict(scene)
    for name in ("cameras", "view_layers"):
        if isinstance(values := kept.get(name), Sequence):
            kept[name] = [value for value in values if _fits(value)][:MAX_NAMES]
    if not _fits(kept.get("camera")):
        kept["camera"] = None
    return kept


def _fits(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _NAME


def _missing(file: MissingFile, folder: str) -> MissingInput:
    place = None
    if file.relative and file.path.startswith(f"{folder}/"):
        place = posixpath.normpath(file.path.removeprefix(f"{folder}/"))
    if place is not None and (place.count("../") > _MAX_CLIMB or len(place) > _PATH):
        place = None
    name = file.name[:_NAME] or "?"
    return MissingInput(kind=file.kind[:_NAME], name=name, path=(place or file.path)[:_PATH], place=place)


def _failed(words: str, *, again: bool) -> InspectionResult:
    return InspectionResult(failure=words[:_SENTENCE], again=again)
