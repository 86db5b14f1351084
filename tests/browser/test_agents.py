"""Machines on the page: let in, paused, stopped, set aside, labelled, taken off the list."""

import re
import time

import pytest
from playwright.sync_api import Locator, expect

from coordinator.protocol import GpuLoad, Telemetry
from tests.browser.conftest import PHONE, Site
from tests.browser.people import PretendAgent
from tests.browser.test_page import assert_fits

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

RUN_OUT = {"id": 1, "code": "ABCD-EFGH", "expires_at": "2020-01-01T00:00:00Z"}


def card_of(site: Site, name: str) -> Locator:
    """Return an agent's card."""
    return site.page.get_by_role("listitem").filter(has=site.page.get_by_role("heading", name=name))


def test_a_machine_is_let_in_by_a_code(site: Site) -> None:
    page = site.page
    site.agent("here-before")
    site.sign_in("#/agents")
    page.get_by_role("button", name="Add a machine").click()
    dialog = page.get_by_role("dialog", name="Add a machine")
    code = dialog.get_by_label("Join code", exact=True).inner_text()
    assert re.fullmatch("[0-9A-Z]{4}-[0-9A-Z]{4}", code)
    # The page was opened on the coordinator's own machine: its address is of no use on another one.
    expect(dialog.locator("code")).to_have_text(f"renderfarm agent --join-code {code}")
    expect(dialog).to_contain_text("--host 0.0.0.0")
    expect(dialog.get_by_role("status")).to_contain_text(re.compile(r"The code is good for 1[45]:\d\d more"))
    page.set_viewport_size(PHONE)
    assert_fits(site)
    # Another machine that comes meanwhile is not taken for the one that is waited for.
    site.agent("came-with-a-token")
    expect(page.get_by_role("heading", name="came-with-a-token")).to_be_attached()
    expect(dialog.get_by_role("status")).to_contain_text("Waiting for the machine")
    newcomer = PretendAgent(site.farm.url, code.lower(), "studio-07")
    newcomer.register()
    site.agents.append(newcomer)
    expect(dialog.get_by_role("status")).to_have_text("studio-07 has joined the farm.")
    dialog.get_by_role("button", name="Add another machine").click()
    expect(dialog.get_by_label("Join code", exact=True)).not_to_have_text(code)
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)
    expect(card_of(site, "studio-07")).to_contain_text("Idle")


def test_a_code_that_has_run_out_is_said(site: Site) -> None:
    page = site.page
    page.route("**/api/v1/join-codes", lambda route: route.fulfill(json=RUN_OUT, status=201))
    site.sign_in("#/agents")
    page.get_by_role("button", name="Add a machine").click()
    dialog = page.get_by_role("dialog", name="Add a machine")
    expect(dialog.get_by_role("status")).to_have_text("The code has run out: no machine has used it.")
    page.unroute("**/api/v1/join-codes")
    dialog.get_by_role("button", name="Make another code").click()
    expect(dialog.get_by_role("status")).to_contain_text("Waiting for the machine")
    page.keyboard.press("Escape")


def test_a_machine_is_paused_and_resumed(site: Site) -> None:
    page = site.page
    agent = site.agent("studio-01")
    job = site.artist.submit("Harbour", frames="1-6", chunk_frames=3)
    agent.take_work()
    agent.report(1, 0.5)
    site.sign_in("#/agents")
    card = card_of(site, "studio-01")
    expect(card).to_contain_text("Working")
    card.get_by_role("button", name="Pause").click()
    expect(card).to_contain_text("Pausing")
    expect(card).to_contain_text("It finishes the frames that it renders and begins no others.")
    agent.report(1, 0.6)
    agent.finish(1)
    expect(card).to_contain_text("Paused")
    expect(card).to_contain_text("gets no others until it is resumed")
    site.go(f"#/jobs/{job}")
    expect(page.locator(".headline")).to_contain_text("they rest, or are paused")
    site.go("#/agents")
    card.get_by_role("button", name="Resume").click()
    expect(card).to_contain_text("Idle")
    agent.render_all(5)
    site.go(f"#/jobs/{job}")
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()


def test_stopping_asks_first(site: Site) -> None:
    page = site.page
    agent, other = site.agent("studio-01"), site.agent("studio-02")
    job = site.artist.submit("Harbour", frames="1-2", chunk_frames=2)
    agent.take_work()
    agent.report(1, 0.9)
    site.sign_in("#/agents")
    card = card_of(site, "studio-01")
    card.get_by_role("button", name="Stop now").click()
    page.get_by_role("button", name="Let it go on").click()
    expect(card).to_contain_text("Working")
    card.get_by_role("button", name="Stop now").click()
    expect(page.get_by_role("dialog")).to_contain_text("rendered again by other machines")
    page.get_by_role("button", name="Stop it now").click()
    expect(card).to_contain_text("Paused")
    expect(card.get_by_role("button", name="Stop now")).to_be_hidden()
    other.render_all(2)
    assert site.artist.api("GET", f"jobs/{job}/frames")["items"][0]["attempts"] == 1
    card.get_by_role("button", name="Resume").click()
    expect(card).to_contain_text("Idle")


