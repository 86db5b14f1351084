"""A new job in the browser: from a dropped file to its video."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from coordinator import protocol
from coordinator.protocol import (
    Findings,
    InspectionGrant,
    InspectionRequest,
    InspectionResult,
    MissingInput,
)
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import PHONE, Site, open_site
from tests.browser.people import BLENDER, PretendAgent, call
from tests.e2e.farm import ADMIN_TOKEN, running_farm
from tests.fakes.findings import FINDINGS, SCENE

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

MAKE = """
import os, sys, bpy
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples = "CYCLES", 4
scene.cycles.use_denoising = False
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 128, 96, 50
scene.frame_start, scene.frame_end, scene.render.fps = 1, 12, 12
scene.view_layers.new("Smoke")
scene.collection.objects.link(bpy.data.objects.new("Close", bpy.data.cameras.new("Close")))
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1], compress=False)
sys.stdout.flush()
os._exit(0)
"""

#: What a real agent does may take so long on a busy machine (milliseconds).
AGENTS_PATIENCE = 120_000

#: A pretended one asks so often for a pack, each time for half a minute.
ASKS = 5

FAKE_BLEND = b"BLENDER-v405 not really"


def drop(page: Page, **files: bytes) -> None:
    """Drop files on the page, as the file manager does; ``__`` in a name is a dot."""
    named = {name.replace("__", "."): data.decode("latin-1") for name, data in files.items()}
    page.evaluate(
        """files => {
            const dataTransfer = new DataTransfer();
            for (const [name, text] of Object.entries(files)) {
                dataTransfer.items.add(new File([Uint8Array.from(text, c => c.charCodeAt(0))], name));
            }
            for (const kind of ["dragenter", "dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
            }
        }""",
        named,
    )


def look(agent: PretendAgent, result: InspectionResult) -> str:
    """Have an agent take the next pack and tell this of it; return the pack."""
    grant = None
    for _ in range(ASKS):
        asked = protocol.encode(InspectionRequest(blender=BLENDER))
        if answer := agent._send("POST", "inspections", asked, protocol.CONTENT_TYPE):
            grant = protocol.decode(answer, InspectionGrant)
            break
    assert grant is not None
    agent._send("PUT", f"inspections/{grant.claim}", protocol.encode(result), protocol.CONTENT_TYPE)
    return grant.pack_id


@pytest.fixture
def studio(browser: Browser, tmp_path: Path) -> Iterator[Site]:
    """The page of a farm with a real agent."""
    # Its letters stay with it: nobody listens there.
    settings = {"RENDERFARM_SMTP_HOST": "127.0.0.1", "RENDERFARM_SMTP_PORT": "1"}
    with running_farm(tmp_path / "farm", **settings) as farm, open_site(browser, farm) as site:
        farm.start_agent("studio-01", "--device", "CPU", "--blender", "bpy")
        yield site


def test_from_a_dropped_file_to_the_video(studio: Site, tmp_path: Path) -> None:
    site, page = studio, studio.page
    blend = tmp_path / "lighthouse.blend"
    subprocess.run([sys.executable, "-I", "-c", MAKE, str(blend)], check=True, capture_output=True, timeout=120)
    site.sign_in()
    drop(page, lighthouse__blend=blend.read_bytes())
    expect(page.get_by_label("Name")).to_have_value("lighthouse", timeout=AGENTS_PATIENCE)
    expect(page.get_by_label("Frames", exact=True)).to_have_value("1-12")
    expect(page.get_by_text("12 frames · 1.0 s at 12 a second")).to_be_visible()
    expect(page.get_by_text("Frames of 64 × 48 pixels.")).to_be_visible()
    assert_accessible(page)
    expect(page.get_by_label("Samples")).to_have_value("4")
    page.get_by_label("Frames", exact=True).fill("1-3")
    page.get_by_label("Camera").select_option("Close")
    page.get_by_label("Samples").fill("2")
    page.get_by_text("OpenEXR MultiLayer").click()
    # The scene's two view layers: none is not enough, one will do.
    for layer in ("ViewLayer", "Smoke"):
        page.get_by_role("checkbox", name=layer).uncheck()
    page.get_by_label("Write to").fill("ana@example.com, nobody")
    page.get_by_role("button", name="Render 3 frames").click()
    expect(page.get_by_text("Choose one at least.")).to_be_visible()
    expect(page.get_by_text("“nobody” is no e-mail address.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("checkbox", name="ViewLayer").check()
    page.get_by_label("Write to").fill("ana@example.com ")
    with page.expect_request(lambda request: request.method == "POST" and request.url.endswith("/jobs")) as submitted:
        page.get_by_role("button", name="Render 3 frames").click()
    assert json.loads(submitted.value.post_data or "")["notify"] == ["ana@example.com"]
    expect(page.get_by_role("heading", name="lighthouse")).to_be_visible()
    expect(page.get_by_text("Completed", exact=True)).to_be_visible(timeout=AGENTS_PATIENCE)
    expect(page.locator("video")).to_be_attached()
    job = site.artist.api("GET", "jobs/1")
    assert (job["render"]["camera"], job["render"]["samples"], job["render"]["engine"]) == ("Close", 2, None)
    assert (job["output"]["format"], job["output"]["width"], job["output"]["height"]) == (
        "OPEN_EXR_MULTILAYER",
        64,
        48,
    )
    assert job["output"]["fps"] == 12
    assert job["render"]["view_layers"] == ["ViewLayer"]
    layers = site.artist.api("GET", "jobs/1/frames/2/layers")["layers"]
    assert "ViewLayer.Combined" in [layer["name"] for layer in layers]
    # The same file once more: nothing is uploaded, and what was found is known.
    sent: list[str] = []
    page.on(
        "request", lambda request: sent.append(request.method + " " + request.url) if "/blobs" in request.url else None
    )
    drop(page, lighthouse__blend=blend.read_bytes())
    expect(page.get_by_role("button", name="Render 12 frames")).to_be_visible()
    expect(page.get_by_label("Write to")).to_have_value("ana@example.com")
    assert sent == []
    # Another format, of one picture.
    page.get_by_role("button", name="Only frame 1").click()
    page.get_by_text("JPEG").click()
    page.get_by_role("button", name="Render 1 frame").click()
    expect(page.get_by_text("#2")).to_be_visible()
    expect(page.get_by_text("Completed", exact=True)).to_be_visible(timeout=AGENTS_PATIENCE)
    output = call(f"{site.farm.url}/api/v1/jobs/2/frames/1/output", "GET", ADMIN_TOKEN)
    assert output.startswith(b"\xff\xd8\xff")


def test_an_upload_that_the_network_ends_goes_on_with_what_is_missing(site: Site) -> None:
    page = site.page
    agent = site.agent()
    site.sign_in("#/new")
    site.expected.append("net::ERR_FAILED")
    parts = [bytes([number]) * (1024 * 1024 + 1) for number in range(4)]
    scene = {
        "shot__blend": FAKE_BLEND + parts[3],
        "wood__png": parts[0],
        "stone__png": parts[1],
        "metal__png": parts[2],
    }
    arrived: list[str] = []
    broken = hashlib.sha256(parts[1]).hexdigest()

    def hold(route: Route) -> None:
        if route.request.url.endswith(broken):
            route.abort()
        else:
            arrived.append(route.request.url[-64:])
            route.continue_()

    page.route("**/api/v1/blobs/*", hold)
    drop(page, **scene)
    expect(page.get_by_text("The coordinator does not answer. It goes on by itself when it does.")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Uploading"))).to_be_visible()
    assert_accessible(page)
    assert broken not in arrived
    # The page is loaded anew, and the project dropped again.
    page.once("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_role("heading", name="Drop your .blend here")).to_be_visible()
    assert_accessible(page)
    page.unroute("**/api/v1/blobs/*")
    again: list[str] = []
    page.on("request", lambda request: again.append(request.url[-64:]) if request.method == "PUT" else None)
    drop(page, **scene)
    look(agent, InspectionResult(findings=FINDINGS))
    expect(page.get_by_role("button", name="Render 24 frames")).to_be_visible()
    assert broken in again
    assert set(again).isdisjoint(arrived)


def test_missing_files_are_dropped_beside_the_form_and_looked_for_again(site: Site) -> None:
    page = site.page
    agent = site.agent()
    site.sign_in("#/new")
    drop(page, shot__blend=FAKE_BLEND + b"missing")
    missing = [
        MissingInput(kind="image", name="wood", path="../textures/wood.1001.png", place="../textures/wood.1001.png"),
        MissingInput(kind="sound", name="song", path="C:\\music\\song.wav", place=None),
    ]
    found = InspectionResult(
        findings=Findings(
            file_version=(4, 5, 0),
            blender=BLENDER,
            scene="Scene",
            scenes=[SCENE],
            missing=missing,
            missing_count=2,
            warnings=["Python in the file was not run."],
        )
    )
    look(agent, found)
    expect(page.get_by_role("heading", name="2 files of the scene are missing")).to_be_visible()
    expect(page.get_by_text("Python in the file was not run.")).to_be_visible()
    assert_accessible(page)
    drop(page, other__txt=b"?")
    expect(page.get_by_text("None of these files is one that the scene misses")).to_be_visible()
    # The page is loaded anew meanwhile: it knows the project by its address.
    page.reload()
    expect(page.get_by_role("heading", name="2 files of the scene are missing")).to_be_visible()
    drop(page, wood__1001__png=b"1", wood__1002__png=b"2", song__wav=b"la", other__txt=b"?")
    pack = look(agent, InspectionResult(findings=FINDINGS))
    expect(page.get_by_role("button", name="Render 24 frames")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("missing"))).to_have_count(0)
    manifest = site.artist.api("GET", f"packs/{pack}")
    assert manifest["main"] == "project/shot.blend"
    assert sorted(file["path"] for file in manifest["files"]) == [
        "project/added/1/song.wav",
        "project/shot.blend",
        "textures/wood.1001.png",
        "textures/wood.1002.png",
    ]
    assert manifest["remap"] == {"C:\\music": "project/added/1"}


def test_what_cannot_be_used_is_explained(site: Site) -> None:
    page = site.page
    agent = site.agent()
    site.sign_in("#/new")
    alert = page.get_by_role("alert")
    drop(page, notes__txt=b"Buy milk.")
    expect(alert.filter(has_text="notes.txt is not a .blend file.")).to_be_visible()
    drop(page, shot__blend=b"This is no scene.")
    expect(alert.filter(has_text="shot.blend is not a Blender file.")).to_be_visible()
    drop(page, project__zip=b"PK is not enough")
    expect(alert.filter(has_text="project.zip is no ZIP file")).to_be_visible()
    site.expected.append("status of 422")
    drop(page, shot__blend=b"BLENDER17-01v0501 of the future")
    expect(alert.filter(has_text="saved by Blender 5.1, and the newest one on the farm is 4.5")).to_be_visible()
    drop(page, shot__blend=FAKE_BLEND + b"broken")
    look(agent, InspectionResult(failure="Blender cannot open the file: it is damaged."))
    expect(page.get_by_role("heading", name="The scene could not be read")).to_be_visible()
    expect(alert.filter(has_text="it is damaged")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Drop another file").click()
    expect(page.get_by_role("heading", name="Drop your .blend here")).to_be_visible()


def test_a_full_disk_is_said_and_the_upload_goes_on_later(site: Site) -> None:
    page = site.page
    agent = site.agent()
    site.sign_in("#/new")
    site.expected.append("status of 507")
    answer = json.dumps({"error": {"code": "disk_full", "message": "the disk is full", "fields": {}}})
    page.route("**/api/v1/blobs", lambda route: route.fulfill(status=507, content_type="application/json", body=answer))
    drop(page, shot__blend=FAKE_BLEND + b"full disk")
    expect(page.get_by_role("alert").filter(has_text="The farm’s disk is full.")).to_be_visible()
    page.unroute("**/api/v1/blobs")
    page.get_by_role("button", name="Try again").click()
    look(agent, InspectionResult(findings=FINDINGS))
    expect(page.get_by_role("button", name="Render 24 frames")).to_be_visible()


def test_of_several_scenes_one_is_chosen_and_without_an_agent_the_form_can_be_used(fresh_site: Site) -> None:
    site, page = fresh_site, fresh_site.page
    page.set_viewport_size(PHONE)
    site.sign_in("#/new")
    drop(page, first__blend=FAKE_BLEND, second__blend=FAKE_BLEND + b"2", first__blend1=b"a backup")
    expect(page.get_by_role("button", name="second.blend")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="second.blend").click()
    expect(page.get_by_text("No agent is online")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Go on without the scene’s values").click()
    page.get_by_role("button", name="Render", exact=True).click()
    expect(page.get_by_text("Write frames like 1-250")).to_be_visible()
    page.get_by_label("Frames", exact=True).fill("5-14")
    page.get_by_text("And an MP4 video").click()
    page.get_by_role("button", name="Render 10 frames").click()
    expect(page.get_by_role("heading", name="second")).to_be_visible()
    job: dict[str, Any] = site.artist.api("GET", "jobs/1")
    assert (job["render"]["scene"], job["video"], job["frames"]) == (None, False, "5-14")
    files = site.artist.api("GET", f"packs/{job['pack']}")["files"]
    assert sorted(file["path"] for file in files) == ["first.blend", "second.blend"]
