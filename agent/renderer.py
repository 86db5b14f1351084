"""A slot's session: started, set up for jobs, kept warm, its pictures put into the outbox."""

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from agent.blender.failures import NO_ROOM
from agent.blender.output import Configured, MissingFile, Opened, Progress, Rendered
from agent.blender.session import Session, SessionError
from agent.events import Checked, Event, WorkDone
from agent.frame_upload import Note
from agent.instructions import Check, MixSound, Prepare, Render, Work
from agent.logs import fresh_log
from agent.pictures import PREVIEW
from agent.sameness import same_picture
from agent.scratch import Extra, NotAFileError, Scratch
from agent.tools import Tools
from coordinator.protocol import Device, JobSpec

#: Missing files named one by one; the rest are counted.
MAX_MISSING_NAMED = 30

#: A disk with less room than this (bytes) counts as full: what was written to it last may be cut short.
FULL = 1024**2

#: Failures behind which a full disk may be.
_WRITING = frozenset({"not_written", "render_failed", "crashed", NO_ROOM})


class Renderer:
    """Carries out the work of one slot, one piece after the other."""

    def __init__(self, number: int, device: str, tools: Tools, tell: Callable[[Event], None]) -> None:
        """Render with ``device``; ``tell`` hears what becomes of deliveries."""
        self._number = number
        self._device = device
        self._tools = tools
        self._tell = tell
        # The next session begins when the memory of the one before is free.
        self._ending = asyncio.Lock()
        self._session: Session | None = None
        self._scratch: Scratch | None = None
        """Where the session writes."""
        self._cold = False
        """It has to compile shaders that sessions after it need not."""
        self._opened: tuple[tuple[str, bool], Opened] | None = None
        """The pack the session has open and whether its scripts run, and what opening it told."""
        self._configured: Configured | None = None
        self._load_seconds = 0.0
        """What preparing the session took, until a frame has told of it."""
        self._reference: Path | None = None
        """A copy of the first frame that was rendered after the scene was set up."""

    async def carry_out(self, work: Work, on_progress: Callable[[Progress], None]) -> WorkDone | Checked:
        """Do a piece of work.

        After an error the session is best dropped.

        Raises:
            SessionError: it cannot be done.
            OSError: the machine's disk does not take a file.
        """
        began = monotonic()
        match work:
            case Prepare(_, job):
                warnings, fading = await self._prepare(job)
                return WorkDone(warnings, monotonic() - began, fading=fading, cold=self._cold)
            case MixSound():
                await self._mix_sound(work)
                return WorkDone((), monotonic() - began)
            case Render():
                warnings, rendered = await self._render(work, on_progress)
                return WorkDone(warnings, monotonic() - began, rendered.held_bytes, rendered.seconds)
            case Check():
                return Checked(await self._check(work, on_progress))

    async def close(self) -> None:
        """End the session, if there is one."""
        async with self._ending:
            session, scratch = self._forget()
            if session is not None:
                await session.close()
            await _remove(scratch)

    async def drop(self) -> None:
        """Kill the session, if there is one."""
        async with self._ending:
            session, scratch = self._forget()
            if session is not None:
                await session.kill()
            await _remove(scratch)

    async def _prepare(self, job: JobSpec) -> tuple[tuple[str, ...], bool]:
        """Have a session open the job's pack and set its scene up.

        Returns warnings for the job's owner, and whether its frames may take longer in a warm session.
        """
        tools, began = self._tools, monotonic()
        session, opened = await self._open(job.pack_id, allow_scripts=job.render.allow_scripts)
        if job.stop_on_missing and opened.missing:
            raise SessionError("missing_files", _what_is_missing(opened.missing))
        self._reference = None
        configured = await session.configure(job.render, job.output.format, self._device, tools.threads)
        here, wanted = (configured.width, configured.height), (job.output.width, job.output.height)
        if None not in here and None not in wanted and here != wanted:
            raise SessionError(
                "wrong_size",
                f"The scene renders at {here[0]}×{here[1]} pixels, but the job says {wanted[0]}×{wanted[1]}.",
            )
        if job.stop_on_missing and configured.missing_engine is not None:
            raise SessionError("missing_files", _what_is_missing([_missing_engine(configured.missing_engine)]))
        self._configured = configured
        self._load_seconds = monotonic() - began
        lost = [] if configured.missing_engine is None else [_without_engine(configured.missing_engine)]
        eevee = configured.engine.startswith("BLENDER_EEVEE")
        if eevee and tools.shaders is not None and self._cold:
            tools.tasks.spawn(tools.shaders.compile(tools.sessions, tools.logs), "shaders")
        return (*_warnings(opened), *lost, *configured.warnings), eevee and self._device == Device.CPU

    async def _open(self, pack_id: str, *, allow_scripts: bool) -> tuple[Session, Opened]:
        wanted = pack_id, allow_scripts
        if self._session is not None and self._opened is not None and self._opened[0] == wanted:
            return self._session, self._opened[1]
        await self.close()
        tools, number = self._tools, self._number
        pack, sandbox = tools.inputs.pack(pack_id), tools.sandbox
        log_path = await asyncio.to_thread(fresh_log, tools.logs, f"slot-{number}")
        self._scratch = scratch = await asyncio.to_thread(
            Scratch.make, tools.sessions, number, sandboxed=sandbox is not None
        )
        cell = None if sandbox is None else (sandbox, scratch.cell(pack.folder, number))
        self._cold = tools.shaders is not None and not await asyncio.to_thread(tools.shaders.lay, scratch, number)
        await tools.card_meters[number].note_others()
        try:
            self._session = await Session.start(tools.blender, log_path, tools.limits, cell)
        except SessionError as error:
            raise SessionError("not_started", error.message) from error
        opened = await self._session.open(pack.main, pack.remap, scratch.extras, allow_scripts=allow_scripts)
        self._opened = wanted, opened
        return self._session, opened

    def _ready(self) -> tuple[Session, Configured, Scratch]:
        if self._session is None or self._configured is None or self._scratch is None:
            raise SessionError("render_failed", "The session was lost before the frame began.")
        return self._session, self._configured, self._scratch

    async def _render(self, work: Render, on_progress: Callable[[Progress], None]) -> tuple[tuple[str, ...], Rendered]:
        """Render a frame and put its files into the outbox; return warnings for the job's owner, and what it took."""
        outbox, (session, configured, scratch) = self._tools.outbox, self._ready()
        await outbox.room()
        output = f"frame.{configured.extension}"
        display = "display.png" if work.job.output.display else None
        # Only Blender knows what an OpenEXR looks like; of other files the agent makes the preview.
        preview = PREVIEW if work.job.output.format.is_exr and display is None else None
        files = _Files(output, preview, display)
        # Beside the frame, as all that Blender need not wait for.
        placing = asyncio.ensure_future(outbox.place(work.lease_id, work.frame))
        try:
            rendered, card_use = await self._tools.card_meters[self._number].measure(
                session.pid, self._render_files(work.frame, files, on_progress, work.expected_seconds)
            )
        finally:
            folder = await placing
        keep = scratch.kept / output if self._reference is None and work.job.render.persistent_data else None
        extras, warnings = await asyncio.to_thread(_take, scratch, files, folder, keep)
        self._reference = keep or self._reference
        load_seconds, self._load_seconds = self._load_seconds, 0.0
        note = Note(
            lease_id=work.lease_id,
            frame=work.frame,
            output=output,
            preview=preview,
            display=display,
            extras=[(extra.path, extra.name) for extra in extras],
            format=work.job.output.format,
            size=_size(configured, work.job),
            color_mode=work.job.output.color_mode,
            color_depth=work.job.output.color_depth,
            seconds=rendered.seconds,
            load_seconds=load_seconds,
            memory_bytes=rendered.memory_bytes,
            gpu_memory_bytes=card_use.peak_bytes,
            energy_joules=card_use.joules,
            blender=session.version,
            # Asked once its files are taken: by now the last lines have come as well.
            log=session.said(),
        )
        await outbox.add(folder, note, self._tell)
        return tuple(warnings), rendered

    async def _render_files(
        self,
        frame: int,
        files: "_Files",
        on_progress: Callable[[Progress], None],
        expected_seconds: float | None = None,
    ) -> Rendered:
        """Have Blender render a frame into these files.

        Raises:
            SessionError: it could not be rendered, or there was no room for it.
        """
        session, _, scratch = self._ready()
        preview, display = (scratch.output / name if name else None for name in (files.preview, files.display))
        output = scratch.output / files.output
        try:
            rendered = await session.render(frame, output, preview, display, on_progress, expected_seconds)
        except SessionError as error:
            if error.code in _WRITING and await asyncio.to_thread(_is_full, scratch.output):
                raise SessionError(NO_ROOM, f"The agent's disk is full. {error.message}") from error
            raise
        return rendered

    async def _check(self, work: Check, on_progress: Callable[[Progress], None]) -> bool:
        """Render the session's first frame once more; tell whether it comes out the same."""
        session, configured, scratch = self._ready()
        reference = self._reference
        if reference is None:
            raise SessionError("render_failed", "The first picture of the session was lost.")
        files = _Files(f"frame.{configured.extension}", None, None)
        await self._render_files(work.frame, files, on_progress)
        session.said()  # is of no frame that anybody gets

        def compare() -> bool:
            again = scratch.kept / "again"
            again.mkdir()
            try:
                _take(scratch, files, again)
                return same_picture(reference, again / files.output, work.job.output.format)
            finally:
                shutil.rmtree(again)

        return await asyncio.to_thread(compare)

    async def _mix_sound(self, work: MixSound) -> None:
        """Mix the sound; why there is none is delivered as well, so that the job does not wait for it."""
        outbox, session, scratch = self._tools.outbox, self._session, self._scratch
        if session is None or scratch is None:
            raise SessionError("no_sound", "The session was lost before the sound was mixed.")
        folder = await outbox.place(work.lease_id, None)
        try:
            await session.mix_sound(scratch.output / "sound.flac", work.first, work.last)
            await asyncio.to_thread(_take, scratch, _Files("sound.flac", None, None), folder)
        except SessionError as error:
            failure = Note(lease_id=work.lease_id, frame=None, output=None, failure=error.message[:4000])
            await outbox.add(folder, failure, self._tell)
            raise
        await outbox.add(folder, Note(lease_id=work.lease_id, frame=None, output="sound.flac"), self._tell)

    def _forget(self) -> tuple[Session | None, Scratch | None]:
        was = self._session, self._scratch
        self._session, self._scratch, self._opened, self._configured = None, None, None, None
        return was


