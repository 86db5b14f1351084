"""The farm at a glance, what one is told, and whether everybody can use these pages."""

import re

import pytest
from playwright.sync_api import expect

from coordinator.protocol import GpuLoad, Telemetry
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import PHONE, Site
from tests.browser.test_page import assert_fits

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_the_farm_at_a_glance(fresh_site: Site) -> None:
    site, page = fresh_site, fresh_site.page
    agent = site.agent()
    site.artist.submit("Harbour", frames="1-4")
    site.artist.submit("Nobody can", frames="1-7", needs={"tags": ["holodeck"]})
    site.sign_in("#/farm")
    tiles = page.get_by_role("list", name="The farm now").get_by_role("listitem")
    expect(tiles.filter(has_text="Slots at work")).to_contain_text("0 of 1")
    expect(tiles.filter(has_text="Frames waiting")).to_contain_text("11")
    waiting = page.get_by_role("region", name="Waiting longest")
    expect(waiting.get_by_role("listitem").first).to_contain_text("Harbour")
    expect(waiting).to_contain_text("holodeck")
    agent.render_all(4)
    expect(tiles.filter(has_text="Frames waiting")).to_contain_text("7")
    expect(waiting.get_by_role("listitem")).to_have_count(1)
    page.get_by_role("button", name="Month").click()
    expect(page.get_by_role("button", name="Month")).to_have_attribute("aria-pressed", "true")
    storage = page.get_by_role("region", name="Storage")
    expect(storage.get_by_role("list", name="Storage by user")).to_contain_text("admin")
    storage.get_by_role("button", name="Set a limit for admin").click()
    page.get_by_role("spinbutton", name="GiB").fill("20")
    page.keyboard.press("Enter")
    expect(storage.get_by_role("button", name="of 20 GiB for admin")).to_be_visible()
    storage.get_by_role("button", name="Keep: files of Harbour").click()
    storage.get_by_role("button", name="Kept: files of Harbour").click()
    storage.get_by_role("button", name="Remove files of Harbour").click()
    page.get_by_role("button", name="Remove the files", exact=True).click()
    expect(storage.get_by_role("link", name=re.compile("Harbour"))).to_have_count(0)


def test_jobs_are_deleted_with_what_they_free(site: Site) -> None:
    page = site.page
    job = site.artist.submit("Gone soon", frames="1")
    site.agent().render_all(1)
    site.sign_in("#/jobs?show=finished")
    page.get_by_label("Select Gone soon").click()
    page.get_by_role("toolbar", name="Selected jobs").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text(re.compile(r"This frees [\d.]+ (bytes|KiB)"))
    page.get_by_role("button", name="Delete the job").click()
    expect(page.get_by_role("link", name="Gone soon")).to_have_count(0)
    assert job not in [it["id"] for it in site.artist.api("GET", "jobs?limit=200")["items"]]


def test_the_browser_tells_of_an_end(site: Site) -> None:
    page = site.page
    page.context.grant_permissions(["notifications"], origin=site.farm.url)
    page.add_init_script(
        "globalThis.told = []; globalThis.Notification = class extends EventTarget {"
        " static permission = 'granted'; close() {}"
        " constructor(title, { body }) { super(); told.push([title, body]); } };"
    )
    first = site.artist.submit("Seen first", frames="1")
    site.sign_in(f"#/jobs/{first}")
    watch = page.get_by_role("button", name="Watch")
    watch.click()
    # Who is told in no way yet hears where to choose one.
    expect(page.get_by_role("alert").filter(has_text="The bell above")).to_be_visible()
    expect(watch).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Notifications").click()
    dialog = page.get_by_role("dialog", name="When a job ends")
    dialog.get_by_label("Show a notification").check()
    expect(dialog).to_contain_text("The farm sends no e-mail")
    dialog.get_by_label("Of which jobs").select_option("watched")
    dialog.get_by_role("button", name="Done").click()
    for name in ("Seen", "Unseen"):
        site.artist.submit(name, frames="1")
    site.go("#/jobs")
    page.get_by_label("Select Seen", exact=True).click()
    page.get_by_role("toolbar", name="Selected jobs").get_by_role("button", name="Watch").click()
    site.agent().render_all(3)
    expect(page.get_by_role("row").filter(has_text="Unseen")).to_contain_text("Completed")
    page.wait_for_function("told.length > 1")
    finished = "1 of 1 frames are finished."
    assert page.evaluate("told") == [["Seen first is done", finished], ["Seen is done", finished]]


