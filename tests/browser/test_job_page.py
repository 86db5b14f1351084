"""A job's page: every frame of it on a map, as a film, one by one, beside another one, in a ZIP."""

import io
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import PHONE, Site
from tests.browser.people import HEIGHT, WIDTH, PretendAgent, encoded, picture
from tests.browser.test_page import assert_fits

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def half_done(site: Site) -> tuple[int, PretendAgent]:
    """Return a job of eight frames: 1, 2 and 4 are finished, 3 has failed, 5 is being rendered; and who does that."""
    job = site.artist.submit("Harbour", frames="1-8", chunk_frames=8, max_retries=0)
    agent = site.agent()
    agent.take_work()
    for frame in (1, 2, 4):
        agent.finish(frame)
    agent.fail(3, "The render crashed.\nOut of memory in CyclesRender.")
    agent.report(5, 0.5)
    return job, agent


def colour_of(canvas: Locator, share: float) -> list[int]:
    """Return the colour of a canvas in the middle of its height, at a share of its width."""
    colour: list[int] = canvas.evaluate(
        """(canvas, share) => {
            const x = Math.floor(canvas.width * share), y = Math.floor(canvas.height / 2);
            return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3)];
        }""",
        share,
    )
    return colour


def test_the_map_shows_every_frame_and_is_used_by_mouse_and_keyboard(site: Site) -> None:
    page = site.page
    # This test looks at the colours; nobody else does.
    site.expected.append("willReadFrequently")
    job, agent = half_done(site)
    site.sign_in(f"#/jobs/{job}")
    frames = page.get_by_role("slider", name="Frame map")
    legend = page.get_by_role("region", name="All frames").get_by_role("list")
    expect(legend).to_contain_text("3 finished")
    for words in ("1 rendering", "1 failed", "3 to do"):
        expect(legend).to_contain_text(words)
    canvas = frames.locator("canvas")
    # The middle of the cells of the frames 1 to 8.
    seen = [tuple(colour_of(canvas, (place + 0.5) / 8)) for place in range(8)]
    finished, failed, rendering, pending = seen[0], seen[2], seen[4], seen[7]
    assert seen == [finished, finished, failed, finished, rendering, pending, pending, pending]
    assert len({finished, failed, rendering, pending}) == 4
    # By mouse.
    box = frames.bounding_box()
    assert box is not None
    frames.hover(position={"x": box["width"] * 1.5 / 8, "y": 10})
    card = page.locator(".map-card")
    expect(card).to_have_text("Frame 2: finished, 1.5 s on studio-01")
    expect(card.locator("img")).to_have_attribute("src", re.compile(r"/frames/2/thumbnail.*width=160"))
    # By keyboard, in words.
    frames.press("End")
    expect(frames).to_have_attribute("aria-valuetext", "Frame 8: pending")
    frames.press("Home")
    expect(frames).to_have_attribute("aria-valuetext", "Frame 1: finished, 1.5 s on studio-01")
    # A frame that comes in is drawn.
    agent.finish(5)
    expect(legend).to_contain_text("4 finished")
    assert tuple(colour_of(canvas, 4.5 / 8)) == finished
    page.get_by_role("button", name="By render time").click()
    expect(legend).to_contain_text("1.5 s")
    frames.press("ArrowRight")
    frames.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("heading", name="Frame 2")).to_be_visible()


def test_a_frame_is_zoomed_and_told_all_about(site: Site) -> None:
    page = site.page
    job, _ = half_done(site)
    site.sign_in(f"#/jobs/{job}/frames/2")
    viewer = page.get_by_role("dialog")
    about = viewer.get_by_role("complementary", name="About this frame")
    for words in ("0002.png", "1.5 s", "studio-01", "300 MiB", "4.5.15", "R G B, 8 bit"):
        expect(about).to_contain_text(words)
    stage = viewer.get_by_role("group", name="The frame's picture")
    image = stage.locator("img")
    expect(image).to_have_attribute("src", re.compile("/output"))
    before = viewer.locator(".zoom-percent").inner_text()
    stage.focus()
    stage.press("+")
    expect(image).to_have_attribute("style", re.compile(r"scale\(1\.25\)"))
    stage.press("ArrowLeft")
    expect(image).not_to_have_attribute("style", re.compile(r"translate\(0px, 0px\)"))
    stage.press("0")
    expect(image).to_have_attribute("style", re.compile(r"translate\(0px(, 0px)?\) scale\(1\)"))
    expect(viewer.locator(".zoom-percent")).to_have_text(before)
    viewer.get_by_role("button", name="Its own pixels (1)").click()
    stage.hover()
    page.mouse.wheel(0, -300)
    expect(image).not_to_have_attribute("style", re.compile(r"scale\(1\)"))
    stage.press("0")
    stage.press("ArrowRight")
    expect(viewer.get_by_role("heading", name="Frame 4")).to_be_visible()
    # One that failed says why, with what Blender said last.
    site.go(f"#/jobs/{job}/frames/3")
    expect(viewer.get_by_text("No agent could render this frame.")).to_be_visible()
    viewer.get_by_text("Blender’s last words").click()
    expect(viewer.get_by_text("Out of memory in CyclesRender.", exact=True)).to_be_visible()