class _Files(NamedTuple):
    """The names of what Blender writes for a frame."""

    output: str
    preview: str | None
    display: str | None


def _take(scratch: Scratch, files: _Files, folder: Path, keep: Path | None = None) -> tuple[list[Extra], list[str]]:
    """Take the files of these names, and what the scene's own outputs wrote; return the latter, and warnings.

    ``keep`` becomes a copy of the output.

    Raises:
        SessionError: Blender wrote something else than files, or there was no room for them.
    """
    if _is_full(scratch.output):
        # Blender reports success all the same (docs/FACTS.md).
        raise SessionError(NO_ROOM, "The agent's disk is full; what was rendered may be cut short.")
    try:
        for name in files:
            if name is not None:
                scratch.take(name, folder)
    except (NotAFileError, FileNotFoundError) as error:
        raise SessionError("not_written", str(error)) from error
    if keep is not None:
        shutil.copyfile(folder / files.output, keep)
    return scratch.take_extras(folder)


def _is_full(folder: Path) -> bool:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize < FULL


async def _remove(scratch: Scratch | None) -> None:
    if scratch is not None:
        await asyncio.to_thread(scratch.remove)


def _size(configured: Configured, job: JobSpec) -> tuple[int, int] | None:
    """Return what a frame must measure, where the scene or the job tells."""
    width, height = configured.width or job.output.width, configured.height or job.output.height
    return (width, height) if width and height else None


