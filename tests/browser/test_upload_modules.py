"""What the page does with files before they travel, run in the browser that will do it."""

import gzip
import hashlib
import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from coordinator.protocol.packs import MAX_BLOB_BYTES
from tests.browser.conftest import Site

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

SOURCES = """
    const file = (name, text) => new File([Uint8Array.from(text, c => c.charCodeAt(0))], name);
    const whole = async (source) => {
        const pieces = [];
        for await (const piece of source.pieces()) pieces.push(piece);
        const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
        return String.fromCharCode(...bytes);
    };
"""


def run(site: Site, body: str, given: object = None) -> Any:
    """Run the body of an async function of ``given`` in the page; bytes in it are text in Latin-1."""
    if site.page.url == "about:blank":
        site.page.goto(site.farm.url)
    return site.page.evaluate(f"async (given) => {{ {SOURCES} {body} }}", given)


def text(data: bytes) -> str:
    """Return bytes as the page is given them."""
    return data.decode("latin-1")


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, large: bool = False) -> bytes:
    """Return a ZIP file; ``large`` has it use the fields of ZIP64."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as into:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with into.open(info, "w", force_zip64=large) as member:
                member.write(data)
    return made.getvalue()


READ = """
    const { readZip } = await import("/upload/zip.js");
    try {
        const sources = await readZip(file("it.zip", given));
        const read = {};
        for (const source of sources) {
            read[source.path] = [source.size, await whole(source), (await source.head(3)).length];
        }
        return read;
    } catch (error) {
        return `${error.constructor.name}: ${error.message}`;
    }
