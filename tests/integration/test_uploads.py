"""Packs and blobs: what is missing, what is refused, how a broken upload goes on."""

import asyncio
import hashlib
import io
import struct
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import zstandard

from coordinator.http import batches
from coordinator.http import blobs as blob_handlers
from coordinator.keys import STORE
from coordinator.protocol.packs import MAX_BLOB_BYTES
from coordinator.store import Room
from tests.integration.coordinator import BLEND, RunningCoordinator, manifest, sha256


async def test_a_pack_is_uploaded_once(farm: RunningCoordinator) -> None:
    answer = await farm.ask("POST", "packs", json=manifest())
    assert answer["missing"] == [{"sha256": sha256(BLEND), "size": len(BLEND)}]
    path = f"blobs/{sha256(BLEND)}"
    assert (await farm.call("HEAD", "api/v1/" + path)).status == 404
    await farm.ask("PUT", path, status=201, data=BLEND)
    await farm.ask("PUT", path, status=200, data=BLEND)
    head = await farm.call("HEAD", "api/v1/" + path)
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(BLEND)))
    again = await farm.ask("POST", "packs", json=manifest())
    assert again == {"id": answer["id"], "missing": []}


async def test_what_is_missing_is_told_before_there_is_a_pack(farm: RunningCoordinator) -> None:
    pieces = [b"%d" % number for number in range(130)]
    await farm.ask("POST", "blobs", data=b"".join(in_batch(data) for data in pieces[::2]))
    asked = [sha256(data) for data in pieces]
    answer = await farm.ask("POST", "missing-blobs", json={"sha256": asked})
    assert answer == {"missing": asked[1::2], "fits": True}
    assert await farm.ask("POST", "missing-blobs", json={"sha256": []}) == {"missing": [], "fits": True}
    refused = await farm.ask("POST", "missing-blobs", status=422, json={"sha256": ["../etc"]})
    assert refused["error"]["code"] == "invalid"


async def test_what_came_before_a_bad_blob_is_kept(farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_GROUP_BYTES", 1)
    body = in_batch(b"first") + in_batch(b"second") + in_batch(b"third", sha256=hashlib.sha256(b"other").digest())
    await farm.ask("POST", "blobs", status=422, data=body)
    asked = [sha256(data) for data in (b"first", b"second", b"third", b"other")]
    answer = await farm.ask("POST", "missing-blobs", json={"sha256": asked})
    assert answer["missing"] == asked[2:]


async def test_a_file_of_more_than_two_gigabytes(farm: RunningCoordinator) -> None:
    sizes = [MAX_BLOB_BYTES] * 33 + [0]
    parts = [{"sha256": sha256(b"%d" % number), "size": size} for number, size in enumerate(sizes)]
    assert sum(sizes) > 2**31
    pack = {"main": "a.blend", "files": [{"path": "a.blend", "size": sum(sizes), "blobs": parts}]}
    answer = await farm.ask("POST", "packs", json=pack)
    assert sum(part["size"] for part in answer["missing"]) == sum(sizes)
    assert (await farm.ask("GET", f"packs/{answer['id']}"))["files"][0]["size"] == sum(sizes)


async def test_an_interrupted_upload_goes_on(farm: RunningCoordinator) -> None:
    pieces = [b"first piece", b"second piece", b"third piece"]
    digests = [sha256(piece) for piece in pieces]
    parts = [{"sha256": digest, "size": len(piece)} for digest, piece in zip(digests, pieces, strict=True)]
    pack = {"main": "a.blend", "files": [{"path": "a.blend", "size": sum(map(len, pieces)), "blobs": parts}]}
    await farm.ask("POST", "packs", json=pack)
    await farm.ask("PUT", f"blobs/{digests[1]}", status=201, data=pieces[1])
    answer = await farm.ask("POST", "packs", json=pack)
    assert sorted(part["sha256"] for part in answer["missing"]) == sorted([digests[0], digests[2]])


def in_batch(data: bytes, *, packed: int = 0, **said: Any) -> bytes:
    """Return a blob as a batch has it, or with something else ``said`` of it."""
    sent = zstandard.ZstdCompressor().compress(data) if packed else data
    head = {"sha256": hashlib.sha256(data).digest(), "packed": packed, "size": len(data), "sent": len(sent)} | said
    return struct.pack(">32sBII", *head.values()) + sent


async def test_a_batch_of_blobs(farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_GROUP_BYTES", 10_000)
    blobs = [b"", b"a", b"wood" * 5000, bytes(range(256)) * 100, b"a"]
    body = b"".join(in_batch(data, packed=int(len(data) > 1000)) for data in blobs)
    assert len(body) < 30_000
    assert await farm.ask("POST", "blobs", data=body) == {"blobs": 5}
    assert await farm.ask("POST", "blobs", data=body) == {"blobs": 5}
    for data in blobs:
        head = await farm.call("HEAD", f"api/v1/blobs/{sha256(data)}")
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))
    assert await farm.ask("POST", "blobs", data=b"") == {"blobs": 0}