def test_finished_frames_are_a_film_before_there_is_an_mp4(site: Site) -> None:
    page = site.page
    job, agent = half_done(site)
    site.sign_in(f"#/jobs/{job}")
    bar = page.get_by_role("slider", name="Frame", exact=True)
    # It follows what comes until somebody takes hold of it.
    expect(bar).to_have_attribute("aria-valuenow", "4")
    bar.press("Home")
    expect(bar).to_have_attribute("aria-valuetext", "Frame 1: finished, 1.5 s on studio-01")
    bar.press("End")
    expect(page.get_by_text("Frame 8 is not rendered yet")).to_be_visible()
    bar.press("Home")
    for _ in range(2):
        bar.press("ArrowRight")
    expect(page.get_by_text("Frame 3 failed")).to_be_visible()
    agent.finish(5)
    expect(page.get_by_text("4 of 8 frames")).to_be_visible()
    expect(bar).to_have_attribute("aria-valuenow", "3")
    # Scrubbed by mouse to the middle of the fourth eighth.
    box = bar.bounding_box()
    assert box is not None
    bar.click(position={"x": box["width"] * 3.5 / 8, "y": 6})
    expect(bar).to_have_attribute("aria-valuenow", "4")
    canvas = page.locator(".film-canvas")
    expect(canvas).to_have_attribute("width", "160")
    # Played to its end, which is the last frame that is there; the gap is passed.
    bar.press("Home")
    page.get_by_role("button", name="Play over and over").click()
    page.get_by_role("button", name="Play (space)").click()
    expect(bar).to_have_attribute("aria-valuenow", "5")
    expect(page.get_by_role("button", name="Play (space)")).to_be_visible()
    page.get_by_role("button", name="Newest").click()
    expect(bar).to_have_attribute("aria-valuenow", "5")


def test_a_frame_is_rendered_again_in_its_place(site: Site) -> None:
    page = site.page
    agent = site.agent()
    job = site.artist.submit("Again", frames="1-2", chunk_frames=2)
    agent.render_all(2)
    site.sign_in(f"#/jobs/{job}/frames/1")
    viewer = page.locator(".viewer")
    picture = viewer.locator(".zoom-image")
    expect(picture).to_have_attribute("src", re.compile("/output"))
    before = picture.get_attribute("src")
    assert before is not None
    viewer.get_by_role("button", name="Render again").click()
    page.get_by_role("button", name="Keep it").click()
    assert site.artist.api("GET", f"jobs/{job}")["finished"] == 2
    viewer.get_by_role("button", name="Render again").click()
    page.get_by_role("button", name="In its place").click()
    expect(viewer.get_by_text("This frame is not rendered yet.")).to_be_visible()
    agent.take_work()
    agent.finish(1, disc=40)
    expect(picture).to_be_visible()
    expect(picture).not_to_have_attribute("src", before)


