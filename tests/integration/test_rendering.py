"""A fake agent renders whole jobs over real HTTP, to a film made by the real ffmpeg."""

import asyncio
import io
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from coordinator.keys import STORE
from coordinator.media.ffmpeg import find_ffmpeg
from coordinator.protocol import (
    BlobsRequest,
    ErrorBody,
    ErrorEnvelope,
    FrameFailure,
    FrameResult,
    Manifest,
    StoredFile,
    decode,
)
from coordinator.protocol.parcel import pack_parcel
from tests.fakes.fake_agent import BLENDER, HEIGHT, WIDTH, Reply, picture
from tests.integration.coordinator import BLEND, RunningCoordinator, sha256

FFMPEG = find_ffmpeg(None)


async def ended(farm: RunningCoordinator, job_id: int) -> dict[str, Any]:
    """Wait on the event stream until a job has ended; return it."""
    headers = {"Authorization": f"Bearer {farm.settings.admin_token}"}
    async with asyncio.timeout(60), farm.session.get(farm.url + "api/v1/events", headers=headers) as stream:
        async for line in stream.content:
            # "hello" asks to look for oneself, and so does every change.
            if line.startswith(b"data:"):
                job = await farm.job(job_id)
                if job["state"] in ("completed", "failed", "cancelled"):
                    return job
    raise AssertionError("the stream ended")


def flac(seconds: float) -> bytes:
    """Return a sound."""
    argv = [str(FFMPEG), "-loglevel", "error", "-f", "lavfi", "-i", f"sine=duration={seconds}", "-f", "flac", "-"]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def decoded(film: bytes, path: Path) -> np.ndarray[Any, Any]:
    """Return a film's pictures."""
    path.write_bytes(film)
    argv = [str(FFMPEG), "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(argv, capture_output=True, check=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)


def exr(value: float, path: Path) -> bytes:
    """Return an OpenEXR picture."""
    data = np.full((HEIGHT, WIDTH, 4), value, np.float16)
    with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {"RGBA": data}) as file:
        file.write(str(path))
    return path.read_bytes()


@pytest.mark.slow
async def test_a_job_becomes_a_film_with_sound(farm: RunningCoordinator, tmp_path: Path) -> None:
    job_id = await farm.submit("1-12", video=True, sound=True)
    agent = await farm.agent()
    sound = await asyncio.to_thread(flac, 0.5)
    waiting = asyncio.create_task(ended(farm, job_id))
    rendered = 0
    while (grant := await agent.lease()) is not None:
        pack = await agent.call("GET", f"packs/{grant.job.pack_id}")
        [file] = decode(pack.data, Manifest).files
        part = await agent.call("GET", f"blobs/{file.blobs[0].sha256}")
        assert (part.status, part.data) == (200, BLEND)
        if grant.mix_sound:
            assert grant.sound_range == (1, 12)
            assert (await agent.hand_in_sound(grant, sound)).status == 200
        for frame in grant.frames:
            await agent.report(grant, frame=frame, progress=0.5)
            await agent.render(grant, frame)
            rendered += 1
    assert rendered == 12
    job = await waiting
    assert (job["state"], job["finished"], job["progress"], job["video_ready"]) == ("completed", 12, 1.0, True)
    assert job["sound_state"] == "ready"

    film = await farm.call("GET", f"api/v1/jobs/{job_id}/video")
    assert (film.status, film.headers["Content-Type"]) == (200, "video/mp4")
    pictures = await asyncio.to_thread(decoded, film.data, tmp_path / "film.mp4")
    assert len(pictures) == 12
    for frame, shown in enumerate(pictures, start=1):
        assert abs(int(shown.mean()) - frame * 10) <= 3, f"frame {frame} is at its place"
    part = await farm.call("GET", f"api/v1/jobs/{job_id}/video", headers={"Range": "bytes=4-7"})
    assert (part.status, part.data) == (206, b"ftyp")
    beyond = await farm.call("GET", f"api/v1/jobs/{job_id}/video", headers={"Range": f"bytes={len(film.data)}-"})
    assert beyond.status == 416

    page = await farm.ask("GET", f"jobs/{job_id}/frames?limit=1000")
    assert [frame["frame"] for frame in page["items"]] == list(range(1, 13))
    assert page["items"][0]["filename"] == "0001.png"


