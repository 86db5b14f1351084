"""The page as a person uses it."""

import re

import pytest
from playwright.sync_api import expect

from coordinator.protocol import GpuLoad, Telemetry
from tests.browser.conftest import PHONE, Site
from tests.e2e.farm import ADMIN_TOKEN

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

GIB = 1024**3


def test_a_wrong_token_is_explained_and_the_right_one_opens_the_farm(fresh_site: Site) -> None:
    site, page = fresh_site, fresh_site.page
    page.goto(site.farm.url)
    token = page.get_by_label("Admin token")
    token.fill("rf_admin_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("^This token is not known to the coordinator.*\\.$"))
    token.fill(ADMIN_TOKEN)
    token.press("Enter")
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    expect(page.get_by_text("renderfarm submit")).to_be_visible()
    site.go("#/agents")
    expect(page.get_by_role("heading", name="No agents yet")).to_be_visible()
    expect(page.get_by_role("button", name="Add a machine")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Admin token")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Admin token")).to_be_visible()


def test_a_link_with_the_token_signs_in_and_leaves_no_trace(site: Site) -> None:
    site.page.goto(f"{site.farm.url}/#token={ADMIN_TOKEN}")
    expect(site.page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    expect(site.page).to_have_url(f"{site.farm.url}/#/jobs")
    assert site.page.evaluate("history.length") <= 2  # the blank page and this one


def test_a_session_that_has_ended_asks_to_sign_in(site: Site) -> None:
    site.sign_in()
    site.page.context.clear_cookies()
    site.go("#/jobs/1")
    expect(site.page.get_by_label("Admin token")).to_be_visible()


def test_the_list_follows_a_job_live(site: Site) -> None:
    page = site.page
    site.sign_in()
    expect(page.get_by_text("No agent is online")).to_be_visible()
    agent = site.agent()
    expect(page.get_by_text("1 slot idle on 1 agent")).to_be_visible()

    job = site.artist.submit("Lighthouse", frames="1-4", priority=70)
    row = page.get_by_role("row").filter(has_text="Lighthouse")
    expect(row).to_contain_text("Queued")
    expect(row.get_by_role("cell").nth(6)).to_have_text("70")
    expect(row).to_contain_text("0 of 4 frames")

    first = agent.take_work().frames[0]
    agent.report(first, 0.5)
    expect(row).to_contain_text("Running")
    expect(page.get_by_text("1 of 1 slots at work on 1 agent")).to_be_visible()
    agent.finish(first)
    expect(row).to_contain_text("1 of 4 frames")
    expect(row.locator("img")).to_have_attribute("src", re.compile(f"/jobs/{job}/frames/{first}/thumbnail"))

    page.get_by_role("link", name="Finished").click()
    expect(row).to_be_hidden()
    page.get_by_role("link", name="Active").click()
    expect(row).to_be_visible()
    site.artist.api("POST", f"jobs/{job}/cancel")
    expect(page.get_by_role("heading", name="Nothing is running")).to_be_visible()
    page.get_by_role("link", name="Finished").click()
    expect(row).to_contain_text("Cancelled")


def test_a_jobs_page_from_the_first_frame_to_the_video(site: Site) -> None:
    page = site.page
    agent = site.agent()
    job = site.artist.submit("Turntable", frames="1-4", video=True)
    site.sign_in(f"#/jobs/{job}")
    expect(page.get_by_role("heading", name="Turntable")).to_be_visible()
    expect(page.get_by_text("It waits for a machine to be free.")).to_be_visible()

    first = agent.take_work().frames[0]
    agent.report(first, 0.25)
    working = page.get_by_role("listitem").filter(has_text="studio-01")
    expect(working).to_contain_text(f"Rendering frame {first}")
    expect(working).to_contain_text("25 % · about 2 min left")
    expect(page.get_by_role("progressbar", name="Progress of the frame")).to_have_attribute("aria-valuenow", "25")
    expect(page).to_have_title(re.compile(r"^6 % · Turntable"))

    assert agent.grant is not None
    for frame in agent.grant.frames:
        agent.finish(frame)
    agent.render_all(4 - len(agent.grant.frames))
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    expect(page.locator(".cell img")).to_have_count(4)

    video = page.locator("video")
    expect(video).to_be_visible()
    duration = video.evaluate(
        """video => new Promise((resolve, reject) => {
            video.addEventListener("timeupdate", () => { if (video.currentTime > 0) resolve(video.duration); });
            video.addEventListener("error", () => reject(video.error));
            video.play().catch(reject);
        })"""
    )
    assert duration == pytest.approx(4 / 24, abs=0.05)
    with page.expect_download() as download:
        page.locator("summary", has_text="Download").click()
        page.get_by_role("link", name="Video MP4").click()
    assert download.value.suggested_filename.endswith(".mp4")
    assert download.value.path().read_bytes()[4:8] == b"ftyp"

    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("Submitted by")).to_be_visible()
    page.get_by_role("link", name="Frames").click()
    expect(page.locator(".cell img")).to_have_count(4)


