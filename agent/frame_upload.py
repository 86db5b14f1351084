"""Finished frames: kept on disk until the coordinator has them, delivered while the next ones render."""

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.client import DropLeaseError, RefusedError
from agent.events import Delivered, FrameSpoilt, LeaseLost
from agent.link import Link
from agent.pictures import PREVIEW, SpoiltFrameError, check_frame, shrink_preview
from coordinator.protocol import (
    ColorMode,
    ErrorCode,
    ExtraFile,
    FrameAnswer,
    FrameResult,
    ImageFormat,
    SoundResult,
    StoredFile,
)
from coordinator.protocol.decoding import decoding_threads
from coordinator.protocol.parcel import MAX_FILES_BYTES, MAX_PARCEL_BYTES, pack_parcel
from coordinator.protocol.pictures import Blankness, Wanted

T = TypeVar("T")

log = logging.getLogger(__name__)

NOTE = "note.json"

#: Deliveries at the same time; one that waits for the coordinator is none.
PARALLEL_DELIVERIES = 2

#: Rendering waits while more frames than this are not delivered yet.
MAX_WAITING = 64

#: How long (seconds) handing in what is already uploaded may take after the agent was told to stop at once.
LAST_WORDS_SECONDS = 5.0

#: Uploading a frame's files again, when the coordinator says that it lacks them, is tried this often.
UPLOAD_ATTEMPTS = 3

Tell = Callable[[Delivered | FrameSpoilt | LeaseLost], None]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known to deliver a frame, or the sound, after the agent was started anew."""

    lease_id: str
    frame: int | None
    """``None``: the sound."""
    output: str | None
    """Names in the note's folder.  ``None``: there is no sound, for the reason in ``failure``."""
    preview: str | None = None
    """None: none was rendered; one is made of the display file, or else of the output."""
    display: str | None = None
    extras: list[tuple[str, str]] = []
    """What the scene itself wrote: where it lay for the scene, and its name here."""
    failure: str | None = None
    format: ImageFormat | None = None
    size: tuple[int, int] | None = None
    color_mode: ColorMode | None = None
    color_depth: int | None = None
    seconds: float = 0.0
    load_seconds: float = 0.0
    memory_bytes: int | None = None
    gpu_memory_bytes: int | None = None
    energy_joules: float | None = None
    blender: tuple[int, int, int] = (0, 0, 0)
    log: str = ""
    """What Blender said while it rendered the frame."""


@dataclass(frozen=True, slots=True)
class _Item:
    note: Note
    folder: Path
    tell: Tell