def test_a_machine_is_sent_away(site: Site) -> None:
    page = site.page
    agent = site.agent("studio-09")
    site.artist.submit("Load", frames="5")
    agent.take_work()
    site.sign_in("#/agents")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="studio-09"))
    expect(card).to_contain_text("Starting")
    for use in (0.2, 0.9):
        agent.report(5, use, Telemetry(gpus=[GpuLoad(name="RTX", utilization=use)]))
        expect(card).to_contain_text(f"{use * 100:.0f} %")
    expect(card.get_by_role("img", name=re.compile("Use of the graphics card"))).to_be_visible()
    card.get_by_role("button", name="Send away…").click()
    site.agents.remove(agent)
    page.get_by_role("button", name="Send it away").click()
    expect(card).to_have_count(0)
    expect(page.get_by_text(re.compile(r"machines? that left"))).to_be_visible()


def test_nothing_bars_anybody(site: Site) -> None:
    page = site.page
    agent = site.agent()
    site.artist.submit("Seen by all", frames="1-3")
    agent.finish(agent.take_work().frames[0])
    site.artist.submit("Waiting", needs={"tags": ["holodeck"]}, warnings=["The image wood.png is missing."])
    site.sign_in()
    for route, sign in {
        "#/jobs": "Seen by all",
        "#/jobs?q=zebra": "No job fits",
        "#/agents": "studio-01",
        "#/farm": "Waiting longest",
    }.items():
        site.go(route)
        expect(page.get_by_text(sign).first).to_be_visible()
        if route == "#/jobs":
            page.get_by_label("Select Seen by all").first.click()
        assert_accessible(page)
    page.set_viewport_size(PHONE)
    assert_fits(site)


def test_no_dialog_bars_anybody(site: Site) -> None:
    page = site.page
    agent = site.agent()
    site.artist.submit("Seen by all", frames="1-3")
    agent.take_work()
    site.sign_in()
    for route, button, title in (
        ("#/jobs", "Notifications", "When a job ends"),
        ("#/agents", "Add a machine", "Add a machine"),
        ("#/agents", "Set aside…", re.compile("^Set .* aside")),
        ("#/agents", "Stop now", re.compile("^Stop ")),
        ("#/farm", re.compile("^Set a limit for"), re.compile("^How much may")),
    ):
        site.go(route)
        opener = page.get_by_role("button", name=button).first
        opener.click()
        dialog = page.get_by_role("dialog", name=title)
        expect(dialog).to_be_visible()
        assert_accessible(page)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        # Who uses the keyboard goes on where they were.
        expect(opener).to_be_focused()


def test_nothing_moves_for_those_who_do_not_want_it(site: Site) -> None:
    page = site.page
    agent = site.agent()
    site.artist.submit("On its way", frames="1-3")
    agent.finish(agent.take_work().frames[0])
    page.emulate_media(reduced_motion="reduce")
    site.sign_in()
    moving = "document.getAnimations().filter((it) => it.effect.getComputedTiming().duration > 20).length"
    for route, sign in {"#/jobs": "On its way", "#/agents": "studio-01", "#/farm": "Slots at work"}.items():
        site.go(route)
        expect(page.get_by_text(sign).first).to_be_visible()
        assert page.evaluate(moving) == 0, route
    page.emulate_media(reduced_motion="no-preference")
    site.go("#/jobs")
    expect(page.locator(".badge[data-state=running]").first).to_be_visible()
    assert page.evaluate(moving) > 0