BOMB = zstandard.ZstdCompressor().compress(bytes(30_000_000))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(in_batch(BLEND, sha256=bytes(32)), 422, "digest_mismatch", id="other bytes"),
        pytest.param(in_batch(BLEND)[:-1], 400, "bad_request", id="cut short"),
        pytest.param(in_batch(BLEND)[:20], 400, "bad_request", id="cut in the head"),
        pytest.param(in_batch(BLEND) + b"x", 400, "bad_request", id="more"),
        pytest.param(in_batch(BLEND, size=3), 400, "bad_request", id="lengths differ"),
        pytest.param(in_batch(BLEND, packed=7), 400, "bad_request", id="unknown packing"),
        pytest.param(
            in_batch(b"plain bytes").replace(b"\0\0\0\0\x0b", b"\1\0\0\0\x0b", 1), 400, "bad_request", id="not packed"
        ),
        pytest.param(in_batch(BLEND, packed=1, size=len(BLEND) + 1), 400, "bad_request", id="other size"),
        pytest.param(in_batch(b"", sent=2**32 - 1, size=2**32 - 1), 413, "too_large", id="huge"),
        pytest.param(struct.pack(">32sBII", bytes(32), 1, 100, len(BOMB)) + BOMB, 400, "bad_request", id="bomb"),
    ],
)
async def test_what_is_no_batch_is_refused(farm: RunningCoordinator, body: bytes, status: int, code: str) -> None:
    await farm.refused("POST", "blobs", status, code, data=in_batch(b"kept") + body)
    # What came whole before it may have been stored; nothing else was.
    assert (await farm.call("HEAD", f"api/v1/blobs/{sha256(BLEND)}")).status == 404


async def test_a_batch_has_a_limit(farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_handlers, "MAX_BATCH_BYTES", 100)
    await farm.refused("POST", "blobs", 413, "too_large", data=in_batch(b"x" * 100))
    monkeypatch.setattr(batches, "MAX_BATCH_BLOBS", 1)
    await farm.refused("POST", "blobs", 413, "too_large", data=in_batch(b"") + in_batch(b""))


async def test_a_job_waits_for_its_files(farm: RunningCoordinator) -> None:
    request = await farm.request()
    other = await farm.ask("POST", "packs", json=manifest(b"never uploaded"))
    request["pack"] = other["id"]
    error = await farm.refused("POST", "jobs", 409, "missing_blobs", json=request)
    assert error["fields"]["missing"] == [sha256(b"never uploaded")]
    request["pack"] = "0" * 64
    await farm.refused("POST", "jobs", 404, "not_found", json=request)
    assert (await farm.ask("GET", "jobs"))["items"] == []


async def test_other_bytes_than_announced_are_refused(small_farm: RunningCoordinator) -> None:
    path = f"blobs/{sha256(BLEND)}"
    await small_farm.refused("PUT", path, 422, "digest_mismatch", data=BLEND + b"x")
    await small_farm.refused("PUT", path, 422, "digest_mismatch", data=b"")
    assert (await small_farm.call("HEAD", "api/v1/" + path)).status == 404


async def test_an_upload_states_its_length(small_farm: RunningCoordinator) -> None:
    async def chunked() -> AsyncIterator[bytes]:
        yield BLEND

    await small_farm.refused("PUT", f"blobs/{sha256(BLEND)}", 411, "length_required", data=chunked())


async def test_an_upload_has_a_limit(small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_handlers, "MAX_BLOB_BYTES", 10)
    await small_farm.refused("PUT", f"blobs/{sha256(BLEND)}", 413, "too_large", data=BLEND)