class Outbox:
    """What is rendered and not delivered."""

    def __init__(self, folder: Path, link: Link) -> None:
        self._folder = folder
        self._link = link
        self._queue: asyncio.Queue[_Item] = asyncio.Queue()
        self._waiting: set[Path] = set()
        self._turns = asyncio.Semaphore(PARALLEL_DELIVERIES)
        self._eyes = decoding_threads(PARALLEL_DELIVERIES, "outbox")
        self._changed = asyncio.Condition()

    async def load(self) -> None:
        """Queue what an earlier run could not deliver; remove what it had not finished."""
        for folder, note in await asyncio.to_thread(self._read_notes):
            self._put(_Item(note, folder, lambda _event: None))

    async def place(self, lease_id: str, frame: int | None) -> Path:
        """Make and return an empty folder for a frame's files (``None``: for the sound)."""
        folder = self._folder / lease_id / ("sound" if frame is None else str(frame))

        def make() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

        await asyncio.to_thread(make)
        return folder

    async def room(self) -> None:
        """Wait until another frame may be rendered."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._waiting) < MAX_WAITING)

    async def add(self, folder: Path, note: Note, tell: Tell) -> None:
        """Take in what lies finished in a folder of :meth:`place`; ``tell`` hears what becomes of it."""
        await asyncio.to_thread(_write_note, folder, note)
        self._put(_Item(note, folder, tell))

    async def discard(self, lease_id: str) -> None:
        """Remove everything of a lease that has ended."""
        # First, so that a delivery under way knows why its files are gone.
        await self._forget(*[folder for folder in self._waiting if folder.parent.name == lease_id])
        await asyncio.to_thread(shutil.rmtree, self._folder / lease_id, ignore_errors=True)

    async def drained(self) -> None:
        """Wait until everything has been delivered."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._waiting)

    async def run(self) -> None:
        """Deliver, for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    item = await self._queue.get()
                    await self._turns.acquire()
                    group.create_task(self._deliver_in_turn(item))
        finally:
            self._eyes.shutdown(wait=False)

    async def _deliver_in_turn(self, item: _Item) -> None:
        try:
            if item.folder in self._waiting:
                await self._deliver(item)
                await self._forget(item.folder)
        finally:
            self._turns.release()

    async def _step_aside(self, seconds: float) -> None:
        """Wait before another attempt; others deliver meanwhile, so that what is never taken does not hold them up."""
        self._turns.release()
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._turns.acquire()

    async def _deliver(self, item: _Item) -> None:
        note, answer = item.note, None
        try:
            if note.frame is None:
                await self._deliver_sound(item)
            else:
                answer = await self._deliver_frame(item, note.frame)
        except DropLeaseError:
            await self.discard(note.lease_id)
            item.tell(LeaseLost(note.lease_id))
            return
        except (SpoiltFrameError, OSError) as error:
            await self._give_up(item, str(error))
            return
        except RefusedError as error:
            if error.code == ErrorCode.FRAME_LOST:
                log.info("Frame %s is dropped: %s", note.frame, error)
            elif error.code == ErrorCode.BAD_FRAME:
                # The coordinator has counted it as failed; it comes again as new work if it is to be tried again.
                log.warning("The coordinator refused frame %s: %s", note.frame, error)
            else:
                await self._give_up(item, f"The coordinator refused it: {error}")
                return
        await self._remove(item.folder)
        item.tell(Delivered(note.lease_id, note.frame, answer))

    async def _give_up(self, item: _Item, reason: str) -> None:
        if item.folder not in self._waiting:
            return  # its lease was lost, and its files were removed meanwhile
        log.warning("Frame %s is not delivered: %s", item.note.frame, reason)
        await self._remove(item.folder)
        if item.note.frame is None:
            item.tell(Delivered(item.note.lease_id, None))  # the coordinator has another agent mix the sound
        else:
            item.tell(FrameSpoilt(item.note.lease_id, item.note.frame, reason))

    async def _deliver_frame(self, item: _Item, frame: int) -> FrameAnswer:
        lease_id, client = item.note.lease_id, self._link.client
        finished = await asyncio.get_running_loop().run_in_executor(self._eyes, _finish, item.note, item.folder)
        if finished.blank is not None:
            # Whether that is meant is for the coordinator to judge: it knows the frames beside it.
            log.warning("Frame %s of lease %s is blank (%s).", frame, lease_id, finished.blank)
        parcel = finished.parcel
        attempt = 1
        while True:
            try:
                if parcel is not None:
                    return await self._hand_in(lambda: client.put_parcel(lease_id, frame, parcel))
                for path, file in finished.files.items():
                    await self._upload(lease_id, path, file)
                return await self._hand_in(lambda: client.put_frame(lease_id, frame, finished.result))
            except RefusedError as error:
                if error.code != ErrorCode.MISSING_BLOBS or attempt == UPLOAD_ATTEMPTS:
                    raise
            attempt += 1

    async def _deliver_sound(self, item: _Item) -> None:
        note = item.note
        result = SoundResult(failure=note.failure or "The sound file is lost.")
        if note.output is not None:
            path = item.folder / note.output
            try:
                file = await asyncio.to_thread(_stored, path)
                await self._upload(note.lease_id, path, file)
                result = SoundResult(file=file)
            except (RefusedError, OSError) as error:
                # Unsaid, it would be mixed, and refused, for ever.
                result = SoundResult(failure=f"The mixed sound could not be delivered: {error}"[:4000])
        await self._hand_in(lambda: self._link.client.put_sound(note.lease_id, result))

    async def _upload(self, lease_id: str, path: Path, file: StoredFile) -> None:
        await self._link.call(lambda: self._link.client.put_blob(lease_id, path, file), self._step_aside)

    async def _hand_in(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call that records the work, and let it come to its end even when the agent is told to stop."""
        task = asyncio.ensure_future(self._link.call(call, self._step_aside))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=LAST_WORDS_SECONDS)
            task.cancel()
            raise

    def _put(self, item: _Item) -> None:
        self._waiting.add(item.folder)
        self._queue.put_nowait(item)

    async def _remove(self, folder: Path) -> None:
        await asyncio.to_thread(_remove, folder)

    async def _forget(self, *folders: Path) -> None:
        self._waiting.difference_update(folders)
        async with self._changed:
            self._changed.notify_all()

    def _read_notes(self) -> list[tuple[Path, Note]]:
        found = []
        for folder in sorted(self._folder.glob("*/*")):
            try:
                found.append((folder, msgspec.json.decode((folder / NOTE).read_bytes(), type=Note)))
            except (OSError, msgspec.DecodeError):
                shutil.rmtree(folder, ignore_errors=True)
        return found


