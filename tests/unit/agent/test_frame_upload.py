"""Finished frames on their way: looked at, kept until they are delivered, dropped with their lease."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image

from agent import frame_upload
from agent.client import DropLeaseError, RefusedError, RetryError
from agent.events import Delivered, FrameSpoilt, LeaseLost
from agent.frame_upload import Note, Outbox
from coordinator.protocol import FrameAnswer, FrameResult, ImageFormat, SoundResult, StoredFile
from coordinator.protocol.parcel import open_parcel

T = TypeVar("T")
ANSWER = FrameAnswer(last_frame=9)
Told = Delivered | FrameSpoilt | LeaseLost


class FakeLink:
    """Takes frames in, and refuses them where a test wants it to."""

    def __init__(self) -> None:
        self.client = self
        self.uploads: list[str] = []
        self.parcels: list[list[int]] = []
        """Lengths of the files in each."""
        self.frames: list[int] = []
        self.results: list[FrameResult] = []
        self.sounds: list[SoundResult] = []
        self.refusals: list[Exception] = []
        self.refused_uploads: list[Exception] = []
        self.stuck: set[int] = set()
        """Frames that are always answered with a fault of the coordinator."""
        self.stuck_uploads: set[int] = set()
        """Those whose files are."""
        self.answering = asyncio.Event()
        self.answering.set()
        self.asked = asyncio.Semaphore(0)

    async def call(self, call: Callable[[], Awaitable[T]], sleep: Callable[[float], Awaitable[None]]) -> T:
        while True:
            try:
                return await call()
            except RetryError:
                await sleep(0.001)

    async def put_blob(self, _lease_id: str, path: Path, _file: StoredFile) -> None:
        if self.stuck_uploads and int(path.parent.name) in self.stuck_uploads:
            raise RetryError("The coordinator made a mistake.")
        if self.refused_uploads:
            raise self.refused_uploads.pop(0)
        self.uploads.append(path.name)

    async def put_parcel(self, lease_id: str, frame: int, parcel: bytes) -> FrameAnswer:
        result, files = open_parcel(parcel)
        self.parcels.append([len(data) for data in files.values()])
        return await self.put_frame(lease_id, frame, result)

    async def put_frame(self, _lease_id: str, frame: int, result: FrameResult) -> FrameAnswer:
        self.asked.release()
        await self.answering.wait()
        if frame in self.stuck:
            raise RetryError("The coordinator made a mistake.")
        if self.refusals:
            raise self.refusals.pop(0)
        self.frames.append(frame)
        self.results.append(result)
        return ANSWER

    async def put_sound(self, _lease_id: str, result: SoundResult) -> None:
        self.sounds.append(result)


class Sender:
    """An outbox that runs, and what it told."""

    def __init__(self, folder: Path, link: FakeLink) -> None:
        self.folder = folder
        self.outbox = Outbox(folder, link)  # type: ignore[arg-type] # it has what the outbox calls
        self.told: asyncio.Queue[Told] = asyncio.Queue()

    async def add(
        self,
        frame: int,
        *,
        kept: float = 1.0,
        size: tuple[int, int] = (64, 48),
        display: tuple[int, int] | None = None,
        extras: Sequence[tuple[str, str]] = (),
    ) -> Path:
        """Finish a frame, of whose file only a part may have been written."""
        folder = await self.outbox.place("one", frame)

        def write() -> None:
            Image.effect_noise(size, 50).save(folder / "frame.png")
            if display is not None:
                Image.effect_noise(display, 50).save(folder / "display.png")
            data = (folder / "frame.png").read_bytes()
            (folder / "frame.png").write_bytes(data[: int(len(data) * kept)])
            for path, name in extras:
                (folder / name).write_text(path)

        await asyncio.to_thread(write)
        note = Note(
            lease_id="one",
            frame=frame,
            output="frame.png",
            display=display and "display.png",
            extras=list(extras),
            format=ImageFormat.PNG,
            size=size,
        )
        await self.outbox.add(folder, note, self.told.put_nowait)
        return folder

    async def left(self) -> list[str]:
        """Return what is still on disk."""
        return await asyncio.to_thread(
            lambda: sorted(str(path.relative_to(self.folder)) for path in self.folder.glob("*/*"))
        )


@pytest.fixture
async def link() -> FakeLink:
    """A link to nowhere."""
    return FakeLink()


@pytest.fixture
async def sender(tmp_path: Path, link: FakeLink) -> AsyncIterator[Sender]:
    """An outbox that delivers."""
    sender = Sender(tmp_path / "frames", link)
    running = asyncio.create_task(sender.outbox.run())
    yield sender
    running.cancel()
    await asyncio.wait([running])


@pytest.fixture
def long_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every file for one that is too long for a parcel."""
    monkeypatch.setattr(frame_upload, "MAX_FILES_BYTES", 0)