def test_a_frame_is_rendered_again_beside_itself_and_compared(site: Site) -> None:
    page = site.page
    agent = site.agent()
    job = site.artist.submit("Lamp", frames="1-3", chunk_frames=3)
    agent.render_all(3)
    site.sign_in(f"#/jobs/{job}/frames/2")
    page.locator(".viewer").get_by_role("button", name="Render again").click()
    page.get_by_role("button", name="Beside it, to compare").click()
    expect(page.get_by_role("heading", name="Lamp, frame 2 again")).to_be_visible()
    agent.take_work()
    agent.finish(2, disc=60)
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    site.go(f"#/jobs/{job}/frames/2")
    page.locator(".viewer").get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    site.expected.append("status of 404")
    # The other side is the newest other job of the same files.
    expect(page.get_by_label("Right: job").locator("option:checked")).to_contain_text("Lamp, frame 2 again")
    left = page.get_by_role("group", name="Left picture").locator("img")
    right = page.get_by_role("group", name="Right picture").locator("img")
    expect(left).to_have_attribute("src", re.compile(f"/jobs/{job}/frames/2/output"))
    expect(right).to_have_attribute("src", re.compile("/frames/2/output"))
    # They are zoomed together.
    page.get_by_role("button", name="Zoom in (+)").click()
    for image in (left, right):
        expect(image).to_have_attribute("style", re.compile(r"scale\(1\.25\)"))
    page.get_by_role("button", name="Wipe").click()
    edge = page.get_by_role("slider", name="Edge between the pictures")
    edge.fill("25")
    box = page.get_by_role("group", name="Right picture")
    assert box.evaluate("stage => getComputedStyle(stage).clipPath") == "inset(0px 0px 0px 25%)"
    assert_accessible(page)
    page.get_by_role("button", name="Frame after").click()
    expect(page.get_by_text(re.compile("has no frame 3"))).to_be_visible()


def test_all_frames_and_the_log_are_downloaded(site: Site) -> None:
    page = site.page
    job, _ = half_done(site)
    site.sign_in(f"#/jobs/{job}")
    menu = page.locator("summary", has_text="Download")
    menu.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="All frames 3 files in a ZIP").click()
    assert download.value.suggested_filename == "Harbour.zip"
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert archive.namelist() == ["0001.png", "0002.png", "0004.png"]
        assert archive.testzip() is None
    menu.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Log").click()
    assert "Submitted by" in Path(download.value.path()).read_text(encoding="utf-8")


def test_times_cost_history_and_files(site: Site) -> None:
    page = site.page
    job, agent = half_done(site)
    site.sign_in(f"#/jobs/{job}/times")
    expect(page.get_by_role("row", name=re.compile("studio-01 3 1.5 s"))).to_be_visible()
    expect(page.get_by_text(re.compile("3 frames took 5 s on processors\\.$"))).to_be_visible()
    card = {"device": "CUDA", "hardware": "RTX 4090", "agents": ["studio-01"], "frames": 3, "seconds": 4.5}
    energy = {"energy_frames": 2, "energy_joules": 1_800_000.0}
    cost = {"frames": 3, "seconds": 4.5, "gpu_seconds": 4.5, **energy, "devices": [{**card, **energy}]}
    page.route(re.compile("/cost$"), lambda route: route.fulfill(json=cost))
    page.reload()
    expect(page.get_by_text("The graphics cards used 500 Wh for 2 of 3 frames.")).to_be_visible()
    page.get_by_role("link", name="History").click()
    lines = page.locator(".history li")
    expect(lines.last).to_contain_text("Submitted by")
    expect(page.get_by_text("Frame 1 is finished.")).to_have_count(0)
    page.get_by_role("button", name="Every frame").click()
    expect(page.get_by_text("Frame 1 is finished.")).to_be_visible()
    agent.finish(5)
    expect(lines.first).to_contain_text("Frame 5 is finished.")
    page.get_by_role("link", name="Files and settings").click()
    expect(page.get_by_role("row", name="scene.blend 23 bytes")).to_be_visible()


def test_a_jobs_files_are_kept_removed_and_the_job_deleted(site: Site) -> None:
    page = site.page
    job = site.artist.submit("Old", frames="1-2", chunk_frames=2)
    site.agent().render_all(2)
    site.sign_in(f"#/jobs/{job}/files")
    storage = page.locator(".job-storage")
    expect(storage).to_contain_text(re.compile(r"Its files take \d"))
    remove = storage.get_by_role("button", name="Remove its files…")
    storage.get_by_label("Keep its files, however old they are").check()
    expect(remove).to_be_disabled()
    assert site.artist.api("GET", f"jobs/{job}")["keep"] is True
    storage.get_by_label("Keep its files, however old they are").uncheck()
    expect(remove).to_be_enabled()
    remove.click()
    expect(page.get_by_role("dialog")).to_contain_text("This frees")
    page.get_by_role("button", name="Remove the files", exact=True).click()
    expect(page.get_by_text("Its files were removed on")).to_be_visible()
    expect(page.get_by_text("The pictures of this job were removed.")).to_be_visible()
    storage.get_by_role("button", name="Delete the job…").click()
    page.get_by_role("button", name="Delete the job", exact=True).click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    site.expected.append("status of 404")
    site.go(f"#/jobs/{job}")
    expect(page.get_by_role("heading", name=f"There is no job {job}")).to_be_visible()