"""


def test_zip_files_are_read_whoever_made_them(site: Site) -> None:
    files = {"shot.blend": b"BLENDER" * 5000, "textures/wood é.png": bytes(range(256)), "empty.txt": b""}
    expected = {name: [len(data), text(data), min(3, len(data))] for name, data in files.items()}
    for made in (
        archive(files),
        archive(files, zipfile.ZIP_STORED),
        archive(files, large=True),
        b"#!/bin/sh unpacks itself\n" + archive(files),
    ):
        assert run(site, READ, text(made)) == expected
    with_comment = io.BytesIO(archive(files))
    with zipfile.ZipFile(with_comment, "a") as into:
        into.comment = b"A comment. PK\x05\x06"
        into.mkdir("folder")
    assert run(site, READ, text(with_comment.getvalue())) == expected
    # A name that is no UTF-8 is in code page 437.
    old = archive({"wood_x.png": b"w"}).replace(b"wood_x", b"wood_\x81")
    assert list(run(site, READ, text(old))) == ["wood_ü.png"]


def test_zip_files_that_lie_or_are_damaged_are_refused_in_words(site: Site) -> None:
    good = archive({"shot.blend": b"BLENDER" * 5000})
    entry = good.index(b"PK\x01\x02")
    wrong_size = bytearray(good)
    wrong_size[entry + 24 : entry + 28] = struct.pack("<I", 4)  # a bomb: more comes out than is said
    locked = bytearray(good)
    locked[entry + 8] |= 1
    strange = bytearray(good)
    strange[entry + 10] = 93
    noise = bytearray(good)
    noise[60:80] = b"\xff" * 20
    cases: list[tuple[bytes, str]] = [
        (bytes(wrong_size), "shot.blend is damaged"),
        (bytes(locked), "protected by a password"),
        (bytes(strange), "compressed in a way that browsers cannot read"),
        (bytes(noise), "damaged"),
        (good[: len(good) // 2], "is no ZIP file, or its end is missing"),
        (b"", "is no ZIP file"),
        (archive({"../evil.blend": b"x"}), "leads out of it"),
        (archive({"/evil.blend": b"x"}), "leads out of it"),
        (archive({"C:/evil.blend": b"x"}), "leads out of it"),
        (archive({"a//b.blend": b"x"}), "leads out of it"),
    ]
    for made, words in cases:
        answer = run(site, READ, text(made))
        assert isinstance(answer, str), words
        assert answer.startswith("Unusable: "), answer
        assert words in answer


def test_digests_are_the_same_with_and_without_the_browsers_own(site: Site) -> None:
    for data in (b"", b"abc", bytes(range(256)) * 5000):
        answers = run(
            site,
            """const { digestOf } = await import("/upload/digest.js");
            const bytes = Uint8Array.from(given, c => c.charCodeAt(0));
            return [await digestOf(bytes), await digestOf(bytes, null)];""",
            text(data),
        )
        assert answers == [hashlib.sha256(data).hexdigest()] * 2
    pieces = run(
        site,
        """const { Hasher } = await import("/upload/hasher.js");
        const { FileSource, PIECE_BYTES } = await import("/upload/sources.js");
        const hasher = new Hasher();
        const source = new FileSource("big", new File([new Uint8Array(PIECE_BYTES), "end"], "big"));
        const found = [];
        for await (const piece of source.pieces()) found.push([await hasher.hash(piece), piece.size]);
        hasher.close();
        return found;""",
    )
    size = pieces[0][1]
    assert size <= MAX_BLOB_BYTES
    assert pieces == [[hashlib.sha256(bytes(size)).hexdigest(), size], [hashlib.sha256(b"end").hexdigest(), 3]]


def test_the_header_tells_the_version_and_the_thumbnail(site: Site) -> None:
    pixels = bytes([255, 0, 0, 255] * 2 + [0, 0, 255, 255] * 2)  # the lower row is red
    thumbnail = struct.pack("<ii", 2, 2) + pixels
    old = b"BLENDER-v405" + b"".join(
        code + struct.pack("<iqii", len(body), 1, 0, 1) + body
        for code, body in ((b"REND", b"12345678"), (b"TEST", thumbnail))
    )
    new = b"BLENDER17-01v0500" + b"TEST" + struct.pack("<iqqq", 0, 1, len(thumbnail), 1) + thumbnail
    upside_up = list(pixels[8:] + pixels[:8])
    cases: dict[bytes, object] = {
        old: [[4, 5], upside_up],
        new: [[5, 0], upside_up],
        gzip.compress(old + bytes(1_000_000)): [[4, 5], upside_up],
        b"BLENDER_v279": [[2, 79], None],
        b"\x28\xb5\x2f\xfdcompressed": [None, None],
        b"BLENDER17-01v0501TEST" + b"\xff" * 60: [[5, 1], None],
        b"": None,
        b"PNG and so on": None,
    }
    for data, expected in cases.items():
        found = run(
            site,
            """const { readHeader } = await import("/upload/blend_header.js");
            const { FileSource } = await import("/upload/sources.js");
            const header = await readHeader(new FileSource("a.blend", file("a.blend", given)));
            return header && [header.version, header.thumbnail && [...header.thumbnail.data]];""",
            text(data),
        )
        assert found == expected, data[:20]


def test_missing_files_find_their_places(site: Site) -> None:
    missing = [
        {"name": "a", "path": "tex/wood.png", "place": "tex/wood.png"},
        {"name": "b", "path": "../lib/stone.png", "place": "../lib/stone.png"},
        {"name": "c", "path": "/home/ana/seq/0001.exr", "place": None},
        {"name": "d", "path": "/home/ana/seq/mask.exr", "place": None},
        {"name": "e", "path": "D:\\sky.hdr", "place": None},
        {"name": "f", "path": "gone.png", "place": "gone.png"},
    ]
    names = [
        "new/Wood.PNG",
        "old/tex/wood.png",
        "lib/stone.png",
        "seq/0001.exr",
        "seq/0002.exr",
        "seq/mask.exr",
        "sky.hdr",
        "x.txt",
    ]
    found = run(
        site,
        """const { place, movedDown } = await import("/upload/placing.js");
        const { placed, remap, climb } = place(given[0], given[1].map((path) => ({ path })), ["shot.blend"]);
        const moved = Object.fromEntries(placed.map(({ path, source }) => [movedDown(path, climb), source.path]));
        return [moved, remap, climb];""",
        [missing, names],
    )
    assert found == [
        {
            "project/tex/wood.png": "old/tex/wood.png",
            "lib/stone.png": "lib/stone.png",
            "project/added/1/0001.exr": "seq/0001.exr",
            "project/added/1/0002.exr": "seq/0002.exr",
            "project/added/1/mask.exr": "seq/mask.exr",
            "project/added/2/sky.hdr": "sky.hdr",
        },
        {"/home/ana/seq": "added/1", "D:\\sky.hdr": "added/2/sky.hdr"},
        1,
    ]


def test_what_the_form_leaves_alone_is_left_to_the_scene(site: Site) -> None:
    scene = {
        "name": "Scene",
        "frame_start": 1,
        "frame_end": 9,
        "frame_step": 2,
        "resolution": [1920, 1080],
        "percentage": 50,
        "plain_size": True,
        "engine": "BLENDER_EEVEE_NEXT",
        "samples": 64,
        "format": "HDR",
        "fps": 25,
        "view_layers": ["Room", "Smoke"],
    }
    same = {
        "name": "Shot",
        "frames": "1-9:2",
        "camera": None,
        "layers": ["Room", "Smoke"],
        "notify": [],
        "width": 1920,
        "height": 1080,
        "percentage": 50,
        "engine": "EEVEE",
        "samples": 64,
        "format": "PNG",
        "video": True,
        "sound": False,
        "priority": 50,
    }
    script = """const m = await import("/upload/job_request.js");
        const [values, scene] = given;
        const request = m.jobRequest(values, scene, { pack: "p", submission: "s", version: [4, 5, 0], warnings: [] });
        return JSON.stringify([m.framesOf(scene), m.formatOf(scene), request.render, request.output, request.video]);"""
    untouched = {
        "scene": "Scene",
        "camera": None,
        "view_layers": None,
        "engine": None,
        "samples": None,
        "resolution": None,
        "percentage": None,
    }
    output = {"format": "PNG", "width": 960, "height": 540, "fps": 25}
    assert json.loads(run(site, script, [same, scene])) == ["1-9:2", "OPEN_EXR", untouched, output, True]
    other = same | {"width": 100, "engine": "CYCLES", "samples": 8, "frames": "3", "layers": ["Smoke"]}
    changed = untouched | {"view_layers": ["Smoke"], "engine": "CYCLES", "samples": 8, "resolution": [100, 1080]}
    assert json.loads(run(site, script, [other, scene]))[2:] == [changed, output | {"width": 50}, False]


def test_the_vendored_code_has_its_licence() -> None:
    vendor = Path(__file__).resolve().parents[2] / "web" / "vendor"
    assert all((folder / "LICENSE").is_file() for folder in vendor.iterdir() if folder.is_dir())