async def test_delivered_frame_is_removed(sender: Sender, link: FakeLink) -> None:
    await sender.add(1)
    assert await sender.told.get() == Delivered("one", 1, ANSWER)
    # Whole, in one request, and it is its own preview.
    assert (len(link.parcels), len(link.parcels[0]), link.uploads) == (1, 1, [])
    assert link.results[0].preview is None
    assert await sender.left() == []


@pytest.mark.usefixtures("long_files")
async def test_long_files_travel_one_by_one(sender: Sender, link: FakeLink) -> None:
    await sender.add(1)
    assert await sender.told.get() == Delivered("one", 1, ANSWER)
    assert (link.uploads, link.parcels) == (["frame.png"], [])


@pytest.mark.usefixtures("long_files")
@pytest.mark.parametrize("display", [None, (700, 50)])
async def test_preview_of_a_large_frame(sender: Sender, link: FakeLink, display: tuple[int, int] | None) -> None:
    await sender.add(1, size=(700, 50), display=display)
    assert await sender.told.get() == Delivered("one", 1, ANSWER)
    assert link.uploads == ["frame.png", "preview.jpg", *(["display.png"] if display else [])]
    assert link.results[0].preview is not None


async def test_display_file_of_another_size_is_not_delivered(sender: Sender, link: FakeLink) -> None:
    await sender.add(1, display=(32, 24))
    told = await sender.told.get()
    assert isinstance(told, FrameSpoilt)
    assert "32 × 24 pixels" in told.message
    assert link.frames == []


@pytest.mark.usefixtures("long_files")
async def test_what_the_scene_wrote_itself_travels_with_its_frame(sender: Sender, link: FakeLink) -> None:
    await sender.add(1, extras=[("passes/depth.exr", "extra-000"), ("mask.png", "extra-001")])
    assert await sender.told.get() == Delivered("one", 1, ANSWER)
    assert link.uploads == ["frame.png", "extra-000", "extra-001"]
    assert [(extra.path, extra.file.size) for extra in link.results[0].extras] == [
        ("passes/depth.exr", 16),
        ("mask.png", 8),
    ]


async def test_file_cut_short_is_not_delivered(sender: Sender, link: FakeLink) -> None:
    await sender.add(1, kept=0.6)
    told = await sender.told.get()
    assert isinstance(told, FrameSpoilt)
    assert "damaged" in told.message
    assert (link.uploads, link.parcels, await sender.left()) == ([], [], [])


@pytest.mark.usefixtures("long_files")
async def test_files_the_coordinator_lacks_are_uploaded_again(sender: Sender, link: FakeLink) -> None:
    link.refusals = [RefusedError("missing_blobs", "Where are they?")]
    await sender.add(1)
    assert await sender.told.get() == Delivered("one", 1, ANSWER)
    assert link.uploads == ["frame.png"] * 2
    assert link.frames == [1]


@pytest.mark.parametrize("code", ["bad_frame", "frame_lost"])
async def test_refused_frame_is_done_with(sender: Sender, link: FakeLink, code: str) -> None:
    link.refusals = [RefusedError(code, "It is black, or another slot's.")]
    await sender.add(1)
    assert await sender.told.get() == Delivered("one", 1)
    # The lease goes on.
    await sender.add(2)
    assert await sender.told.get() == Delivered("one", 2, ANSWER)
    assert (link.frames, await sender.left()) == ([2], [])


@pytest.mark.usefixtures("long_files")
async def test_file_that_is_not_taken_counts_against_its_frame(sender: Sender, link: FakeLink) -> None:
    link.refused_uploads = [RefusedError("too_large", "At most 5 bytes are taken.")]
    await sender.add(1)
    told = await sender.told.get()
    assert isinstance(told, FrameSpoilt)
    assert "At most 5 bytes are taken." in told.message
    assert (link.frames, await sender.left()) == ([], [])