def test_nothing_keeps_anyone_from_using_a_jobs_page(site: Site) -> None:
    page = site.page
    job, _ = half_done(site)
    site.sign_in(f"#/jobs/{job}")
    for route, sign in [
        ("", ".sheet img"),
        ("/times", ".job-cost td"),
        ("/history", ".history li"),
        ("/files", ".files-table td"),
        ("/frames/3", ".attempts"),
        ("/frames/2", ".layers"),
    ]:
        site.go(f"#/jobs/{job}{route}")
        expect(page.locator(sign).first).to_be_visible()
        assert_accessible(page)
    page.set_viewport_size(PHONE)
    for route in ("", "/times", "/history", "/files", "/frames/2"):
        site.go(f"#/jobs/{job}{route}")
        expect(page.locator(".film-controls")).to_be_attached()
        assert_fits(site)
    assert_accessible(page)
    site.go(f"#/compare?left={job}:1&right={job}:2&mode=side")
    expect(page.get_by_text("1.5 s on studio-01")).to_have_count(2)
    assert_fits(site)
    assert_accessible(page)


def layers_of(frame: int) -> bytes:
    """Return an OpenEXR with two layers' passes."""
    size = (HEIGHT, WIDTH)
    channels = {f"Room.Combined.{letter}": np.full(size, 0.5, np.float32) for letter in "RGBA"}
    channels |= {f"Room.Normal.{letter}": np.full(size, 0.5, np.float32) for letter in "XYZ"}
    channels["Room.Depth.Z"] = np.linspace(frame, 9, WIDTH, dtype=np.float32)[None, :].repeat(HEIGHT, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layers.exr"
        OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, channels).write(str(path))
        return path.read_bytes()


def test_the_passes_of_a_frame_are_looked_at_and_what_blender_said(site: Site) -> None:
    page = site.page
    output = {"format": "OPEN_EXR_MULTILAYER", "width": WIDTH, "height": HEIGHT, "fps": 24.0}
    job = site.artist.submit("Passes", frames="1-2", chunk_frames=2, output=output, video=False)
    agent = site.agent()
    agent.take_work()
    said = "Read blend: scene.blend\nERROR (image.io): wood.png cannot be read"
    for frame in (1, 2):
        agent.deliver(frame, layers_of(frame), encoded(picture(frame), "JPEG"), log=said if frame == 1 else "")
    site.sign_in(f"#/jobs/{job}/frames/1")
    viewer = page.get_by_role("dialog")
    image = viewer.locator(".zoom-image")
    expect(image).to_have_attribute("alt", "Frame 1 of Passes")
    viewer.get_by_text("What Blender said").click()
    expect(viewer.locator(".frame-log pre")).to_have_text(said)
    expect(viewer.get_by_role("heading", name="3 layers and passes")).to_be_visible()
    depth = viewer.get_by_role("button", name="Room.Depth")
    depth.click()
    expect(image).to_have_attribute("alt", "Room.Depth of frame 1")
    # Near is bright, and all of it has come.
    assert image.evaluate("image => image.naturalWidth") == WIDTH
    expect(depth).to_have_attribute("aria-pressed", "true")
    assert_accessible(page)
    # The next frame shows the same pass.
    page.keyboard.press("ArrowRight")
    expect(image).to_have_attribute("alt", "Room.Depth of frame 2")
    expect(viewer.locator(".frame-log")).to_have_count(0)
    expect(depth).to_have_attribute("aria-pressed", "true")
    viewer.get_by_role("button", name="Room.Normal").click()
    expect(image).to_have_attribute("alt", "Room.Normal of frame 2")
    viewer.get_by_role("button", name="Room.Normal").click()
    expect(image).to_have_attribute("alt", "Frame 2 of Passes")