async def test_a_frames_files_come_back_as_they_were(farm: RunningCoordinator) -> None:
    job_id = await farm.submit("-1", name='../Shot "ä"')
    agent = await farm.agent()
    grant = await agent.must_lease()
    await agent.render(grant, -1)
    assert (await farm.job(job_id))["state"] == "completed"
    output = await farm.call("GET", f"api/v1/jobs/{job_id}/frames/-1/output")
    assert output.data == picture(-1)
    assert output.headers["ETag"] == f'"{sha256(output.data)}"'
    # Rendered again it is another file: only an address that says which one is meant is kept for ever.
    assert "no-cache" in output.headers["Cache-Control"]
    named = await farm.call("GET", f"api/v1/jobs/{job_id}/frames/-1/output?version=1")
    assert "immutable" in named.headers["Cache-Control"]
    assert output.headers["Content-Type"] == "image/png"
    name = output.headers["Content-Disposition"]
    assert '"' not in name.split('filename="')[1].split('";')[0]
    assert "/" not in name
    assert "-0001.png" in name
    same = {"If-None-Match": output.headers["ETag"]}
    assert (await farm.call("GET", f"api/v1/jobs/{job_id}/frames/-1/output", headers=same)).status == 304
    preview = await farm.call("GET", f"api/v1/jobs/{job_id}/frames/-1/preview")
    assert preview.headers["Content-Type"] == "image/jpeg"
    assert (await farm.call("GET", f"api/v1/jobs/{job_id}/frames/7/output")).status == 404
    assert (await farm.call("GET", f"api/v1/jobs/{job_id}/video")).status == 404


def error_of(answer: Reply) -> ErrorBody:
    """Return what an agent is told is wrong."""
    return decode(answer.data, ErrorEnvelope).error


def parcel_of(output: bytes, display: bytes | None = None) -> bytes:
    """Return a frame without a preview, in one body with its files."""
    files = {sha256(data): data for data in (output, display) if data is not None}
    stored = {key: StoredFile(sha256=key, size=len(data)) for key, data in files.items()}
    result = FrameResult(
        output=stored[sha256(output)],
        display=stored[sha256(display)] if display is not None else None,
        seconds=0.5,
        blender=BLENDER,
    )
    return pack_parcel(result, files)


async def test_frame_in_one_request_with_its_files(farm: RunningCoordinator) -> None:
    job_id = await farm.submit("1-2")
    agent = await farm.agent()
    grant = await agent.must_lease()
    parcel = parcel_of(picture(1))
    assert [(await agent.send_parcel(grant, 1, parcel)).status for _ in range(2)] == [201, 200]
    # As small as this it is its own preview, and still a JPEG for who looks at it.
    address = f"api/v1/jobs/{job_id}/frames/1/preview"
    preview = await farm.call("GET", address)
    with Image.open(io.BytesIO(preview.data)) as small, Image.open(io.BytesIO(picture(1))) as frame:
        assert (small.format, small.size) == ("JPEG", frame.size)
    assert preview.headers["Content-Type"] == "image/jpeg"
    same = {"If-None-Match": preview.headers["ETag"]}
    assert (await farm.call("GET", address, headers=same)).status == 304
    assert (await farm.call("GET", f"api/v1/jobs/{job_id}/frames/1/output")).data == picture(1)
    assert (await farm.job(job_id))["finished"] == 1


@pytest.mark.parametrize(
    ("spoil", "status", "code"),
    [
        (lambda parcel: parcel[:-1], 400, "bad_request"),
        (lambda parcel: parcel + b"x", 400, "bad_request"),
        (lambda parcel: parcel[:3], 400, "bad_request"),
        (lambda _: b"\xff" * 4 + b"x", 400, "bad_request"),
        (lambda parcel: parcel[:-20] + b"x" * 20, 422, "digest_mismatch"),
        (lambda _: bytes(2**20), 413, "too_large"),
    ],
)
async def test_parcel_that_is_none_changes_nothing(
    farm: RunningCoordinator, spoil: Callable[[bytes], bytes], status: int, code: str
) -> None:
    job_id = await farm.submit("1")
    agent = await farm.agent()
    grant = await agent.must_lease()
    answer = await agent.send_parcel(grant, 1, spoil(parcel_of(picture(1))))
    assert (answer.status, error_of(answer).code) == (status, code)
    assert (await agent.send_parcel(grant, 1, parcel_of(picture(1)))).status == 201
    assert (await farm.job(job_id))["state"] == "completed"