def test_one_frame_large_with_its_neighbours_and_its_file(site: Site) -> None:
    page = site.page
    job = site.artist.submit("Stills", frames="1-3")
    site.agent().render_all(3)
    site.sign_in(f"#/jobs/{job}")
    page.get_by_role("link", name="2 finished").click()
    viewer = page.get_by_role("dialog")
    expect(viewer.get_by_role("heading", name="Frame 2")).to_be_visible()
    expect(viewer).to_contain_text("0002.png")
    expect(viewer).to_contain_text("studio-01")
    page.keyboard.press("ArrowRight")
    expect(viewer.get_by_role("heading", name="Frame 3")).to_be_visible()
    expect(viewer.get_by_role("button", name="Frame after")).to_be_disabled()
    expect(page).to_have_url(f"{site.farm.url}/#/jobs/{job}/frames/3")
    with page.expect_download() as download:
        viewer.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page).to_have_url(f"{site.farm.url}/#/jobs/{job}")


def test_failed_frames_and_warnings_are_told_in_words(site: Site) -> None:
    page = site.page
    agent = site.agent()
    job = site.artist.submit("Broken", frames="1-2", max_retries=0, warnings=["The image wood.png is missing."])
    site.sign_in(f"#/jobs/{job}")
    expect(page.get_by_text("The image wood.png is missing.")).to_be_visible()
    for _ in range(2):
        for frame in agent.take_work().frames:
            if frame == 1:
                agent.fail(1, "The scene has no camera in frame 1.")
            else:
                agent.finish(frame)
        if site.artist.api("GET", f"jobs/{job}")["state"] == "failed":
            break
    expect(page.get_by_text("Failed", exact=True)).to_be_visible()
    failure = page.get_by_role("listitem").filter(has_text="The scene has no camera in frame 1.")
    expect(failure).to_contain_text("Frame 1")
    expect(failure).to_contain_text("1 attempt")
    expect(page.get_by_text("1 of 2 frames, 1 failed")).to_be_visible()


def test_cancelling_asks_first(site: Site) -> None:
    page = site.page
    job = site.artist.submit("Oops", frames="1-100")
    site.sign_in(f"#/jobs/{job}")
    cancel = page.get_by_role("button", name="Cancel job")
    cancel.click()
    page.get_by_role("button", name="Keep rendering").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert site.artist.api("GET", f"jobs/{job}")["state"] == "queued"
    cancel.click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    expect(cancel).to_be_hidden()
    assert site.artist.api("GET", f"jobs/{job}")["state"] == "cancelled"