async def test_a_client_that_hangs_up_leaves_nothing(small_farm: RunningCoordinator) -> None:
    name = sha256(BLEND)
    _, writer = await asyncio.open_connection("127.0.0.1", int(small_farm.url.rsplit(":", 1)[1].strip("/")))
    head = f"PUT /api/v1/blobs/{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BLEND)}\r\n"
    head += f"Authorization: Bearer {small_farm.settings.admin_token}\r\n\r\n"
    writer.write(head.encode() + BLEND[:10])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await small_farm.call("HEAD", f"api/v1/blobs/{name}")).status == 404
    await small_farm.ask("PUT", f"blobs/{name}", status=201, data=BLEND)


async def test_a_full_disk_is_said_so(small_farm: RunningCoordinator) -> None:
    await small_farm.stop()
    small_farm.settings = msgspec.structs.replace(small_farm.settings, reserve_bytes=2**62)
    await small_farm.start()
    response = await small_farm.call("PUT", f"api/v1/blobs/{sha256(BLEND)}", data=BLEND)
    assert response.status == 507
    assert response.json["error"]["code"] == "disk_full"
    assert "disk is full" in response.json["error"]["message"]
    assert response.headers["Retry-After"]


async def test_what_does_not_fit_is_refused_before_its_upload(
    farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def room() -> Room:
        return Room(total_bytes=10_000, free_bytes=1000)

    monkeypatch.setattr(farm.app[STORE], "room", room)
    first, second, small = b"a" * 800, b"b" * 300, b"c" * 150
    assert await farm.ask("POST", "missing-blobs", json={"sha256": [], "coming_bytes": 1000}) == {
        "missing": [],
        "fits": True,
    }
    await farm.ask("POST", "packs", json=manifest(first))
    for coming, fits in ((200, True), (201, False)):
        answer = await farm.ask("POST", "missing-blobs", json={"sha256": [], "coming_bytes": coming})
        assert answer["fits"] is fits
    error = await farm.refused("POST", "packs", 507, "disk_full", json=manifest(second))
    assert error["fields"] == {"needed_bytes": 300, "free_bytes": 1000, "promised_bytes": 800}
    assert "others are filling" in error["message"]
    # What was refused keeps no room, and who was there first is not kept from going on.
    await farm.ask("POST", "packs", json=manifest(small))
    await farm.ask("PUT", f"blobs/{sha256(first)}", status=201, data=first)
    assert (await farm.ask("POST", "packs", json=manifest(first)))["missing"] == []
    await farm.ask("POST", "packs", json=manifest(second))
    error = await farm.refused("POST", "packs", 507, "disk_full", json=manifest(b"d" * 1001))
    assert error["fields"]["needed_bytes"] == 1001


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"main": "other.blend"}, "main file"),
        ({"files": []}, "no files"),
        ({"main": "../x.blend", "files": [{"path": "../x.blend", "size": 0, "blobs": []}]}, "'..'"),
        ({"files": [{"path": "scene.blend", "size": 5, "blobs": []}]}, "add up"),
        ({"files": "scene.blend"}, "files"),
    ],
)
async def test_a_bad_manifest_is_a_sentence(
    small_farm: RunningCoordinator, change: dict[str, object], said: str
) -> None:
    error = await small_farm.refused("POST", "packs", 422, "invalid", json=manifest() | change)
    assert said in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff\xfe", b'{"main": "\xff"}'])
async def test_what_is_no_json_is_a_sentence(small_farm: RunningCoordinator, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    error = await small_farm.refused("POST", "packs", 400, "bad_request", data=body, headers=headers)
    assert "JSON" in error["message"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b'{"x":' * 100_000 + b"1" + b"}" * 100_000), ({"Content-Encoding": "gzip"}, b"not compressed")],
    ids=["nested", "compressed"],
)
async def test_a_body_that_breaks_its_reader_is_a_sentence(
    small_farm: RunningCoordinator, headers: dict[str, str], body: bytes
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    await small_farm.refused("POST", "packs", 400, "bad_request", data=body, headers=sent)


async def test_a_message_has_a_limit(small_farm: RunningCoordinator) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    headers = {"Content-Type": "application/json"}
    body = io.BytesIO(b" " * (2 * 1024 * 1024))
    await small_farm.refused("POST", "jobs", 413, "too_large", data=body, headers=headers)
    await small_farm.refused("POST", "jobs", 413, "too_large", data=endless(), headers=headers)