@dataclass(frozen=True, slots=True)
class _Finished:
    """A frame that can be handed in."""

    result: FrameResult
    files: dict[Path, StoredFile]
    blank: Blankness | None
    parcel: bytes | None
    """All of it, where the files are short."""


def _finish(note: Note, folder: Path) -> _Finished:
    """Look at a frame's files, make its preview, and tell what there is.

    Raises:
        SpoiltFrameError: a file is no good.
        OSError: one cannot be read, or there is no room for the preview.
    """
    if note.output is None or note.format is None:
        raise SpoiltFrameError("The note of this frame is incomplete.")
    output, preview = folder / note.output, folder / PREVIEW
    display = folder / note.display if note.display else None
    wanted = Wanted(note.format, note.size, note.color_mode, note.color_depth)
    picture = check_frame(output, wanted, preview if note.preview is None and display is None else None)
    if note.preview is not None:
        shrink_preview(preview)
    elif display is not None:
        check_frame(display, Wanted(ImageFormat.PNG, (picture.width, picture.height)), preview)
    extras = {path: folder / name for path, name in note.extras}
    written = [output, *([preview] if preview.exists() else []), *([display] if display else [])]
    files = {path: _stored(path) for path in (*written, *extras.values())}
    result = FrameResult(
        output=files[output],
        preview=files.get(preview),
        display=files[display] if display else None,
        seconds=note.seconds,
        load_seconds=note.load_seconds,
        peak_memory_bytes=note.memory_bytes,
        peak_gpu_memory_bytes=note.gpu_memory_bytes,
        energy_joules=note.energy_joules,
        blender=note.blender,
        log=note.log,
        extras=[ExtraFile(path=path, file=files[here]) for path, here in extras.items()],
    )
    short = sum(file.size for file in files.values()) <= MAX_FILES_BYTES
    parcel = pack_parcel(result, {file.sha256: path.read_bytes() for path, file in files.items()}) if short else None
    if parcel is not None and len(parcel) > MAX_PARCEL_BYTES:
        parcel = None  # very many files of the scene's own, with long names
    return _Finished(result, files, picture.blank, parcel)


def _stored(path: Path) -> StoredFile:
    with path.open("rb") as file:
        return StoredFile(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=os.fstat(file.fileno()).st_size)


def _write_note(folder: Path, note: Note) -> None:
    temporary = folder / f"{NOTE}.new"
    temporary.write_bytes(msgspec.json.encode(note))
    temporary.replace(folder / NOTE)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()  # the lease's, when this was its last frame