async def test_preview_that_a_frame_cannot_do_without(farm: RunningCoordinator, tmp_path: Path) -> None:
    await farm.submit("1", output={"format": "OPEN_EXR"})
    agent = await farm.agent()
    grant = await agent.must_lease()
    answer = await agent.send_parcel(grant, 1, parcel_of(await asyncio.to_thread(exr, 0.5, tmp_path / "frame.exr")))
    assert (answer.status, error_of(answer).fields) == (422, {"preview": "is missing"})
    await farm.submit("1", output={"format": "PNG"})
    grant = await agent.must_lease(holds=[grant.lease_id])
    answer = await agent.send_parcel(grant, 1, parcel_of(picture(1, size=(641, 20))))
    assert (answer.status, error_of(answer).code) == (422, "bad_frame")


async def test_handing_in_twice_is_recorded_once(farm: RunningCoordinator) -> None:
    job_id = await farm.submit("1-2")
    agent = await farm.agent()
    grant = await agent.must_lease()
    result, other = await agent.result(grant, picture(1)), await agent.result(grant, picture(2))
    first, second = await asyncio.gather(agent.hand_in(grant, 1, result), agent.hand_in(grant, 1, result))
    assert sorted([first.status, second.status]) == [200, 201]
    assert (await agent.hand_in(grant, 1, result)).status == 200
    assert (await agent.hand_in(grant, 1, other)).status == 409, "the first result wins"
    assert (await farm.job(job_id))["finished"] == 1
    output = await farm.call("GET", f"api/v1/jobs/{job_id}/frames/1/output")
    assert output.data == picture(1)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (picture(1)[:-20], "truncated"),
        (picture(1, "JPEG"), "not a PNG"),
        (picture(1, size=(WIDTH + 1, HEIGHT)), "65 × 36"),
        (b"not a picture at all", "not a PNG"),
    ],
)
async def test_a_bad_frame_counts_as_failed(small_farm: RunningCoordinator, output: bytes, said: str) -> None:
    job_id = await small_farm.submit("1-3", max_retries=1)
    agent = await small_farm.agent()
    grant = await agent.must_lease()
    reply = await agent.hand_in(grant, 1, await agent.result(grant, output))
    assert (reply.status, reply.code) == (422, "bad_frame")
    assert said in reply.error.message
    # What has not failed yet comes first.
    while (grant := await agent.must_lease()).frames != [1]:
        for frame in grant.frames:
            await agent.render(grant, frame)
    reply = await agent.hand_in(grant, 1, await agent.result(grant, output))
    assert (reply.status, reply.code) == (422, "bad_frame")
    job = await small_farm.job(job_id)
    assert (job["failed"], job["failures"][0]["frame"], job["failures"][0]["attempts"]) == (1, 1, 2)
    assert said in job["failures"][0]["reason"]


async def test_what_is_odd_in_frames_is_found_and_told(small_farm: RunningCoordinator, tmp_path: Path) -> None:
    spec = {"format": "OPEN_EXR", "width": WIDTH, "height": HEIGHT, "color_mode": "RGBA", "color_depth": 16}
    job_id = await small_farm.submit("1-3", output=spec, max_retries=1, chunk_frames=1)
    agent = await small_farm.agent()
    # The second one is to be rendered once more; the third one is taken, for the agent has shown that it is no chance.
    for value, status in ((0.5, 201), (0.0, 422), (float("nan"), 201)):
        grant = await agent.must_lease()
        output = await asyncio.to_thread(exr, value, tmp_path / "frame.exr")
        answer = await agent.hand_in(grant, grant.frames[0], await agent.result(grant, output))
        assert answer.status == status, value
    job = await small_farm.job(job_id)
    assert job["doubtful"] == 1
    doubt = "All NaN (not one pixel is a number), though frame 1 is not."
    assert job["doubts"] == [{"frame": 3, "doubt": doubt, "beside": [1]}]
    page = (await small_farm.call("GET", f"api/v1/jobs/{job_id}/frames")).json
    shown = [(frame["frame"], frame["blank"], frame["doubt"]) for frame in page["items"]]
    assert shown == [(1, None, None), (3, "nan", doubt)]


async def test_a_frame_without_its_files_is_asked_for_again(small_farm: RunningCoordinator) -> None:
    await small_farm.submit("1-3")
    agent = await small_farm.agent()
    grant = await agent.must_lease()
    result = await agent.result(grant, picture(1))
    small_path = await small_farm.app[STORE].fetch(result.output.sha256)
    await asyncio.to_thread(small_path.unlink)
    reply = await agent.hand_in(grant, 1, result)
    assert (reply.status, reply.code) == (409, "missing_blobs")
    await agent.upload(grant, picture(1))
    assert (await agent.hand_in(grant, 1, result)).status == 201


