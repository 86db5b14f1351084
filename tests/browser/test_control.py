"""Steering jobs and agents from the page."""

import re

import pytest
from playwright.sync_api import Response, expect

from tests.browser.conftest import PHONE, Site
from tests.browser.people import PretendAgent
from tests.browser.test_page import assert_fits

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_a_job_is_paused_and_resumed(site: Site) -> None:
    page = site.page
    agent = site.agent()
    job = site.artist.submit("Harbour", frames="1-4", chunk_frames=4)
    site.sign_in(f"#/jobs/{job}")
    agent.take_work()
    agent.report(1, 0.5)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    expect(page.get_by_text("no other frame is begun until it is resumed")).to_be_visible()
    # What the slot has not begun is taken from it when it reports.
    agent.report(1, 0.6)
    agent.finish(1)
    expect(page.get_by_text("1 of 4 frames")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Queued", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_hidden()
    agent.render_all(3)
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Pause|Resume|Retry|Cancel"))).to_have_count(0)


def test_failed_frames_are_requeued_and_seen_anew(site: Site) -> None:
    page = site.page
    agent = site.agent()
    job = site.artist.submit("Storm", frames="1-3", max_retries=0, chunk_frames=3)
    agent.take_work()
    agent.finish(1)
    agent.fail(2, "The GPU went away.")
    agent.finish(3)
    site.sign_in(f"#/jobs/{job}")
    expect(page.get_by_text("The GPU went away.").first).to_be_visible()
    page.get_by_role("button", name="Retry 1 failed frame").click()
    expect(page.get_by_text("Queued", exact=True)).to_be_visible()
    expect(page.get_by_text("2 pending", exact=True)).to_be_visible()
    expect(page.get_by_text("The GPU went away.")).to_have_count(0)
    agent.render_all(1)
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    expect(page.locator(".cell img")).to_have_count(3)


def test_a_frame_rendered_again_is_shown_as_it_is_now(site: Site) -> None:
    page = site.page
    agent = site.agent()
    job = site.artist.submit("Again", frames="1-2", chunk_frames=2)
    agent.render_all(2)
    site.sign_in(f"#/jobs/{job}")
    first = page.get_by_role("link", name="1 finished").locator("img")
    before = first.get_attribute("src")
    site.artist.api("POST", f"jobs/{job}/requeue", {"frames": "1"})
    expect(page.get_by_text("1 pending", exact=True)).to_be_visible()
    agent.take_work()
    agent.finish(1, disc=40)
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    expect(first).to_be_visible()
    assert first.get_attribute("src") != before
    page.get_by_role("link", name="1 finished").click()
    expect(page.get_by_role("dialog").get_by_text("0001.png")).to_be_visible()


def test_frames_are_added_to_a_job_that_is_looked_at(site: Site) -> None:
    page = site.page
    job = site.artist.submit("Longer", frames="1-3")
    site.sign_in(f"#/jobs/{job}")
    expect(page.locator(".cell")).to_have_count(3)
    site.artist.api("PATCH", f"jobs/{job}", {"frames": "1-5"})
    expect(page.locator(".cell")).to_have_count(5)
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("changed the frames from 1-3 to 1-5")).to_be_visible()


def test_what_is_left_of_a_cancelled_job_is_rendered_after_all(site: Site) -> None:
    page = site.page
    job = site.artist.submit("Second thoughts", frames="1-3")
    site.artist.api("POST", f"jobs/{job}/cancel")
    site.sign_in(f"#/jobs/{job}")
    page.get_by_role("button", name="Render the other 3 frames").click()
    expect(page.get_by_text("Queued", exact=True)).to_be_visible()


def test_the_priority_is_changed_where_it_stands(site: Site) -> None:
    page = site.page
    job = site.artist.submit("Urgent", frames="1-3")
    site.sign_in(f"#/jobs/{job}")
    priority = page.get_by_label("Priority")
    expect(priority).to_have_value("50")
    with page.expect_response(is_change):
        priority.fill("80")
        priority.press("Enter")
    assert site.artist.api("GET", f"jobs/{job}")["priority"] == 80
    # Nonsense is put back.
    priority.fill("800")
    priority.press("Enter")
    expect(priority).to_have_value("80")


def test_why_a_job_waits_is_said_wherever_it_is_shown(site: Site) -> None:
    page = site.page
    agent = site.agent()
    first = site.artist.submit("First", frames="1")
    then = site.artist.submit("Then", frames="1", after=[first])
    picky = site.artist.submit("Picky", frames="1", needs={"tags": ["holodeck"]})
    site.sign_in()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="Then"))
    expect(row).to_contain_text("Blocked")
    expect(row).to_contain_text(f"It begins when job {first} (First) is completed.")
    expect(page.get_by_role("row").filter(has_text="Picky")).to_contain_text("the tag “holodeck”")
    site.go(f"#/jobs/{picky}")
    expect(page.locator(".headline")).to_contain_text("It needs the tag “holodeck”; no agent has it.")
    site.go(f"#/jobs/{then}")
    expect(page.get_by_text(f"It begins when job {first} (First) is completed.")).to_be_visible()
    agent.render_all(1)
    expect(page.get_by_text("Queued", exact=True)).to_be_visible()


def test_an_agent_that_was_set_aside_is_let_back(site: Site) -> None:
    page = site.page
    broken, sound = site.agent("broken"), site.agent("sound")
    # One frame a lease: of each job the one fails two frames that the other then renders.
    jobs = [site.artist.submit(f"Blame {number}", frames="1-2", chunk_frames=1) for number in range(3)]
    for _ in jobs:
        fail_what_another_renders(broken, sound)
    site.sign_in("#/agents")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="broken"))
    expect(card).to_contain_text("Set aside")
    expect(card).to_contain_text("It failed frames of 3 jobs that other agents rendered")
    page.set_viewport_size(PHONE)
    assert_fits(site)
    card.get_by_role("button", name="Let it work again").click()
    expect(card).to_contain_text("Idle")
    expect(card.get_by_role("button", name="Let it work again")).to_be_hidden()


def fail_what_another_renders(broken: PretendAgent, sound: PretendAgent) -> None:
    """Have one agent fail the next two frames, and another one render them."""
    for _ in range(2):
        [frame] = broken.take_work().frames
        broken.fail(frame, "Illegal instruction")
        [again] = sound.take_work().frames
        assert again == frame
        sound.finish(frame)


def is_change(response: Response) -> bool:
    """Tell whether this answers a change."""
    return response.request.method == "PATCH" and response.ok


def test_every_state_fits_a_phone(site: Site) -> None:
    page = site.page
    site.agent()
    job = site.artist.submit("A" * 80, frames="1-8", max_retries=0, needs={"tags": ["x" * 60], "pool": "y" * 60})
    blocked = site.artist.submit("B" * 80, frames="1", after=[job])
    page.set_viewport_size(PHONE)
    site.sign_in()
    for route, sign in (("#/jobs", ".job-waiting"), (f"#/jobs/{job}", ".headline"), (f"#/jobs/{blocked}", ".headline")):
        site.go(route)
        expect(page.locator(sign).first).to_contain_text("It ")
        assert_fits(site)