async def test_lost_lease_takes_its_other_frames_with_it(sender: Sender, link: FakeLink) -> None:
    link.refusals = [DropLeaseError("Gone.")] * frame_upload.PARALLEL_DELIVERIES
    link.answering.clear()
    for frame in range(frame_upload.PARALLEL_DELIVERIES + 1):
        await sender.add(frame)
    # Only a delivery under way hears that the lease is lost; others are dropped without a word.
    for _ in range(frame_upload.PARALLEL_DELIVERIES):
        await link.asked.acquire()
    link.answering.set()
    for _ in range(frame_upload.PARALLEL_DELIVERIES):
        assert await sender.told.get() == LeaseLost("one")
    await sender.outbox.drained()
    assert (link.frames, await sender.left()) == ([], [])


@pytest.mark.parametrize("which", ["stuck", "stuck_uploads"])
@pytest.mark.usefixtures("long_files")
async def test_frames_that_are_never_taken_let_the_others_pass(sender: Sender, link: FakeLink, which: str) -> None:
    stuck: set[int] = getattr(link, which)
    stuck |= set(range(frame_upload.PARALLEL_DELIVERIES + 1))
    for frame in (*stuck, 7, 8):
        await sender.add(frame)
    passed = [await sender.told.get() for _ in (7, 8)]
    assert sorted(passed, key=str) == [Delivered("one", 7, ANSWER), Delivered("one", 8, ANSWER)]
    stuck.clear()
    await sender.outbox.drained()
    assert len(link.frames) == frame_upload.PARALLEL_DELIVERIES + 3


async def test_rendering_waits_while_too_much_is_not_delivered(
    sender: Sender, link: FakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_upload, "MAX_WAITING", 2)
    link.answering.clear()
    for frame in (1, 2):
        await sender.outbox.room()
        await sender.add(frame)
    waiting = asyncio.create_task(sender.outbox.room())
    await link.asked.acquire()
    assert not waiting.done()
    link.answering.set()
    await waiting


async def test_handing_in_comes_to_its_end_when_the_agent_is_stopped(tmp_path: Path, link: FakeLink) -> None:
    sender = Sender(tmp_path / "frames", link)
    running = asyncio.create_task(sender.outbox.run())
    link.answering.clear()
    await sender.add(1)
    await link.asked.acquire()
    running.cancel()
    await asyncio.sleep(0)
    link.answering.set()
    await asyncio.wait([running])
    assert link.frames == [1]


async def test_next_start_delivers_what_was_left_and_removes_what_was_not_finished(
    tmp_path: Path, link: FakeLink
) -> None:
    before = Sender(tmp_path / "frames", link)  # which never runs
    await before.add(1)
    await before.outbox.place("one", 2)
    after = Sender(tmp_path / "frames", link)
    await after.outbox.load()
    assert await after.left() == ["one/1"]
    running = asyncio.create_task(after.outbox.run())
    await after.outbox.drained()
    running.cancel()
    await asyncio.wait([running])
    assert (link.frames, await after.left()) == ([1], [])


async def test_sound_and_its_failure(sender: Sender, link: FakeLink) -> None:
    folder = await sender.outbox.place("one", None)
    await asyncio.to_thread((folder / "sound.flac").write_bytes, b"fLaC")
    await sender.outbox.add(folder, Note(lease_id="one", frame=None, output="sound.flac"), sender.told.put_nowait)
    assert await sender.told.get() == Delivered("one", None)
    folder = await sender.outbox.place("one", None)
    note = Note(lease_id="one", frame=None, output=None, failure="There is none.")
    await sender.outbox.add(folder, note, sender.told.put_nowait)
    await sender.told.get()
    assert [(sound.file is not None, sound.failure) for sound in link.sounds] == [
        (True, None),
        (False, "There is none."),
    ]


async def test_sound_that_is_not_taken_is_told_as_a_failure(sender: Sender, link: FakeLink) -> None:
    link.refused_uploads = [RefusedError("too_large", "At most 5 bytes are taken.")]
    folder = await sender.outbox.place("one", None)
    await asyncio.to_thread((folder / "sound.flac").write_bytes, b"fLaC")
    await sender.outbox.add(folder, Note(lease_id="one", frame=None, output="sound.flac"), sender.told.put_nowait)
    assert await sender.told.get() == Delivered("one", None)
    assert [sound.failure for sound in link.sounds] == [
        "The mixed sound could not be delivered: At most 5 bytes are taken."
    ]