async def test_a_job_whose_frames_failed_says_which_and_why(farm: RunningCoordinator) -> None:
    job_id = await farm.submit("1-2", max_retries=0, video=True)
    agent = await farm.agent()
    grant = await agent.must_lease()
    await agent.report(grant, failures=[FrameFailure(frame=1, code="render_failed", message="Out of memory.")])
    await agent.render_everything()
    if (await farm.job(job_id))["state"] == "running":
        await agent.render(grant, 2)
    job = await farm.job(job_id)
    assert (job["state"], job["finished"], job["failed"]) == ("failed", 1, 1)
    assert job["failures"] == [{"frame": 1, "reason": "Out of memory.", "attempts": 1}]
    assert job["reason"].startswith("1 of 2 frames failed")


@pytest.mark.slow
async def test_openexr_frames_become_a_film_of_their_display_pictures(
    small_farm: RunningCoordinator, tmp_path: Path
) -> None:
    spec = {"format": "OPEN_EXR", "width": WIDTH, "height": HEIGHT, "fps": 24.0, "display": True}
    job_id = await small_farm.submit("1-3", video=True, output=spec)
    agent = await small_farm.agent()
    waiting = asyncio.create_task(ended(small_farm, job_id))
    while (grant := await agent.lease()) is not None:
        for frame in grant.frames:
            output = await asyncio.to_thread(exr, frame / 10, tmp_path / "frame.exr")
            without = await agent.hand_in(grant, frame, await agent.result(grant, output))
            assert without.status == 422, "the display picture is missing"
            result = await agent.result(grant, output, display=picture(frame))
            assert (await agent.hand_in(grant, frame, result)).status == 201
    job = await waiting
    assert job["state"] == "completed", job["reason"]
    film = await small_farm.call("GET", f"api/v1/jobs/{job_id}/video")
    assert len(await asyncio.to_thread(decoded, film.data, tmp_path / "film.mp4")) == 3


async def test_many_agents_share_a_job(farm: RunningCoordinator) -> None:
    job_id = await farm.submit("1-60")
    agents = [await farm.agent(f"agent {number}") for number in range(8)]
    rendered = await asyncio.gather(*(agent.render_everything() for agent in agents))
    job = await farm.job(job_id)
    assert (job["state"], job["finished"], sum(rendered)) == ("completed", 60, 60)


async def test_an_agent_may_only_touch_its_own_lease_and_packs(small_farm: RunningCoordinator) -> None:
    await small_farm.submit("1-2")
    mine, other = await small_farm.agent("mine"), await small_farm.agent("other")
    grant = await mine.must_lease()
    result = await mine.result(grant, picture(1))
    for reply in (
        await other.hand_in(grant, 1, result),
        await other.call("PUT", f"leases/{grant.lease_id}/blobs/{'0' * 64}", b"x"),
    ):
        assert (reply.status, reply.code) == (409, "lease_lost")
    assert (await other.call("GET", f"packs/{grant.job.pack_id}")).status == 404
    assert (await other.call("GET", f"blobs/{sha256(BLEND)}")).status == 404
    wanted = BlobsRequest(sha256=[sha256(BLEND)])
    assert (await other.call("POST", f"packs/{grant.job.pack_id}/blobs", wanted)).status == 404
    together = await mine.call("POST", f"packs/{grant.job.pack_id}/blobs", wanted)
    assert (together.status, together.data) == (200, BLEND)
    strange = BlobsRequest(sha256=[sha256(BLEND), "0" * 64])
    assert (await mine.call("POST", f"packs/{grant.job.pack_id}/blobs", strange)).status == 404


async def test_messages_that_cannot_be_read_are_refused(small_farm: RunningCoordinator) -> None:
    agent = await small_farm.agent()
    for body in (b"", b"\xc1", b"\x93\x01", b"\x80"):
        headers = {"Content-Type": "application/x-msgpack"}
        reply = await small_farm.call("POST", "agent/v1/leases", token=agent.token, data=body, headers=headers)
        assert reply.status == 400
    reply = await agent.call("POST", "leases", b"{}")
    assert (reply.status, reply.code) == (400, "bad_request")


async def test_a_frame_upload_has_a_limit_and_a_length(small_farm: RunningCoordinator) -> None:
    await small_farm.submit("1-2")
    agent = await small_farm.agent()
    grant = await agent.must_lease()
    path = f"agent/v1/leases/{grant.lease_id}/blobs/{'0' * 64}"

    async def chunked() -> AsyncIterator[bytes]:
        yield b"x"

    reply = await small_farm.call("PUT", path, token=agent.token, data=chunked())
    assert reply.status == 411
    reply = await small_farm.call("PUT", path, token=agent.token, data=io.BytesIO(b"x"))
    assert reply.status == 422
