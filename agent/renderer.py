"""A slot's session: started, set up for jobs, kept warm, its pictures put into the outbox."""

import asyncio
from collections.abc import Callable
from time import monotonic

from agent.blender.output import Configured, Opened, Progress
from agent.blender.session import Session, SessionError
from agent.events import Event
from agent.frame_upload import Note
from agent.instructions import MixSound, Prepare, Render, Work
from agent.logs import fresh_log
from agent.tools import Tools
from coordinator.protocol import JobSpec

#: Missing files named one by one; the rest are counted.
MAX_MISSING_NAMED = 30


class Renderer:
    """Carries out the work of one slot, one piece after the other."""

    def __init__(self, number: int, device: str, tools: Tools, tell: Callable[[Event], None]) -> None:
        """Render with ``device``; ``tell`` hears what becomes of deliveries."""
        self._number = number
        self._device = device
        self._tools = tools
        self._tell = tell
        self._session: Session | None = None
        self._opened: tuple[str, tuple[str, ...]] | None = None
        """The pack the session has open, and the warnings that opening it gave."""
        self._configured: Configured | None = None
        self._load_seconds = 0.0
        """What preparing the session took, until a frame has told of it."""

    async def carry_out(self, work: Work, on_progress: Callable[[Progress], None]) -> tuple[str, ...]:
        """Do a piece of work; return warnings for the job's owner.

        After an error the session is best dropped.

        Raises:
            SessionError: it cannot be done.
            OSError: the machine's disk does not take a file.
        """
        match work:
            case Prepare(_, job):
                return await self._prepare(job)
            case MixSound():
                await self._mix_sound(work)
            case Render():
                await self._render(work, on_progress)
        return ()

    async def close(self) -> None:
        """End the session, if there is one."""
        if (session := self._forget()) is not None:
            await session.close()

    async def drop(self) -> None:
        """Kill the session, if there is one."""
        if (session := self._forget()) is not None:
            await session.kill()

    async def _prepare(self, job: JobSpec) -> tuple[str, ...]:
        """Have a session open the job's pack and set its scene up; return warnings for the job's owner."""
        began = monotonic()
        session, warnings = await self._open(job.pack_id)
        configured = await session.configure(job.render, job.output.format, self._device, self._tools.threads)
        here, wanted = (configured.width, configured.height), (job.output.width, job.output.height)
        if None not in here and None not in wanted and here != wanted:
            raise SessionError(
                "wrong_size",
                f"The scene renders at {here[0]}×{here[1]} pixels, but the job says {wanted[0]}×{wanted[1]}.",
            )
        self._configured = configured
        self._load_seconds = monotonic() - began
        return (*warnings, *configured.warnings)

    async def _open(self, pack_id: str) -> tuple[Session, tuple[str, ...]]:
        if self._session is not None and self._opened is not None and self._opened[0] == pack_id:
            return self._session, self._opened[1]
        await self.close()
        pack = self._tools.inputs.pack(pack_id)
        log_path = await asyncio.to_thread(fresh_log, self._tools.logs, f"slot-{self._number}")
        try:
            self._session = await Session.start(self._tools.blender, log_path, self._tools.limits)
        except SessionError as error:
            raise SessionError("not_started", error.message) from error
        opened = await self._session.open(pack.main, pack.remap)
        self._opened = pack_id, _warnings(opened)
        return self._session, self._opened[1]

    async def _render(self, work: Render, on_progress: Callable[[Progress], None]) -> None:
        outbox, session, configured = self._tools.outbox, self._session, self._configured
        if session is None or configured is None:
            raise SessionError("render_failed", "The session was lost before the frame began.")
        await outbox.room()
        folder = await outbox.place(work.lease_id, work.frame)
        output = f"frame.{configured.extension}"
        display = "display.png" if work.job.output.display else None
        rendered = await session.render(
            work.frame, folder / output, folder / "preview.jpg", folder / display if display else None, on_progress
        )
        load_seconds, self._load_seconds = self._load_seconds, 0.0
        note = Note(
            lease_id=work.lease_id,
            frame=work.frame,
            output=output,
            preview="preview.jpg",
            display=display,
            format=work.job.output.format,
            size=_size(configured, work.job),
            color_mode=work.job.output.color_mode,
            color_depth=work.job.output.color_depth,
            seconds=rendered.seconds,
            load_seconds=load_seconds,
            memory_bytes=rendered.memory_bytes,
            blender=session.version,
        )
        await outbox.add(folder, note, self._tell)

    async def _mix_sound(self, work: MixSound) -> None:
        """Mix the sound; why there is none is delivered as well, so that the job does not wait for it."""
        outbox, session = self._tools.outbox, self._session
        if session is None:
            raise SessionError("no_sound", "The session was lost before the sound was mixed.")
        folder = await outbox.place(work.lease_id, None)
        try:
            await session.mix_sound(folder / "sound.flac", work.first, work.last)
        except SessionError as error:
            failure = Note(lease_id=work.lease_id, frame=None, output=None, failure=error.message[:4000])
            await outbox.add(folder, failure, self._tell)
            raise
        await outbox.add(folder, Note(lease_id=work.lease_id, frame=None, output="sound.flac"), self._tell)

    def _forget(self) -> Session | None:
        session, self._session, self._opened, self._configured = self._session, None, None, None
        return session


def _size(configured: Configured, job: JobSpec) -> tuple[int, int] | None:
    """Return what a frame must measure, where the scene or the job tells."""
    width, height = configured.width or job.output.width, configured.height or job.output.height
    return (width, height) if width and height else None


def _warnings(opened: Opened) -> tuple[str, ...]:
    """Return what the job's owner should know about a scene that was opened."""
    named = [
        f'The {file.kind} "{file.name}" is missing ({file.path}); the picture may be wrong.'[:1000]
        for file in opened.missing[:MAX_MISSING_NAMED]
    ]
    more = len(opened.missing) - len(named)
    return (*named, *([f"{more} more files are missing."] if more else []), *(text[:1000] for text in opened.warnings))
