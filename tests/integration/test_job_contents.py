"""What of a job can be looked at and downloaded: its frames, all at once or one, its files, log and cost."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import numpy as np
import OpenEXR
import pytest
from PIL import Image

from coordinator.http import downloads
from coordinator.keys import STORE, THUMBNAILS
from coordinator.media.zip_stream import FileList
from coordinator.protocol import ExtraFile, FrameFailure, FrameResult
from coordinator.store import LocalBlobStore
from tests.fakes.fake_agent import FakeAgent, picture
from tests.integration.coordinator import RunningCoordinator


async def rendered(farm: RunningCoordinator, frames: str = "1-4", **changes: object) -> tuple[int, FakeAgent]:
    """Return a job whose frames are all finished, and who did that."""
    job = await farm.submit(frames, **changes)
    agent = await farm.agent("ant")
    await agent.render_everything()
    return job, agent


async def test_frames_are_listed_from_any_of_them(farm: RunningCoordinator) -> None:
    job, _ = await rendered(farm, "-2--1,1-6")
    page = await farm.ask("GET", f"jobs/{job}/frames?start=3&limit=2")
    assert [it["frame"] for it in page["items"]] == [3, 4]
    page = await farm.ask("GET", f"jobs/{job}/frames?start=3&limit=9&cursor={page['next']}")
    assert [it["frame"] for it in page["items"]] == [5, 6]
    assert [it["frame"] for it in (await farm.ask("GET", f"jobs/{job}/frames?start=-9&limit=1"))["items"]] == [-2]


async def test_history_is_read_from_its_end_and_without_each_frame(farm: RunningCoordinator) -> None:
    job, _ = await rendered(farm)
    newest = await farm.ask("GET", f"jobs/{job}/events?order=newest&kinds=notable&limit=2")
    assert [it["kind"] for it in newest["items"]] == ["completed", "running"]
    rest = await farm.ask("GET", f"jobs/{job}/events?order=newest&kinds=notable&cursor={newest['next']}")
    assert [it["kind"] for it in rest["items"]][-1] == "submitted"
    everything = await farm.ask("GET", f"jobs/{job}/events?order=newest&limit=200")
    kinds = [it["kind"] for it in everything["items"]]
    assert kinds.count("frame_finished") == 4
    oldest = await farm.ask("GET", f"jobs/{job}/events?limit=200")
    assert [it["id"] for it in oldest["items"]] == [it["id"] for it in everything["items"]][::-1]
    await farm.refused("GET", f"jobs/{job}/events?order=sideways", 422, "invalid")


async def test_all_frames_at_once(farm: RunningCoordinator) -> None:
    job = await farm.submit("1-9:2", max_retries=0, chunk_frames=2)
    agent = await farm.agent("ant")
    grant = await agent.must_lease()
    await agent.render(grant, 1)
    await agent.report(grant, frame=3, failures=[FrameFailure(frame=3, code="render_failed", message="No camera.")])
    grant = await agent.must_lease()
    await agent.render(grant, 5)
    seen = await farm.ask("GET", f"jobs/{job}/frame-map")
    assert (seen["frames"], seen["agents"], seen["seconds"]) == ("1-9:2", ["ant"], [0.5, 0.5])
    assert seen["states"] == [["finished", 1], ["failed", 1], ["finished", 1], [None, 2]]
    assert seen["by"] == [[0, 3], [None, 2]]
    records = (await farm.ask("GET", f"jobs/{job}/frames"))["items"]
    versions = [it["sha256"][:6] for it in records if it["sha256"]]
    assert seen["versions"] == "".join(versions)


async def test_the_map_is_sent_again_only_when_a_frame_has_changed(farm: RunningCoordinator) -> None:
    job = await farm.submit("1-2000")
    agent = await farm.agent("ant")
    grant = await agent.must_lease()
    path = f"api/v1/jobs/{job}/frame-map"
    first = await farm.call("GET", path)
    tag = first.headers["ETag"]
    assert (await farm.call("GET", path, headers={"If-None-Match": tag})).status == 304
    await agent.render(grant, grant.frames[0])
    again = await farm.call("GET", path, headers={"If-None-Match": tag})
    assert (again.status, again.json["states"][0]) == (200, ["finished", 1])
    await farm.ask("POST", f"jobs/{job}/requeue", json={"frames": str(grant.frames[0])})
    opened = await farm.call("GET", path, headers={"If-None-Match": again.headers["ETag"]})
    assert opened.json["states"] == [[None, 2000]]


async def test_long_answers_are_compressed_for_who_takes_that(farm: RunningCoordinator) -> None:
    job, _ = await rendered(farm, "1-40")
    path = f"api/v1/jobs/{job}/events?limit=200"
    plain = await farm.call("GET", path, headers={"Accept-Encoding": "identity"})
    packed = await farm.call("GET", path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.data)) == plain.json
    assert len(packed.data) < len(plain.data) / 3


async def test_a_frame_with_all_that_happened_to_it(farm: RunningCoordinator) -> None:
    job = await farm.submit("1-2", max_retries=3)
    agent = await farm.agent("ant")
    waiting = await farm.ask("GET", f"jobs/{job}/frames/2")
    assert (waiting["result"], waiting["attempts"], waiting["filename"]) == (None, [], "0002.png")
    grant = await agent.must_lease()
    await agent.report(grant, frame=1, failures=[FrameFailure(frame=1, code="render_failed", message="No camera.")])
    await agent.render_everything()
    shown = await farm.ask("GET", f"jobs/{job}/frames/1")
    assert (shown["result"]["state"], shown["result"]["agent"], shown["result"]["attempts"]) == ("finished", "ant", 2)
    assert (shown["device"], shown["blender"], shown["display"]) == ("CPU", "4.5.15", False)
    [attempt] = shown["attempts"]
    assert (attempt["agent"], attempt["code"], attempt["message"], attempt["counts"]) == (
        "ant",
        "render_failed",
        "No camera.",
        True,
    )
    await farm.ask("POST", f"jobs/{job}/requeue", json={"frames": "1"})
    opened = await farm.ask("GET", f"jobs/{job}/frames/1")
    assert opened["result"] is None
    assert [it["counts"] for it in opened["attempts"]] == [False]
    await farm.refused("GET", f"jobs/{job}/frames/3", 404, "not_found")


async def test_thumbnails_are_made_once_and_kept_for_ever_by_the_browser(farm: RunningCoordinator) -> None:
    job = await farm.submit("1")
    agent = await farm.agent()
    grant = await agent.must_lease()
    output = await agent.upload(grant, picture(1))
    preview = await agent.upload(grant, picture(1, "JPEG", (960, 540)))
    result = FrameResult(output=output, preview=preview, seconds=1.0, blender=(4, 5, 15))
    assert (await agent.hand_in(grant, 1, result)).status == 201
    path = f"api/v1/jobs/{job}/frames/1/thumbnail"
    answers = await asyncio.gather(*(farm.call("GET", f"{path}?width=200&version=a") for _ in range(8)))
    for answer in answers:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/webp")
        assert "immutable" in answer.headers["Cache-Control"]
    with Image.open(io.BytesIO(answers[0].data)) as image:
        assert (image.format, image.size) == ("WEBP", (320, 180))
    assert len({answer.data for answer in answers}) == 1
    small = await farm.call("GET", f"{path}?width=100")
    assert "no-cache" in small.headers["Cache-Control"]
    with Image.open(io.BytesIO(small.data)) as image:
        assert image.size == (160, 90)
    tag = small.headers["ETag"]
    assert (await farm.call("GET", f"{path}?width=100", headers={"If-None-Match": tag})).status == 304
    await farm.refused("GET", f"jobs/{job}/frames/1/thumbnail?width=5000", 422, "invalid")
    await farm.refused("GET", f"jobs/{job}/frames/2/thumbnail", 404, "not_found")


async def test_thumbnails_go_with_their_pictures(farm: RunningCoordinator) -> None:
    job, _ = await rendered(farm, "1")
    path = f"api/v1/jobs/{job}/frames/1/thumbnail"
    assert (await farm.call("GET", path)).status == 200
    thumbnails, store = farm.app[THUMBNAILS], farm.app[STORE]

    async def is_stored(sha256: str) -> bool:
        return await store.size(sha256) is not None

    assert await thumbnails.sweep(is_stored) == 0
    preview = await farm.call("HEAD", f"api/v1/jobs/{job}/frames/1/preview")
    await asyncio.to_thread(store.remove, preview.headers["ETag"].strip('"'))
    # The thumbnail is still shown until it is swept, and cannot be made again then.
    assert (await farm.call("GET", path)).status == 200
    assert await thumbnails.sweep(is_stored) == 1
    await farm.refused("GET", f"jobs/{job}/frames/1/thumbnail", 404, "not_found")


async def test_all_frames_in_a_zip(farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PIECE", 10_000)
    job = await farm.submit("-1,1-3", chunk_frames=4, name="Shot 010: “the end”")
    agent = await farm.agent("ant")
    grant = await agent.must_lease()
    large = picture(3, size=(64, 36)) + bytes(35_000)
    for frame in grant.frames:
        result = await agent.result(grant, picture(frame))
        extra = ExtraFile(path="masks/crypto.exr", file=await agent.upload(grant, large))
        extras = [extra] if frame == 1 else []
        fields = {name: getattr(result, name) for name in result.__struct_fields__}
        assert (await agent.hand_in(grant, frame, FrameResult(**fields | {"extras": extras}))).status == 201
    await agent.render_everything()
    path = f"api/v1/jobs/{job}/frames.zip"
    answer = await farm.call("GET", path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["-0001.png", "0001.png", "0002.png", "0003.png"]
        assert archive.read("0001.png") == picture(1)
        assert all(it.compress_type == zipfile.ZIP_STORED for it in archive.infolist())
    both = await farm.call("GET", path + "?extras=true&frames=1-2")
    with zipfile.ZipFile(io.BytesIO(both.data)) as archive:
        assert archive.namelist() == ["0001.png", "0001/masks/crypto.exr", "0002.png"]
        assert archive.read("0001/masks/crypto.exr") == large
    head = await farm.call("HEAD", path)
    assert (head.headers["Content-Length"], head.data) == (str(len(answer.data)), b"")
    await farm.refused("GET", f"jobs/{job}/frames.zip?frames=9", 404, "not_found")
    await farm.refused("GET", f"jobs/{job}/frames.zip?frames=x", 422, "invalid")


async def test_a_zip_whose_file_is_cut_short_or_gone_breaks_off(farm: RunningCoordinator) -> None:
    job, _ = await rendered(farm, "1-3")
    record = (await farm.ask("GET", f"jobs/{job}/frames?start=2&limit=1"))["items"][0]
    path = await farm.app[STORE].fetch(record["sha256"])
    for harm in (lambda: os.truncate(path, record["size"] - 1), path.unlink):
        await asyncio.to_thread(harm)
        with pytest.raises(Exception, match=r"(?i)payload|closed|disconnected"):
            await farm.call("GET", f"api/v1/jobs/{job}/frames.zip")
    # Everybody else is served as before.
    assert (await farm.job(job))["state"] == "completed"


async def test_the_layers_of_an_openexr(farm: RunningCoordinator, tmp_path: object) -> None:
    path = f"{tmp_path}/layers.exr"
    names = ("R", "G", "B", "A")
    channels = {name: np.full((36, 64), 0.5, np.float16) for name in names}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}

    def write() -> bytes:
        with OpenEXR.File(header, channels) as file:
            file.write(path)
        with open(path, "rb") as written:  # noqa: PTH123 - a fixture's path as text
            return written.read()

    content = await asyncio.to_thread(write)
    job = await farm.submit("1", output={"format": "OPEN_EXR", "width": 64, "height": 36, "display": True})
    agent = await farm.agent()
    grant = await agent.must_lease()
    result = await agent.result(grant, content, picture(1))
    assert (await agent.hand_in(grant, 1, result)).status == 201
    seen = await farm.ask("GET", f"jobs/{job}/frames/1/layers")
    assert (seen["width"], seen["height"], seen["compression"]) == (64, 36, "ZIP")
    assert [(it["name"], it["channels"]) for it in seen["layers"]] == [("Combined", ["R", "G", "B", "A"])]
    shown = await farm.call("GET", f"api/v1/jobs/{job}/frames/1/display")
    assert (shown.data, shown.headers["Content-Type"]) == (picture(1), "image/png")
    assert (await farm.ask("GET", f"jobs/{job}/frames/1"))["display"] is True


async def test_layers_of_a_png_and_no_display_picture(farm: RunningCoordinator) -> None:
    job, _ = await rendered(farm, "1")
    seen = await farm.ask("GET", f"jobs/{job}/frames/1/layers")
    assert seen["layers"] == [{"name": "Combined", "channels": ["R", "G", "B"], "bits": 8}]
    await farm.refused("GET", f"jobs/{job}/frames/1/display", 404, "not_found")


async def test_the_files_the_cost_and_the_log_of_a_job(farm: RunningCoordinator) -> None:
    job, _ = await rendered(farm)
    pack = await farm.ask("GET", f"jobs/{job}/pack")
    assert (pack["main"], pack["file_count"], pack["next"]) == ("scene.blend", 1, None)
    assert pack["items"] == [{"path": "scene.blend", "size": pack["size"]}]
    cost = await farm.ask("GET", f"jobs/{job}/cost")
    assert (cost["frames"], cost["seconds"], cost["gpu_seconds"]) == (4, 2.0, 0.0)
    assert (cost["energy_frames"], cost["energy_joules"]) == (0, 0.0)
    [device] = cost["devices"]
    assert (device["device"], device["hardware"], device["agents"]) == ("CPU", "none", ["ant"])
    log = await farm.call("GET", f"api/v1/jobs/{job}/log")
    assert log.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = log.data.decode().splitlines()
    events = (await farm.ask("GET", f"jobs/{job}/events?limit=200"))["items"]
    assert [line.split("Z  ", 1)[1] for line in lines] == [it["message"] for it in events]
    for path in ("pack", "cost", "log", "frame-map", "frames.zip"):
        await farm.refused("GET", f"jobs/99/{path}", 404, "not_found")


async def test_a_client_that_leaves_amid_a_zip_costs_nothing_more(
    farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, length = await job_with_large_files(farm)
    packed, ended = 0, asyncio.Event()
    pieces = downloads._pieces

    async def counted(*arguments: Any) -> AsyncIterator[bytes]:
        nonlocal packed
        try:
            async for piece in pieces(*arguments):
                packed += len(piece)
                yield piece
        finally:
            ended.set()

    monkeypatch.setattr(downloads, "_pieces", counted)
    headers = {"Authorization": f"Bearer {farm.settings.admin_token}"}
    url = f"{farm.url}api/v1/jobs/{job}/frames.zip?extras=true"
    async with asyncio.timeout(60), aiohttp.ClientSession() as leaving:
        answer = await leaving.get(url, headers=headers)
        assert int(answer.headers["Content-Length"]) > length
        await answer.content.readexactly(1000)
        answer.close()
        await ended.wait()
    # What the system's buffers took was read, and not what nobody waits for.
    assert packed < length / 2


async def job_with_large_files(farm: RunningCoordinator) -> tuple[int, int]:
    """Return a job whose files are more than a connection buffers, and how many bytes they have."""
    job = await farm.submit("1-4", chunk_frames=4)
    agent = await farm.agent("ant")
    grant = await agent.must_lease()
    file = await agent.upload(grant, bytes(1_000_000))
    extras = [ExtraFile(path=f"cache/{number}.bin", file=file) for number in range(20)]
    for frame in grant.frames:
        result = msgspec.structs.replace(await agent.result(grant, picture(frame)), extras=extras)
        assert (await agent.hand_in(grant, frame, result)).status == 201
    return job, 4 * len(extras) * file.size


async def test_the_zip_of_a_long_job_takes_no_memory_for_its_frames(tmp_path: Path) -> None:
    content = bytes(16 * 1024)
    sha256 = hashlib.sha256(content).hexdigest()
    store = await asyncio.to_thread(LocalBlobStore, tmp_path, reserve_bytes=0)
    await store.put(sha256, len(content), as_stream(content))
    files = FileList()
    for number in range(2_000):
        files.add(f"{number:04}.exr", sha256, len(content), datetime(2026, 1, 1, tzinfo=UTC))
    tracemalloc.start()
    try:
        length = 0
        async for piece in downloads._pieces(files, store):
            length += len(piece)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await store.close()
    assert length == files.archive_length() > 2_000 * len(content)
    # The list at its end, a hundred bytes for each frame, and a few pieces of it; all of them would be 32 MB.
    assert most < 8_000_000


async def as_stream(content: bytes) -> AsyncIterator[bytes]:
    """Give out a content as it would arrive."""
    yield content