def _what_is_missing(missing: Sequence[MissingFile]) -> str:
    named = ", ".join(f'the {file.kind} "{file.name}" ({file.path})' for file in missing[:MAX_MISSING_NAMED])
    more = f" and {len(missing) - MAX_MISSING_NAMED} more" if len(missing) > MAX_MISSING_NAMED else ""
    return (
        f"The scene needs files that are missing: {named}{more}. The job was to stop in that case: put them where they"
        " belong and submit it again, or submit it without that wish."
    )


def _missing_engine(name: str) -> MissingFile:
    return MissingFile(kind="render engine", name=name, path="an add-on")


def _without_engine(name: str) -> str:
    return (
        f'The render engine "{name}" is missing: it comes from an add-on that the agent\'s Blender does not have.'
        " The scene is rendered with EEVEE instead, and the picture will be another. Choose Cycles, EEVEE or Workbench"
        " in the scene, or for the job, and submit it again."
    )[:1000]


def _warnings(opened: Opened) -> tuple[str, ...]:
    """Return what the job's owner should know about a scene that was opened."""
    named = [
        f'The {file.kind} "{file.name}" is missing ({file.path}); the picture may be wrong.'[:1000]
        for file in opened.missing[:MAX_MISSING_NAMED]
    ]
    more = len(opened.missing) - len(named)
    return (*named, *([f"{more} more files are missing."] if more else []), *(text[:1000] for text in opened.warnings))
