"""The list of jobs: searched, filtered, sorted, and several jobs steered at once, by mouse and by keyboard."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Site
from tests.browser.test_page import assert_fits

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_history_is_searched_and_the_address_tells_for_what(fresh_site: Site) -> None:
    site, page = fresh_site, fresh_site.page
    old = site.artist.submit("Harbour at night", priority=10)
    site.artist.submit("Harbour at dawn", priority=90)
    site.artist.submit("Forest")
    site.artist.api("POST", f"jobs/{old}/cancel")
    site.sign_in()
    rows = page.locator(".job-row")
    expect(rows).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("HARB")
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile(r"#/jobs\?q=HARB$"))
    # A job that fits comes in by itself, one that does not stays out.
    site.artist.submit("harbour, once more")
    site.artist.submit("Attic")
    expect(rows).to_have_count(3)
    page.get_by_role("link", name="Priority").click()
    expect(page.get_by_role("columnheader", name="Priority")).to_have_attribute("aria-sort", "descending")
    expect(page.locator(".job-name")).to_have_text(["Harbour at dawn", "harbour, once more", "Harbour at night"])
    page.get_by_role("link", name="Finished").click()
    expect(rows).to_have_count(1)
    page.reload()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Search jobs")).to_have_value("HARB")
    expect(page.get_by_label("Order")).to_have_value("priority")
    page.get_by_label("Submitted on or before").fill("2020-01-01")
    expect(page.get_by_role("heading", name="No job fits")).to_be_visible()
    page.get_by_role("button", name="Show all jobs").click()
    expect(rows).to_have_count(5)
    page.get_by_label("Submitted by").select_option("admin")
    expect(rows).to_have_count(5)
    page.get_by_label("Search jobs").fill(f"#{old}")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Harbour at night")


def test_several_jobs_are_steered_at_once(site: Site) -> None:
    page = site.page
    jobs = [site.artist.submit(f"Shot {number}") for number in range(4)]
    site.sign_in("#/jobs?show=active")
    bar = page.get_by_role("toolbar", name="Selected jobs")
    expect(page.locator(".job-row")).to_have_count(4)
    expect(bar).to_be_hidden()
    page.get_by_label("Select Shot 3").click()
    page.get_by_label("Select Shot 1").click(modifiers=["Shift"])
    expect(bar).to_contain_text("3 jobs selected")
    bar.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("alert").filter(has_text="3 jobs are paused.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Shot 2")).to_contain_text("Paused")
    expect(bar.get_by_role("button", name="Pause")).to_be_disabled()
    bar.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("row").filter(has_text="Shot 2")).to_contain_text("Queued")
    bar.get_by_role("button", name="Priority").click()
    page.get_by_role("spinbutton", name="Priority").fill("80")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="3 jobs are at priority 80.")).to_be_visible()
    assert [site.artist.api("GET", f"jobs/{job}")["priority"] for job in jobs] == [50, 80, 80, 80]
    bar.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel them").click()
    expect(page.locator(".job-row")).to_have_count(1)
    expect(bar).to_be_hidden()
    site.go("#/jobs?show=finished")
    page.get_by_label("Select Shot 1").click()
    bar.get_by_role("button", name="Retry failed").click()
    expect(page.get_by_role("alert").filter(has_text="1 job is back in the queue.")).to_be_visible()


def test_the_keyboard_does_it_all(site: Site) -> None:
    page = site.page
    for number in range(3):
        site.artist.submit(f"Key {number}")
    site.sign_in("#/jobs?show=active")
    expect(page.locator(".job-row")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.get_by_role("toolbar", name="Selected jobs")).to_contain_text("2 jobs selected")
    page.keyboard.press("Escape")
    expect(page.get_by_role("toolbar", name="Selected jobs")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Select the job")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Key 2")).to_be_visible()


def test_the_list_fits_a_phone(site: Site) -> None:
    page = site.page
    site.artist.submit("A name that is quite a bit longer than a phone is wide")
    page.set_viewport_size(PHONE)
    site.sign_in()
    page.get_by_role("checkbox", name=re.compile("^Select A name")).click()
    expect(page.get_by_role("toolbar", name="Selected jobs")).to_be_visible()
    assert_fits(site)