def test_a_machine_is_set_aside_for_a_reason(site: Site) -> None:
    page = site.page
    # A name of its own: how an agent did goes by it, and other tests render with the usual one.
    agent = site.agent("rattling")
    site.artist.submit("Harbour", frames="1-4", chunk_frames=4)
    agent.take_work()
    agent.fail(1, "it broke")
    agent.finish(2)
    site.sign_in("#/agents")
    card = card_of(site, "rattling")
    expect(card).to_contain_text("50 % of its last 2 attempts")
    agent.finish(3)
    agent.report(4, 0.1)
    expect(card).to_contain_text("66 % of its last 3 attempts")
    card.get_by_role("button", name="Set aside…").click()
    dialog = page.get_by_role("dialog", name="Set rattling aside?")
    dialog.get_by_label("Why?").fill("  ")
    dialog.get_by_role("button", name="Set it aside").click()
    dialog.get_by_label("Why?").fill("its fan rattles")
    dialog.get_by_label("Why?").press("Enter")
    expect(card).to_contain_text("set it aside: its fan rattles")
    expect(card.get_by_role("button", name="Set aside…")).to_be_hidden()
    card.get_by_role("button", name="Let it work again").click()
    expect(card).not_to_contain_text("its fan rattles")


def test_a_machine_is_given_tags_and_pools(site: Site) -> None:
    page = site.page
    agent = site.agent("studio-01")
    site.artist.submit("Harbour", frames="1", needs={"pool": "night", "tags": ["quiet"]})
    site.sign_in("#/agents")
    card = card_of(site, "studio-01")
    card.get_by_role("button", name="Tags and pools…").click()
    dialog = page.get_by_role("dialog", name="Tags and pools of studio-01")
    expect(dialog).to_contain_text("Its own settings add studio.")
    dialog.get_by_label("Tags").fill("quiet, big,quiet, ")
    dialog.get_by_label("Pools").fill("night")
    page.set_viewport_size(PHONE)
    assert_fits(site)
    dialog.get_by_role("button", name="Save").click()
    expect(card.locator(".tags span")).to_have_text(["pool night", "studio", "quiet", "big", "no sandbox"])
    assert agent.take_work().frames == [1]


def test_how_a_card_was_outlives_a_reload(site: Site) -> None:
    page = site.page
    agent = site.agent("studio-01")
    [shown] = [it for it in site.artist.api("GET", "agents")["items"] if it["name"] == "studio-01"]
    start = int(time.time()) - 1200
    heat = [40.0 + minute for minute in range(20)]
    card = {"celsius": heat, "utilization": [0.5] * 20, "memory": [None] * 20}
    remembered = {"agent": shown["id"], "at": [start + 60 * minute for minute in range(20)], "cards": [card]}
    page.route("**/api/v1/agents/loads", lambda route: route.fulfill(json={"items": [remembered], "next": None}))
    site.artist.submit("Harbour", frames="5")
    agent.take_work()
    agent.report(5, 0.5, Telemetry(gpus=[GpuLoad(name="RTX", utilization=0.5, celsius=61)]))
    site.sign_in("#/agents")
    lines = card_of(site, "studio-01").get_by_role("img")
    expect(lines).to_have_count(2)
    expect(lines.nth(1)).to_have_accessible_name(re.compile("Temperature of the graphics card"))
    # Twenty remembered measurements, and the one that the machine told last.
    expect(lines.nth(1).locator("path")).to_have_attribute("d", re.compile(r"^M0\.0 17\.5(L[\d.]+ [\d.]+){20}$"))
    agent.report(5, 0.6, Telemetry(gpus=[GpuLoad(name="RTX", utilization=0.6, celsius=100)]))
    expect(lines.nth(1).locator("path")).to_have_attribute("d", re.compile(r"L100\.0 1\.0$"))


def test_a_machine_that_left_is_taken_off_the_list(fresh_site: Site) -> None:
    site, page = fresh_site, fresh_site.page
    site.sign_in("#/agents")
    expect(page.get_by_role("heading", name="No agents yet")).to_be_visible()
    agent = site.agent("studio-09")
    expect(card_of(site, "studio-09")).to_contain_text("Idle")
    agent.leave()
    gone = page.locator(".gone")
    gone.get_by_text("1 machine that left").click()
    expect(gone).to_contain_text("studio-09")
    gone.get_by_role("button", name="Remove studio-09 from the list").click()
    expect(gone).to_be_hidden()
    agent = site.agent("studio-09")
    expect(card_of(site, "studio-09")).to_be_visible()
    page.set_viewport_size(PHONE)
    assert_fits(site)