def test_the_agents(site: Site) -> None:
    page = site.page
    site.sign_in("#/agents")
    agent = site.agent("studio-07")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="studio-07"))
    expect(card).to_contain_text("Idle")
    expect(card).to_contain_text("4.5.15")
    expect(card).to_contain_text("RTX 4090, 24 GiB")
    expect(card).to_contain_text("Idle")
    site.artist.submit("Harbour", frames="5")
    agent.take_work()
    hot = GpuLoad(
        name="NVIDIA GeForce RTX 4090", celsius=88, watts=310.4, memory_used_bytes=6 * GIB, memory_bytes=24 * GIB
    )
    agent.report(5, 0.5, Telemetry(gpus=[hot, GpuLoad(name="GB10")], cpu_utilization=0.12, disk_free_bytes=5 * GIB))
    expect(card).to_contain_text("Rendering frame 5")
    loads = card.get_by_role("list", name="Graphics cards").get_by_role("listitem")
    expect(loads.nth(0)).to_have_text("RTX 4090310 W88 °C6.0 of 24 GiB")
    expect(loads.nth(0)).to_have_attribute("data-hot", "true")
    expect(loads.nth(1)).to_have_text("GB10tells nothing")
    expect(card).to_contain_text("Processor 12 % · 5.0 GiB free on disk")
    card.get_by_role("link", name="Harbour").click()
    expect(page.get_by_role("heading", name="Harbour")).to_be_visible()


def test_hostile_names_are_text(site: Site) -> None:
    page = site.page
    name = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script> & 'x'"
    warning = "<b onclick=alert(2)>bold</b>"
    job = site.artist.submit(name, frames="1", warnings=[warning])
    # A script that ran would open a dialog, and an open dialog that no one answers fails the test.
    page.on("dialog", lambda dialog: site.complain(dialog.message))
    site.sign_in()
    expect(page.get_by_role("link", name=name)).to_be_visible()
    site.go(f"#/jobs/{job}")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_text(warning)).to_be_visible()
    expect(page).to_have_title(re.compile(re.escape(name)))
    assert page.locator("main script, main b, main img[src='x']").count() == 0


def test_a_job_of_ten_thousand_frames_stays_light(site: Site) -> None:
    page = site.page
    job = site.artist.submit("Epic", frames="1-10000")
    site.sign_in(f"#/jobs/{job}")
    expect(page.get_by_text("1 pending", exact=True)).to_be_visible()
    assert page.locator(".cell").count() < 300
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    expect(page.get_by_text("10000 pending", exact=True)).to_be_visible()
    assert page.locator(".cell").count() < 300


def test_older_jobs_come_when_asked_for(site: Site) -> None:
    page = site.page
    for number in range(52):
        site.artist.submit(f"Job {number:02}")
    site.sign_in("#/jobs?show=active")
    rows = page.locator(".job-row")
    expect(rows).to_have_count(50)
    rows.last.scroll_into_view_if_needed()
    expect(rows).to_have_count(52)
    expect(rows.last).to_contain_text("Job 00")
    site.artist.submit("The newest")
    expect(rows.first).to_contain_text("The newest")
    expect(rows).to_have_count(53)


def test_what_does_not_exist_is_said(site: Site) -> None:
    page = site.page
    site.expected.append(r"status of 404")
    site.sign_in("#/jobs/999")
    expect(page.get_by_role("heading", name="There is no job 999")).to_be_visible()
    site.go("#/nowhere")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()


def test_every_view_fits_a_phone(site: Site) -> None:
    page = site.page
    agent = site.agent("a-machine-with-quite-a-long-name.studio.example.com")
    name = "Shot_020_comp_with_a_long_name_without_any_blanks_final_FINAL_v3"
    job = site.artist.submit(name, frames="1-8", max_retries=0, warnings=["x" * 200])
    for frame in agent.take_work().frames:
        agent.finish(frame)
    page.set_viewport_size(PHONE)
    page.goto(site.farm.url)
    expect(page.get_by_label("Admin token")).to_be_visible()
    assert_fits(site)
    site.sign_in()
    for route, sign in [
        ("#/jobs", name),
        (f"#/jobs/{job}", "1 finished"),
        (f"#/jobs/{job}/history", "Submitted by"),
        (f"#/jobs/{job}/frames/1", "Frame 1"),
        ("#/agents", agent.name),
    ]:
        site.go(route)
        expect(page.get_by_text(sign).first).to_be_visible()
        assert_fits(site)


def assert_fits(site: Site) -> None:
    """No part of the page is wider than the window."""
    assert site.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
